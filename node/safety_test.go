package node

import (
	"slices"
	"testing"
	"time"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/custody"
	"holdfast/ledger/ledgertest"
)

// holdersMap is a vault of segments coded 2/4, one shard with each of four holders.
func holdersMap(segments int) *custody.Map {
	m := custody.New()
	var held []int
	for _, name := range []string{"a", "b", "c", "d"} {
		key := ledgertest.Key(name).Public()
		held = append(held, m.Holder(custody.Holder{Node: key, Operator: key}))
	}
	for i := range segments {
		m.Add(custody.Segment{CID: ident.SumDagCBOR([]byte{byte(i)}), Code: erasure.Code{K: 2, N: 4}, RowSize: 1 << 14, Held: slices.Clone(held)})
	}
	return m
}

// What a report says becomes margins from 0 to n-k, whatever was lost.
func TestCustodyOf(t *testing.T) {
	for lost, want := range []CustodyStatus{
		{Segments: 3, Target: 2, Worst: 2, Margins: []int64{0, 0, 3}},
		{Segments: 3, Target: 2, Worst: 1, Margins: []int64{0, 3, 0}, Below: 3, AtRisk: 3},
		{Segments: 3, Target: 2, Worst: 0, Margins: []int64{3, 0, 0}, Below: 3, AtRisk: 3},
		{Segments: 3, Target: 2, Worst: -1, Margins: []int64{0, 0, 0}, Below: 3, AtRisk: 3, Lost: 3},
	} {
		m := holdersMap(3)
		loss := m.Loss()
		for i := range lost {
			loss.Holder(i)
		}
		got := custodyOf(m.Judge(loss))
		if !slices.Equal(got.Margins, want.Margins) || got.Segments != want.Segments || got.Target != want.Target || got.Worst != want.Worst || got.Below != want.Below || got.AtRisk != want.AtRisk || got.Lost != want.Lost {
			t.Errorf("%d lost: %+v, not %+v", lost, got, want)
		}
	}
	if got := custodyOf(custody.New().Judge(nil)); got.Segments != 0 || got.Margins != nil {
		t.Errorf("of nothing: %+v", got)
	}
	m := holdersMap(2)
	loss := m.Loss()
	loss.Shard(ident.SumDagCBOR([]byte{0}), 1)
	if got := custodyOf(m.Judge(loss)); got.Worst != 1 || !slices.Equal(got.Margins, []int64{0, 1, 1}) || got.Below != 1 {
		t.Errorf("one shard: %+v", got)
	}
}

// A member says how safe its vaults are; who is none says nothing of that.
func TestVaultsOfStatus(t *testing.T) {
	b := newBench(t, 4)
	_, err := b.ledgers.Accept(t.Context(), b.vault.Signed)
	must(t, err)
	s := newSafety(b.clock.now)
	must(t, b.volume.use(t.Context(), func(p *parts) error {
		all := s.vaults(p)
		if len(all) != 1 || !all[0].Member || all[0].Vault != b.vault.ID().String() || all[0].Custody == nil || all[0].Custody.Segments != 0 {
			t.Errorf("%+v", all)
		}
		if c := all[0].Catalog; c == nil || c.Entries != 0 || !c.Newest.IsZero() {
			t.Errorf("of an empty ledger: %+v", c)
		}
		return nil
	}))
}

// The catalog's figures follow what is certified, and no device's clock takes them into
// the future.
func TestCatalogOfStatus(t *testing.T) {
	b := newBench(t, 1)
	_, err := b.ledgers.Accept(t.Context(), b.vault.Signed)
	must(t, err)
	l := b.vault.OwnerLane()
	for i := range 3 {
		b.certify(l, l.Enrol(b.vault.Grant(ledgertest.Key(string(rune('a'+i))), ledger.Full)))
	}
	must(t, b.volume.use(t.Context(), func(p *parts) error {
		for _, now := range []time.Time{b.clock.now(), b.clock.now().Add(-24 * time.Hour)} {
			if c, err := catalogOf(p, b.vault.ID(), now); err != nil || c.Entries != 3 || c.Newest.After(now) || c.Newest.Before(now.Add(-time.Hour)) {
				t.Errorf("at %v: %+v, %v", now, c, err)
			}
		}
		return nil
	}))
}
