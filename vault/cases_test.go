package vault

import (
	"fmt"
	"strings"
	"testing"

	"holdfast/ledger"
)

// TestConclude: what a case seems to be takes as many members as are needed to act. Of
// four members one may lie.
func TestConclude(t *testing.T) {
	const (
		requested = ledger.StateRequested
		cooling   = ledger.StateCooling
		retained  = ledger.StateRetained
		passed    = ledger.StatePassed
		certified = ledger.StateCertified
		vetoed    = ledger.StateVetoed
		expired   = ledger.StateExpired
		void      = ledger.StateVoid
		undone    = ledger.StateUndone
	)
	for _, c := range []struct {
		says  string // the members' states
		vetos int    // whose signatures are there
		want  ledger.CaseState
	}{
		{"requested", 0, requested},
		{"requested requested requested requested", 0, requested},
		{"passed requested requested requested", 0, requested},
		{"passed passed requested requested", 0, requested},
		{"passed passed passed requested", 0, passed},
		{"passed passed passed", 0, passed},
		{"passed cooling retained", 0, cooling},
		{"certified passed retained cooling", 0, retained},
		{"certified certified passed cooling", 0, passed},
		{"certified certified certified", 0, certified},
		{"vetoed passed passed passed", 0, passed},
		{"vetoed passed passed passed", 1, vetoed},
		{"passed passed passed passed", 1, passed}, // a veto that all others override
		{"expired passed passed passed", 0, passed},
		{"expired expired passed passed", 0, expired},
		{"void void requested", 0, void},
		{"undone certified certified certified", 0, certified},
		{"undone undone certified certified", 0, undone},
	} {
		k := Case{Members: 4, Quorum: ledger.Quorum(4)}
		for i, state := range strings.Fields(c.says) {
			k.Views = append(k.Views, CaseView{Member: fmt.Sprint(i), State: ledger.CaseState(state)})
		}
		for range c.vetos {
			k.Vetoes = append(k.Vetoes, Voice{Name: "anna"})
		}
		council{}.conclude(&k)
		if k.State != c.want {
			t.Errorf("%s, %d vetoes: %s, not %s", c.says, c.vetos, k.State, c.want)
		}
	}
}

// TestWhyOfAQuorum: of the members' reasons the one is shown that the quorum waits for,
// and no liar's.
func TestWhyOfAQuorum(t *testing.T) {
	k := Case{Members: 4, Quorum: 3}
	for _, until := range []string{"2026-03-04", "2026-03-01", "9999-01-01", "2026-03-02"} {
		k.Views = append(k.Views, CaseView{State: ledger.StateCooling, Why: "cooling off until " + until})
	}
	council{}.conclude(&k)
	if k.Why != "cooling off until 2026-03-04" {
		t.Errorf("why: %q", k.Why)
	}
}
