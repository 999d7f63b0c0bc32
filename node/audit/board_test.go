package audit

import (
	"context"
	"errors"
	"iter"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p/rpc"
)

// What is missing is written at once and counted behind: after a crash it is counted anew.
func TestMissingIsCountedAfterACrash(t *testing.T) {
	w := newWorld(t, 4, 1, 40, 1<<20)
	w.round()
	h, m := w.holders[3], w.members[0]
	must(t, m.board.Lost(w.vault.ID, h.key.Public(), h.any(2)...))
	must(t, m.board.db.Close()) // and nothing is flushed
	m.open(w)
	if got := w.of(m, h); got.Missing != 2 || len(m.missing(w, h)) != 2 {
		t.Errorf("%+v", got)
	}
	must(t, m.board.Flush())
	must(t, m.board.Found(w.vault.ID, h.key.Public(), h.any(2)...))
	must(t, m.board.db.Close())
	m.open(w)
	if got := w.of(m, h); got.Missing != 0 || len(m.missing(w, h)) != 0 {
		t.Errorf("%+v", got)
	}
}

// A vault of which this node is no member any more is forgotten, one that cannot be read
// now is not; and it keeps nobody from auditing the others.
func TestVaultsThatAreNotAudited(t *testing.T) {
	w := newWorld(t, 4, 1, 40, 1<<20)
	h, m, old := w.holders[3], w.members[0], w.vault.ID
	w.round()
	must(t, m.board.Lost(old, h.key.Public(), h.any(1)...))
	w.vault.ID = ident.SumDagCBOR([]byte("another vault"))
	broken := errors.New("one vault cannot be read")
	m.auditor.Vaults = func(context.Context) iter.Seq2[Vault, error] {
		return func(yield func(Vault, error) bool) {
			if broken == nil || yield(Vault{}, broken) {
				yield(w.vault, nil)
			}
		}
	}
	w.now = w.now.Add(w.rules.Every)
	if err := m.auditor.Round(t.Context(), m.board); !errors.Is(err, broken) {
		t.Error(err)
	}
	if len(m.board.Holders(old)) != 4 || len(m.board.Holders(w.vault.ID)) != 4 || m.board.Totals().Missing != 1 {
		t.Errorf("%+v", m.board.Totals())
	}
	broken = nil
	w.round()
	for _, again := range []bool{false, true} {
		if again {
			must(t, m.board.Close())
			m.open(w)
		}
		for range m.board.Missing(old) {
			t.Error("a shard is missing in a vault that is not audited")
		}
		if len(m.board.Holders(old)) != 0 || len(m.board.Holders(w.vault.ID)) != 4 || m.board.Totals().Missing != 0 {
			t.Errorf("%+v", m.board.Totals())
		}
	}
}

// The time in which a holder was not there, as it had announced, is counted on its own:
// a segment that is in danger does not wait for it.
func TestAbsenceIsCounted(t *testing.T) {
	w := newWorld(t, 4, 1, 40, 1<<20)
	w.pass(24 * time.Hour)
	h, m := w.holders[3], w.members[0]
	m.board.Announced(h.key.Public(), ledger.HolderAway, w.now.Add(25*time.Hour))
	h.down = rpc.ErrTimeout
	w.pass(24 * time.Hour)
	if got := w.of(m, h); got.Excused != 22*time.Hour || got.Down != 0 {
		t.Errorf("%+v", got)
	}
	w.pass(4 * time.Hour)
	if got := w.of(m, h); got.Excused != 22*time.Hour || got.Down != 4*time.Hour || got.State != ledger.HolderSuspect {
		t.Errorf("%+v", got)
	}
	h.down = nil
	w.round()
	if got := w.of(m, h); got.Excused != 0 || got.Down != 0 {
		t.Errorf("%+v", got)
	}
}

// Of nodes that hold nothing nothing is kept, whatever they announce: there may be any
// number of them.
func TestAnnouncementsOfOthers(t *testing.T) {
	w := newWorld(t, 4, 1, 40, 1<<20)
	w.round()
	m := w.members[0]
	m.board.Announced(key("stranger", 0).Public(), ledger.HolderDraining, time.Time{})
	m.board.Announced(key("stranger", 1).Public(), ledger.HolderAway, w.now.Add(time.Hour))
	if n := len(m.board.nodes); n != 4 {
		t.Errorf("%d nodes are remembered", n)
	}
}
