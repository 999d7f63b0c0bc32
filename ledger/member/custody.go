package member

import (
	"fmt"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/custody"
)

// Custody returns who holds the shards of a vault: of every segment of a certified entry
// that is not released, by its later placements where there are any, else as its entry's
// body says. What it says was on the disk when Custody was called. It is the caller's to
// read, together with others; who changes it changes a clone. The first call reads all of
// it; after that a call costs what has changed.
func (s *Store) Custody(vault ident.CID) (*custody.Map, error) {
	v, err := s.vault(vault)
	if err != nil {
		return nil, err
	}
	h := &v.held
	h.use.Lock()
	defer h.use.Unlock()
	t, load := h.begin()
	switch {
	case load:
		h.m, h.given = custody.New(), nil
		err = v.read(func(x index) error { return x.loadCustody(h.m, v.inForce().Operators()) })
	case t.holders || len(t.segments) > 0:
		h.given = nil
		err = v.read(func(x index) error { return x.renewCustody(h.m, v.inForce().Operators(), t) })
	}
	if err == nil {
		err = s.present()
	}
	if err != nil {
		h.doubt()
		return nil, fmt.Errorf("read who holds the shards of vault %s: %w", vault, err)
	}
	if h.given == nil {
		h.given = h.m.Clone()
	}
	return h.given, nil
}

// loadCustody fills a Map, where so many operators are admitted.
func (x index) loadCustody(m *custody.Map, operators int) error {
	if err := x.holders(m); err != nil {
		return err
	}
	contested, err := x.contested()
	if err != nil {
		return err
	}
	gone, err := x.allNumbers(goneBucket)
	if err != nil {
		return err
	}
	err = x.bucket(tablesBucket).ForEach(func(k, _ []byte) error {
		id, err := ident.CIDFromBytes(k)
		if err != nil {
			return err
		}
		return x.loadTable(m, id, gone, contested)
	})
	if err == nil {
		err = x.loadMoves(m, operators)
	}
	if err != nil {
		return err
	}
	c := x.custodian(m, operators)
	for id := range contested {
		if err := c.renew(id); err != nil {
			return err
		}
	}
	return nil
}

// loadTable adds what an entry brings and is neither released nor contested.
func (x index) loadTable(m *custody.Map, entry ident.CID, gone ledger.Numbers, contested map[ident.CID]bool) error {
	rec, ok, err := x.certified(entry)
	if err != nil || !ok {
		return err
	}
	t, err := x.table(entry)
	if err != nil {
		return err
	}
	first, at := rec.Count-int64(t.count()), 0
	left := ledger.Spans{{First: first, Count: int64(t.count())}}.Minus(gone[rec.Lane])
	for i := range t.count() {
		at = t.holders(i, at)
		for len(left) > 0 && left[0].End() <= first+int64(i) {
			left = left[1:]
		}
		if len(left) == 0 {
			return nil
		}
		if left[0].First > first+int64(i) || len(contested) > 0 && contested[t.name(i)] {
			continue
		}
		m.Add(t.segment(i, at))
	}
	return nil
}

func (x index) contested() (map[ident.CID]bool, error) {
	out := make(map[ident.CID]bool)
	err := x.bucket(contestedBucket).ForEach(func(k, _ []byte) error {
		id, err := ident.CIDFromBytes(k)
		out[id] = true
		return err
	})
	return out, err
}

// loadMoves settles what has later placements.
func (x index) loadMoves(m *custody.Map, operators int) error {
	c := x.custodian(m, operators)
	var claims []custody.Claim
	var last ident.CID
	settle := func() {
		if s, ok := m.Find(last); ok && len(claims) > 0 {
			c.settle(s, claims)
			m.Add(s)
		}
		claims = claims[:0]
	}
	err := x.bucket(placementsBucket).ForEach(func(k, p []byte) error {
		id, claim, err := c.claim(k, p)
		if err != nil {
			return err
		}
		if id != last {
			settle()
			last = id
		}
		claims = append(claims, claim)
		return nil
	})
	settle()
	return err
}

// renewCustody brings a Map up to date with what has been touched.
func (x index) renewCustody(m *custody.Map, operators int, t touched) error {
	if t.holders {
		if err := x.holders(m); err != nil {
			return err
		}
	}
	c := x.custodian(m, operators)
	for _, id := range t.segments {
		if err := c.renew(id); err != nil {
			return err
		}
	}
	return nil
}
