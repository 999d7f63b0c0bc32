package ledger_test

import (
	"bytes"
	"slices"
	"testing"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
)

var custodyNonce = [16]byte{4, 5, 6}

// shards are the names that the sample of an answer is about.
func (w *world) shards() []ledger.ShardName {
	return []ledger.ShardName{
		{Segment: ident.SumDagCBOR([]byte("a")), Index: 1}, {Segment: ident.SumDagCBOR([]byte("a"))}, {Segment: ident.SumDagCBOR([]byte("b")), Index: 254},
	}
}

// placed is a member's answer: one shard has moved, one is where its commit put it, and of
// one it knows nothing.
func (w *world) placed(i int) ledger.Placed {
	clock, asked := ledger.Millis(ledgertest.Start()), w.shards()
	return ledger.Placed{
		Vault: w.vault.ID(), Charter: w.vault.Charter.CID(), Nonce: custodyNonce, Operator: w.vault.Members[i].Operator.Public(), Clock: clock,
		Shards: []ledger.PlacedShard{
			{Segment: asked[0].Segment, Index: asked[0].Index, Node: w.vault.Members[3].Node.Public(), Time: clock - 1000},
			{Segment: asked[1].Segment, Index: asked[1].Index, Node: w.vault.Members[0].Node.Public()},
			{Segment: asked[2].Segment, Index: asked[2].Index},
		},
	}
}

func (w *world) ofCustody() []structure {
	ch, id, m := w.vault.Charter, w.vault.ID(), w.vault.Members[2]
	member, _ := ch.Member(m.Operator.Public())
	buckets := bytes.Repeat(make([]byte, 32), 256)
	hash := ident.SumRaw([]byte("bucket 7")).Hash()
	copy(buckets[7*32:], hash[:])
	inventory := must(ledger.SignInventory(m.Vote, ledger.Inventory{
		Vault: id, Node: m.Node.Public(), Nonce: custodyNonce, Time: ledger.Millis(ledgertest.Start()), Shards: 3, Bytes: 24 << 20, Buckets: buckets,
	}))
	return []structure{
		{"inventory", ledger.LabelInventory, id, inventory, func(s ident.Signed) error {
			_, err := ledger.VerifyInventory(s, must(ledger.VerifyNodeCertificate(m.Certificate)), id, custodyNonce)
			return err
		}},
		{"placed", ledger.LabelPlaced, id, must(ledger.SignPlaced(m.Vote, w.placed(2))), func(s ident.Signed) error {
			_, err := ledger.VerifyPlaced(s, ch, member, custodyNonce, w.shards())
			return err
		}},
	}
}

func TestInventoryRules(t *testing.T) {
	w := newWorld()
	m := w.vault.Members[2].Vote
	rules(t, w, "inventory", m, ledger.ErrMismatch, map[string]func(*ledger.Inventory){
		"another vault": func(i *ledger.Inventory) { i.Vault = ident.SumDagCBOR(nil) },
		"another node":  func(i *ledger.Inventory) { i.Node = w.vault.Members[1].Node.Public() },
		"another nonce": func(i *ledger.Inventory) { i.Nonce[15]++ },
	})
	rules(t, w, "inventory", m, ledger.ErrInvalid, map[string]func(*ledger.Inventory){
		"a bucket less":    func(i *ledger.Inventory) { i.Buckets = i.Buckets[32:] },
		"a byte more":      func(i *ledger.Inventory) { i.Buckets = append(i.Buckets, 0) },
		"shards below 0":   func(i *ledger.Inventory) { i.Shards = -1 },
		"bytes below 0":    func(i *ledger.Inventory) { i.Bytes = -1 },
		"time before 1970": func(i *ledger.Inventory) { i.Time = -1 },
		"time too late":    func(i *ledger.Inventory) { i.Time = late },
	})
}

func TestPlacedRules(t *testing.T) {
	w := newWorld()
	m := w.vault.Members[2].Vote
	other := ident.SumDagCBOR([]byte("other"))
	rules(t, w, "placed", m, ledger.ErrMismatch, map[string]func(*ledger.Placed){
		"another vault":    func(p *ledger.Placed) { p.Vault = other },
		"another nonce":    func(p *ledger.Placed) { p.Nonce[0]++ },
		"another operator": func(p *ledger.Placed) { p.Operator = w.vault.Members[1].Operator.Public() },
		"another segment":  func(p *ledger.Placed) { p.Shards[1].Segment = other },
		"another shard":    func(p *ledger.Placed) { p.Shards[1].Index = 2 },
		"another order":    func(p *ledger.Placed) { slices.Reverse(p.Shards) },
		"one less":         func(p *ledger.Placed) { p.Shards = p.Shards[:2] },
		"one more":         func(p *ledger.Placed) { p.Shards = append(p.Shards, p.Shards[0]) },
	})
	rules(t, w, "placed", m, ledger.ErrInvalid, map[string]func(*ledger.Placed){
		"charter of raw bytes":    func(p *ledger.Placed) { p.Charter = ident.SumRaw(nil) },
		"clock before 1970":       func(p *ledger.Placed) { p.Clock = -1 },
		"time too late":           func(p *ledger.Placed) { p.Shards[0].Time = late },
		"nobody, since some time": func(p *ledger.Placed) { p.Shards[2].Time = 1 },
		"somebody, before 1970":   func(p *ledger.Placed) { p.Shards[0].Time = -1 },
	})
}

// A shard has moved when a quorum of the newest charter's members name one node.
func TestMoved(t *testing.T) {
	w := newWorld()
	ch := w.vault.Charter
	node := w.vault.Members[3].Node.Public()
	said := func(change func(i int, p *ledger.Placed)) (answers []ledger.Placed) {
		for i := range w.vault.Members {
			p := w.placed(i)
			change(i, &p)
			answers = append(answers, p)
		}
		return answers
	}
	for name, c := range map[string]struct {
		shard  int
		change func(i int, p *ledger.Placed)
		want   bool
	}{
		"all agree":         {0, func(int, *ledger.Placed) {}, true},
		"q agree":           {0, func(i int, p *ledger.Placed) { p.Shards[0].Node = changeIf(i > 2, p.Shards[0].Node) }, true},
		"one too few":       {0, func(i int, p *ledger.Placed) { p.Shards[0].Node = changeIf(i > 1, p.Shards[0].Node) }, false},
		"nobody has it":     {2, func(int, *ledger.Placed) {}, false},
		"no such shard":     {3, func(int, *ledger.Placed) {}, false},
		"below the first":   {-1, func(int, *ledger.Placed) {}, false},
		"one says it twice": {0, func(_ int, p *ledger.Placed) { p.Operator = ch.Members[0].Operator }, false},
		"strangers say it":  {0, func(i int, p *ledger.Placed) { p.Operator = ledgertest.Key(string(rune('a' + i))).Public() }, false},
		"an older charter":  {0, func(_ int, p *ledger.Placed) { p.Charter = ident.SumDagCBOR(nil) }, false},
	} {
		got, ok := ledger.Moved(ch, said(c.change), c.shard)
		if ok != c.want || ok && got != node {
			t.Errorf("%s: moved to %v, %v", name, got, ok)
		}
	}
}

// changeIf is another key, or the same.
func changeIf(other bool, k ident.PublicKey) ident.PublicKey {
	if other {
		return ledgertest.Key("another").Public()
	}
	return k
}

// Of two receipts for one shard the later counts, and of two at the same time that with
// the greater name: never both, and never neither.
func TestPlacingOrder(t *testing.T) {
	a, b := ident.SumDagCBOR([]byte("a")), ident.SumDagCBOR([]byte("b"))
	for _, p := range []ledger.Placing{{Time: 1, Receipt: a}, {Time: 1, Receipt: b}, {Time: 2, Receipt: a}} {
		for _, q := range []ledger.Placing{{Time: 1, Receipt: a}, {Time: 1, Receipt: b}, {Time: 2, Receipt: a}, {}} {
			if p != q && p.Newer(q) == q.Newer(p) || p == q && p.Newer(q) {
				t.Errorf("%v and %v", p, q)
			}
		}
		if !p.Newer(ledger.Placing{}) {
			t.Errorf("%v counts not before none", p)
		}
	}
}
