package vault

import (
	"slices"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
	"holdfast/vault/index"
)

// shelves are nodes called by letters, and - for nobody.
func shelves(names string) (out []ident.PublicKey) {
	for _, c := range names {
		key := ident.PublicKey{}
		if c != '-' {
			key = ledgertest.Key("shelf " + string(c)).Public()
		}
		out = append(out, key)
	}
	return out
}

// shelfOwner is the operator of a node: that of a small letter runs the capital one, too.
func shelfOwner(name rune) ident.PublicKey {
	if name < 'a' {
		name += 'a' - 'A'
	}
	return ledgertest.Key("owner " + string(name)).Public()
}

// movedTo is one move of a shard to a node, at a time.
func movedTo(shard int, node rune, time int64) index.Move {
	return index.Move{
		Segment: ident.SumDagCBOR([]byte("s")), Shard: shard, Node: shelves(string(node))[0], Operator: shelfOwner(node), Time: time,
		Receipt: ident.SumDagCBOR([]byte{byte(node), byte(time)}),
	}
}

// Shards are where the newest receipts say, as far as no operator draws more to himself
// than he may have; nobody's claim erases what others have moved before.
func TestPlacedNow(t *testing.T) {
	v := ledgertest.NewVault("moves", 4)
	s := &Session{charter: v.Charter, history: newHistory("")}
	for _, c := range "abcdxyBDX" {
		s.history.holders.know(index.Holder{Node: shelves(string(c))[0], Operator: shelfOwner(c)})
	}
	if s.charter.Operators() != 4 || ledger.MostShards(s.charter.Coded(), 4) != 1 {
		t.Fatalf("%d operators, code %v", s.charter.Operators(), s.charter.Coded())
	}
	for name, c := range map[string]struct {
		body  string
		moves []index.Move
		want  string
	}{
		"nothing moved":               {"abcd", nil, "abcd"},
		"repaired":                    {"abcd", []index.Move{movedTo(1, 'x', 5)}, "axcd"},
		"completed":                   {"ab-d", []index.Move{movedTo(2, 'x', 5)}, "abxd"},
		"moved to another of his own": {"abcd", []index.Move{movedTo(1, 'B', 5)}, "aBcd"},
		"took another's place":        {"abcd", []index.Move{movedTo(0, 'b', 6), movedTo(1, 'x', 5)}, "bxcd"},
		"no such shard":               {"abcd", []index.Move{movedTo(7, 'x', 5)}, "abcd"},
		"claims everything":           {"abcd", []index.Move{movedTo(3, 'x', 8), movedTo(1, 'X', 6), movedTo(2, 'x', 7), movedTo(0, 'x', 5)}, "xbcd"},
		"has one and claims the rest": {"abcd", []index.Move{movedTo(0, 'd', 5), movedTo(1, 'D', 6)}, "abcd"},
		"erases nobody":               {"abcd", []index.Move{movedTo(0, 'y', 5), movedTo(0, 'x', 9), movedTo(1, 'x', 6)}, "yxcd"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := s.placedNow(shelves(c.body), c.moves, 2); !slices.Equal(got, shelves(c.want)) {
				t.Errorf("not %s", c.want)
			}
		})
	}
}

// laterPlacement is a member's receipt for one shard that it got at a time.
func laterPlacement(t *testing.T, v *ledgertest.Vault, at time.Time) ledger.Placement {
	t.Helper()
	m := v.Members[0]
	receipt, err := ledger.SignReceipt(m.Vote, ledger.Receipt{
		Vault: v.ID(), Charter: v.Charter.CID(), Device: m.Node.Public(), Node: m.Node.Public(), Time: ledger.Millis(at), Until: ledger.Millis(at.AddDate(1, 0, 0)),
		Shards: []ledger.ReceiptShard{{Segment: ident.SumDagCBOR([]byte("s")), Index: 1, Shard: ident.SumRaw([]byte("shard"))}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return ledger.Placement{V: 1, Receipt: receipt, Cert: m.Certificate}
}

// What a member shows of moves is verified. One that verifies nowhere ends its turn, and
// one that is too early by this machine's clock is asked for again when it is not.
func TestPagesOfMoves(t *testing.T) {
	c := newCachedLane(t, 1)
	s := c.open()
	defer c.close(s)
	warnings := 0
	s.options.Warn = func(string) { warnings++ }
	m := s.charter.Members[0]
	good, late := laterPlacement(t, c.vault, ledgertest.Start()), laterPlacement(t, c.vault, ledgertest.Start().Add(2*ledger.ClockSkew))
	forged := good
	forged.Receipt.Object = append(slices.Clone(good.Receipt.Object), 0)
	for _, step := range []struct {
		what  string
		list  []ledger.Placement
		next  int64 // that the member says
		known int64 // and that is kept
		ok    bool
		moves int
	}{
		{"nothing verifies", []ledger.Placement{forged, forged}, 5, 5, false, 0},
		{"too early", []ledger.Placement{good, late}, 9, 5, false, 1},
		{"some verifies", []ledger.Placement{forged, good}, 12, 12, true, 1},
	} {
		err := s.takePageOfMoves(m, movesPage{step.list, ledger.MovesCursor{Next: step.next}})
		moves := 0
		for range s.index.Moves() {
			moves++
		}
		if (err == nil) != step.ok || s.movesKnown(m).Next != step.known || moves != step.moves {
			t.Errorf("%s: %v, known up to %d, %d moves", step.what, err, s.movesKnown(m).Next, moves)
		}
	}
	if warnings != 2 {
		t.Errorf("%d warnings for two pages", warnings)
	}
}
