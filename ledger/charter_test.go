package ledger_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
)

// One row for each rule of a charter, against one that has every optional field.
func TestCharterRules(t *testing.T) {
	key := ledgertest.Key("another").Public()
	name := ident.SumDagCBOR([]byte("x"))
	for what, spoil := range map[string]func(*ledger.Charter){
		"number 0":                    func(c *ledger.Charter) { c.Number = 0 },
		"first with a vault":          func(c *ledger.Charter) { c.Vault = name },
		"first with a charter before": func(c *ledger.Charter) { c.Prev = name },
		"second without a vault":      func(c *ledger.Charter) { c.Number, c.Prev = 2, name },
		"second without the first":    func(c *ledger.Charter) { c.Number, c.Vault = 2, name },
		"vault that is no structure":  func(c *ledger.Charter) { c.Number, c.Vault, c.Prev = 2, ident.SumRaw(nil), name },
		"no network":                  func(c *ledger.Charter) { c.Network = "" },
		"network in capitals":         func(c *ledger.Charter) { c.Network = "Test-net" },
		"network too long":            func(c *ledger.Charter) { c.Network = "test-" + strings.Repeat("a", 60) },
		"created before 1970":         func(c *ledger.Charter) { c.Created = -1 },
		"no members":                  func(c *ledger.Charter) { c.Members = nil },
		"256 members":                 func(c *ledger.Charter) { c.Members = manyMembers(256) },
		"members not sorted":          func(c *ledger.Charter) { slices.Reverse(c.Members) },
		"operator twice":              func(c *ledger.Charter) { c.Members[1].Operator = c.Members[0].Operator },
		"node twice":                  func(c *ledger.Charter) { c.Members[1].Node = c.Members[0].Node },
		"vote key twice":              func(c *ledger.Charter) { c.Members[1].Vote = c.Members[0].Vote },
		"node key as vote key":        func(c *ledger.Charter) { c.Members[1].Vote = c.Members[1].Node },
		"member's name too long":      func(c *ledger.Charter) { c.Members[0].Name = strings.Repeat("n", 65) },
		"member's name not UTF-8":     func(c *ledger.Charter) { c.Members[0].Name = "\xff" },
		"zone too long":               func(c *ledger.Charter) { c.Members[0].Zone = strings.Repeat("n", 65) },
		"admitted not sorted":         func(c *ledger.Charter) { c.Admitted = descending(c.Admitted[0], key) },
		"admitted twice":              func(c *ledger.Charter) { c.Admitted = []ident.PublicKey{key, key} },
		"admitted and a roster":       func(c *ledger.Charter) { c.Roster = name },
		"roster that is no structure": func(c *ledger.Charter) { c.Admitted, c.Roster = nil, ident.SumRaw(nil) },
		"k = 0":                       func(c *ledger.Charter) { c.Code.K = 0 },
		"k above n/2":                 func(c *ledger.Charter) { c.Code = ledger.Code{K: 3, N: 5} },
		"n above 255":                 func(c *ledger.Charter) { c.Code = ledger.Code{K: 3, N: 256} },
		"threshold 1":                 func(c *ledger.Charter) { c.Threshold = 1 },
		"threshold above guardians":   func(c *ledger.Charter) { c.Threshold = 4 },
		"threshold without guardians": func(c *ledger.Charter) { c.Guardians = nil },
		"guardians without threshold": func(c *ledger.Charter) { c.Threshold = 0 },
		"one guardian":                func(c *ledger.Charter) { c.Guardians = c.Guardians[:1] },
		"guardian twice":              func(c *ledger.Charter) { c.Guardians[1].Key = c.Guardians[0].Key },
		"share twice":                 func(c *ledger.Charter) { c.Guardians[1].Share = c.Guardians[0].Share },
		"guardian without envelope":   func(c *ledger.Charter) { c.Guardians[1].Envelope = nil },
		"envelope too long":           func(c *ledger.Charter) { c.Guardians[1].Envelope = make([]byte, ledger.MaxEnvelope+1) },
		"secret too long":             func(c *ledger.Charter) { c.Secret = make([]byte, ledger.MaxSecret+1) },
		"secret without guardians":    func(c *ledger.Charter) { c.Guardians, c.Threshold, c.Secret = nil, 0, []byte{1} },
		"negative retention":          func(c *ledger.Charter) { c.Retention = -1 },
		"trash for ever":              func(c *ledger.Charter) { c.Trash = 1 << 62 },
		"short cooling-off":           func(c *ledger.Charter) { c.Network, c.Cooling = "production", 72*3600-1 },
		"negative cooling-off":        func(c *ledger.Charter) { c.Cooling = -1 },
		"expiry at once":              func(c *ledger.Charter) { c.Expiry.After = 0 },
		"expiry: negative count":      func(c *ledger.Charter) { c.Expiry.Newer = -1 },
		"negative identity":           func(c *ledger.Charter) { c.Identity = -1 },
		"no recipient":                func(c *ledger.Charter) { c.Recipient = "" },
		"recipient that is not hybrid": func(c *ledger.Charter) {
			c.Recipient = "age1" + strings.Repeat("q", 58)
		},
		"recipient with other letters": func(c *ledger.Charter) { c.Recipient = "age1pq1b" },
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld()
			c := w.guarded()
			spoil(&c)
			if _, err := ledger.SignCharter(w.vault.Owner, c); !errors.Is(err, ledger.ErrInvalid) {
				t.Errorf("%v", err)
			}
		})
	}
}

func manyMembers(n int) []ledger.Member {
	ms := make([]ledger.Member, n)
	for i := range ms {
		ms[i] = ledger.Member{Operator: ident.PublicKey{1, byte(i >> 8), byte(i), 1}, Node: ident.PublicKey{2, byte(i >> 8), byte(i), 1}, Vote: ident.PublicKey{3, byte(i >> 8), byte(i), 1}}
	}
	return ms
}

func descending(a, b ident.PublicKey) []ident.PublicKey {
	keys := []ident.PublicKey{a, b}
	slices.SortFunc(keys, func(a, b ident.PublicKey) int { return b.Compare(a) })
	return keys
}

// The longest lists there may be, and the shortest times.
func TestCharterLimits(t *testing.T) {
	w := newWorld()
	c := w.guarded()
	c.Members = manyMembers(255)
	c.Network, c.Cooling = "production", 72*3600
	if _, err := ledger.SignCharter(w.vault.Owner, c); err != nil {
		t.Error(err)
	}
	for range 252 {
		g := c.Guardians[0]
		n := byte(len(c.Guardians))
		g.Key, g.Share, g.Envelope = ident.PublicKey{4, n, 1}, [32]byte{9, n}, make([]byte, ledger.MaxEnvelope)
		c.Guardians = append(c.Guardians, g)
	}
	if _, err := ledger.SignCharter(w.vault.Owner, c); !errors.Is(err, ledger.ErrTooLarge) {
		t.Errorf("a charter that nobody would read: %v", err)
	}
	c = w.guarded()
	c.Network, c.Cooling = "test-x", 0
	if _, err := ledger.SignCharter(w.vault.Owner, c); err != nil {
		t.Error(err)
	}
}

func TestCharterChain(t *testing.T) {
	w := newWorld()
	first := w.vault.Charter
	for what, spoil := range map[string]func(*ledger.Charter){
		"number":  func(c *ledger.Charter) { c.Number = 3 },
		"prev":    func(c *ledger.Charter) { c.Prev = ident.SumDagCBOR([]byte("x")) },
		"vault":   func(c *ledger.Charter) { c.Vault = ident.SumDagCBOR([]byte("x")) },
		"network": func(c *ledger.Charter) { c.Network = "test-other" },
		"salt":    func(c *ledger.Charter) { c.Salt[0] ^= 1 },
	} {
		c := w.next()
		spoil(&c)
		if _, err := ledger.VerifyNextCharter(must(ledger.SignCharter(w.vault.Owner, c)), first); err == nil {
			t.Errorf("another %s: accepted", what)
		}
	}
	if _, err := ledger.VerifyNextCharter(must(ledger.SignCharter(ledgertest.Key("thief"), w.next())), first); err == nil {
		t.Error("another owner: accepted")
	}
	second := must(ledger.SignCharter(w.vault.Owner, w.next()))
	if _, err := ledger.VerifyFirstCharter(second); !errors.Is(err, ledger.ErrMismatch) {
		t.Errorf("second taken for the first: %v", err)
	}
	c, err := ledger.VerifyNextCharter(second, first)
	if err != nil || c.ID() != first.ID() || c.CID() != second.CID() || c.CID() == c.ID() {
		t.Errorf("second: %v, %v", c.ID(), err)
	}
}

func TestCharterLookups(t *testing.T) {
	w := newWorld()
	s := must(ledger.SignCharter(w.vault.Owner, w.guarded()))
	c := must(ledger.VerifyFirstCharter(s))
	for _, m := range w.vault.Members {
		a, okA := c.Member(m.Operator.Public())
		b, okB := c.MemberByNode(m.Node.Public())
		d, okD := c.MemberByVote(m.Vote.Public())
		if !okA || !okB || !okD || a != b || b != d || a.Name != m.Name || !c.Admits(a.Operator) {
			t.Errorf("member %s is not found", m.Name)
		}
	}
	nobody := ledgertest.Key("nobody").Public()
	if _, ok := c.Member(nobody); ok || c.Admits(nobody) {
		t.Error("nobody is a member")
	}
	if _, ok := c.MemberByNode(nobody); ok {
		t.Error("nobody's node is a member")
	}
	if !c.Admits(c.Admitted[0]) || c.Operators() != 5 || c.Quorum() != 3 || c.Faults() != 1 {
		t.Errorf("%d operators, q = %d, f = %d", c.Operators(), c.Quorum(), c.Faults())
	}
	c.Admitted = append(c.Admitted, c.Members[0].Operator)
	if c.Operators() != 5 {
		t.Error("a member that is also admitted counts twice")
	}
}
