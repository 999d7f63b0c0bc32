package vault

import (
	"context"
	"errors"
	"slices"
	"testing"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/custody"
	"holdfast/ledger/ledgertest"
	"holdfast/p2p/shardrpc"
)

// rollBed is a vault of segments whose holders are shelves in memory.
type rollBed struct {
	t       testing.TB
	m       *custody.Map
	vault   ident.CID
	nodes   map[ident.PublicKey]*fakeShelf
	forms   map[ident.CID]erasure.Descriptor
	accused []shardrpc.Ref
}

// fakeShelf says that it has what the map says, but for what a test took away.
type fakeShelf struct {
	bed      *rollBed
	key      ident.PrivateKey // the node's, and the vote key
	number   int
	gone     map[shardrpc.Ref]bool // it says so
	lost     map[shardrpc.Ref]bool // its inventory says that it has them, and it has not
	false    bool                  // it sends wrong bytes
	extra    int                   // shards of a commit under way
	busy     int                   // so many times, then it answers
	err      error
	listings int
}

func newRollBed(t testing.TB, segments int) *rollBed {
	b := &rollBed{t: t, m: custody.New(), vault: ident.SumDagCBOR([]byte("vault")), nodes: map[ident.PublicKey]*fakeShelf{}, forms: map[ident.CID]erasure.Descriptor{}}
	var held []int
	for i := range 4 {
		key := ledgertest.Key("roll " + string(rune('a'+i)))
		n := b.m.Holder(custody.Holder{Node: key.Public(), Operator: key.Public()})
		held = append(held, n)
		b.nodes[key.Public()] = &fakeShelf{bed: b, key: key, number: n, gone: map[shardrpc.Ref]bool{}, lost: map[shardrpc.Ref]bool{}}
	}
	code := erasure.Code{K: 2, N: 4}
	for i := range segments {
		id := ident.SumDagCBOR([]byte{byte(i), byte(i >> 8)})
		d := erasure.Descriptor{V: 1, K: 2, N: 4, Size: 1 << 20}
		for j := range 4 {
			d.Shards = append(d.Shards, ident.SumRaw([]byte{byte(i), byte(i >> 8), byte(j)}))
		}
		b.forms[id] = d
		b.m.Add(custody.Segment{CID: id, Code: code, RowSize: d.RowSize(), Held: held})
	}
	return b
}

func (b *rollBed) shelf(i int) *fakeShelf { return b.nodes[b.m.Holders()[i].Node] }

func (b *rollBed) call(samples int) []roll {
	b.t.Helper()
	rolls, err := rollCall{
		vault: b.vault, samples: samples,
		shelf: func(node ident.PublicKey) shelf { return b.nodes[node] },
		certificate: func(_ context.Context, node ident.PublicKey) (ledger.NodeCertificate, error) {
			return ledger.NodeCertificate{Node: node, Vote: node}, nil
		},
		pause:       func(context.Context) {},
		lied:        func(_ ident.PublicKey, ref shardrpc.Ref) { b.accused = append(b.accused, ref) },
		descriptors: func(context.Context, []ident.CID) (map[ident.CID]erasure.Descriptor, error) { return b.forms, nil },
	}.call(b.t.Context(), b.m)
	if err != nil {
		b.t.Fatal(err)
	}
	return rolls
}

func (f *fakeShelf) Inventory(_ context.Context, nonce shardrpc.Nonce) (ident.Signed, error) {
	if f.err != nil {
		return ident.Signed{}, f.err
	}
	has := f.bed.m.Clone()
	for ref := range f.gone {
		has.Move(ref.Segment, ref.Index, custody.Nowhere)
	}
	for i := range f.extra {
		has.Add(custody.Segment{CID: ident.SumDagCBOR([]byte{9, 9, byte(i)}), Code: erasure.Code{K: 1, N: 2}, RowSize: 1, Held: []int{f.number, custody.Nowhere}})
	}
	d := has.Expected(f.number)
	return ledger.SignInventory(f.key, ledger.Inventory{
		Vault: f.bed.vault, Node: f.key.Public(), Nonce: nonce, Time: 1, Shards: d.Shards, Bytes: d.Bytes, Buckets: d.Encode(),
	})
}

func (f *fakeShelf) Has(_ context.Context, refs []shardrpc.Ref) ([]bool, error) {
	f.listings++
	out := make([]bool, len(refs))
	for i, ref := range refs {
		out[i] = !f.gone[ref]
	}
	return out, nil
}

func (f *fakeShelf) Audit(_ context.Context, challenges []shardrpc.Challenge) ([]shardrpc.Outcome, error) {
	if f.busy > 0 {
		f.busy--
		return nil, shardrpc.ErrBusy
	}
	out := make([]shardrpc.Outcome, len(challenges))
	for i, c := range challenges {
		switch {
		case f.false:
			out[i] = shardrpc.Lied
		case f.gone[c.Ref] || f.lost[c.Ref]:
			out[i] = shardrpc.Missing
		}
	}
	return out, nil
}

func (b *rollBed) ref(segment, index int) shardrpc.Ref {
	return shardrpc.Ref{Segment: ident.SumDagCBOR([]byte{byte(segment), byte(segment >> 8)}), Index: index}
}

// Each holder is heard: who has everything is asked for nothing more than samples, what is
// gone is found one by one, what is there besides is no fault.
func TestRollCall(t *testing.T) {
	b := newRollBed(t, 600)
	b.shelf(1).gone[b.ref(3, 1)], b.shelf(1).gone[b.ref(99, 1)] = true, true
	b.shelf(2).extra = 3
	b.shelf(3).err = errors.New("unplugged")
	rolls := b.call(16)
	if len(rolls) != 4 {
		t.Fatalf("%d holders were asked", len(rolls))
	}
	for i, r := range rolls {
		if r.shards != 600 || len(r.challenges) != 16 {
			t.Errorf("holder %d must have %d shards, and was asked for %d samples", i, r.shards, len(r.challenges))
		}
	}
	if r := rolls[0]; r.err != nil || len(r.missing) != 0 || r.proved != 16 || b.shelf(0).listings != 0 {
		t.Errorf("who has everything: %+v", r)
	}
	var missing []shardrpc.Ref
	for _, sh := range distinct(rolls[1].missing) {
		missing = append(missing, shardrpc.Ref{Segment: sh.Segment, Index: sh.Index})
	}
	if len(missing) != 2 || !slices.Contains(missing, b.ref(3, 1)) || !slices.Contains(missing, b.ref(99, 1)) {
		t.Errorf("who lacks two: %v", missing)
	}
	if r := rolls[2]; r.err != nil || len(r.missing) != 0 {
		t.Errorf("who has more: %+v", r)
	}
	if r := rolls[3]; r.err == nil || r.asked != 0 {
		t.Errorf("who does not answer: %+v", r)
	}
}

// A holder whose list is long and whose disk is empty is found by what it cannot show.
// Who is busy for a while is waited for; who is always busy has proved nothing, whatever
// it has signed, and is accused of nothing.
func TestRollCallFindsLiars(t *testing.T) {
	b := newRollBed(t, 600)
	for i := range 600 {
		b.shelf(0).lost[b.ref(i, 0)] = i%3 == 0
	}
	b.shelf(1).false = true
	b.shelf(2).busy, b.shelf(3).busy = 1<<20, 2
	rolls := b.call(AuditSamples)
	if n := len(rolls[0].missing); n < 100 || n > 200 || rolls[0].asked != AuditSamples || rolls[0].proved+n != AuditSamples {
		t.Errorf("a third is lost: %d of %d samples", n, rolls[0].asked)
	}
	if r := rolls[1]; r.lied != AuditSamples || len(b.accused) != AuditSamples {
		t.Errorf("false bytes: %d, %d are told of", r.lied, len(b.accused))
	}
	if r := rolls[2]; !errors.Is(r.err, shardrpc.ErrBusy) || len(r.missing) != 0 || r.proved != 0 {
		t.Errorf("always busy: %v", r.err)
	}
	if r := rolls[3]; r.err != nil || r.proved != AuditSamples {
		t.Errorf("busy for a while: %v, %d proved", r.err, r.proved)
	}
	seen := map[shardrpc.Ref]bool{}
	for _, c := range rolls[3].challenges {
		if seen[c.Ref] || c.Group < 0 || c.Shard != b.forms[c.Segment].Shards[c.Index] {
			t.Fatalf("challenge %+v", c)
		}
		seen[c.Ref] = true
	}
}

// An inventory that another key has signed, or of another question, is no answer.
func TestForgedInventory(t *testing.T) {
	b := newRollBed(t, 3)
	b.shelf(0).key = ledgertest.Key("another")
	if r := b.call(1)[0]; r.err == nil {
		t.Errorf("a forged inventory: %v", r.err)
	}
	if b.shelf(0).listings != 0 {
		t.Error("it was looked into")
	}
}
