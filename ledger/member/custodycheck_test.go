package member

import (
	"errors"
	"fmt"
	"slices"

	bolterrors "go.etcd.io/bbolt/errors"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/custody"
)

// CheckCustody compares, for every vault of a store, what Custody says with what is read
// anew from the tables, and with what the bodies and receipts say, one by one. A store
// that is closed, or whose files a test has damaged, is not compared.
func CheckCustody(s *Store) error {
	for _, id := range s.All() {
		got, err := s.Custody(id)
		if errors.Is(err, ErrGone) {
			return nil
		}
		if err != nil && !errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
			return err
		}
		v := s.vaults[id]
		loaded, naive := custody.New(), custody.New()
		err = v.read(func(x index) error {
			return errors.Join(x.loadCustody(loaded, v.inForce().Operators()), v.naive(x, naive))
		})
		if errors.Is(err, ErrCorrupt) || errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
			return nil
		}
		if err == nil {
			err = same(got, loaded)
		}
		if err == nil {
			err = same(got, naive)
		}
		if err != nil {
			return fmt.Errorf("vault %s: %w", id, err)
		}
	}
	return nil
}

// naive fills a Map from the bodies of all certified entries and from the receipts.
func (v *vault) naive(x index, m *custody.Map) error {
	gone, err := x.allNumbers(goneBucket)
	if err != nil {
		return err
	}
	zones := make(map[custody.Holder]int64) // without zone -> serial
	holder := func(c ledger.NodeCertificate) int {
		h := custody.Holder{Node: c.Node, Operator: c.Operator}
		if was, known := zones[h]; known && was >= c.Serial {
			return m.Of(c.Node)[0]
		}
		zones[h] = c.Serial
		h.Zone = c.Zone
		return m.Holder(h)
	}
	err = x.bucket(refsBucket).ForEach(func(k, _ []byte) error {
		id, err := ident.CIDFromBytes(k)
		if err != nil {
			return err
		}
		rec, ok, err := x.certified(id)
		if err != nil || !ok {
			return err
		}
		body, err := v.bodyOf(x, id)
		if err != nil {
			return err
		}
		b, err := ledger.ParseSnapshotBody(body)
		if err != nil {
			return err
		}
		segments, err := b.ParseSegments()
		if err != nil {
			return err
		}
		for i, s := range segments {
			in, _, err := x.introduction(s.CID)
			if err != nil {
				return err
			}
			if in.entry != id || gone[rec.Lane].Contains(rec.Count-int64(len(segments)-i)) {
				continue
			}
			held := make([]int, len(s.Placement))
			for j, row := range s.Placement {
				if held[j] = custody.Nowhere; row != ledger.Nowhere {
					c, err := ledger.VerifyNodeCertificate(b.Holders[row])
					if err != nil {
						return err
					}
					held[j] = holder(c)
				}
			}
			m.Add(custody.Segment{CID: s.CID, Code: s.Descriptor.Code(), RowSize: s.Descriptor.RowSize(), Held: held})
		}
		return nil
	})
	if err != nil {
		return err
	}
	claims := make(map[ident.CID][]custody.Claim)
	err = x.bucket(receiptsBucket).ForEach(func(k, _ []byte) error {
		id, err := ident.CIDFromBytes(k)
		if err != nil {
			return err
		}
		_, r, c, err := v.dirs.readPlacement(id, v.chain())
		if err != nil {
			return err
		}
		for _, s := range r.Shards {
			claims[s.Segment] = append(claims[s.Segment], custody.Claim{Index: int(s.Index), Holder: holder(c), Time: r.Time, Receipt: id})
		}
		return nil
	})
	for id, list := range claims {
		if s, ok := m.Find(id); ok {
			m.Settle(s.Held, list, ledger.MostShards(s.Code, v.inForce().Operators()))
			m.Add(s)
		}
	}
	return err
}

// same compares two Maps but for the numbers of holders, and holders of nothing.
func same(got, want *custody.Map) error {
	a, b := slices.Collect(got.All()), slices.Collect(want.All())
	if len(a) != len(b) || got.Len() != len(a) {
		return fmt.Errorf("%d segments, not %d", len(a), len(b))
	}
	name := func(m *custody.Map, n int) custody.Holder {
		if n == custody.Nowhere {
			return custody.Holder{}
		}
		return m.Holders()[n]
	}
	for i := range a {
		if a[i].CID != b[i].CID || a[i].Code != b[i].Code || a[i].RowSize != b[i].RowSize {
			return fmt.Errorf("segment %v, not %v", a[i], b[i])
		}
		for j := range a[i].Held {
			x, y := name(got, a[i].Held[j]), name(want, b[i].Held[j])
			if x.Node != y.Node || x.Operator != y.Operator || x.Zone != y.Zone {
				return fmt.Errorf("shard %d of segment %s is with %v, not %v", j, a[i].CID, x, y)
			}
		}
	}
	return nil
}
