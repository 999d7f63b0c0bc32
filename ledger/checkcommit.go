package ledger

import (
	"fmt"
	"slices"
	"time"

	"holdfast/internal/ident"
)

// checkSnapshot holds the rules of a commit.
func checkSnapshot(v View, e Entry, eff Effect, b SnapshotBody, now time.Time) error {
	for _, s := range eff.Segments {
		// SPEC: A segment may be introduced once in a vault.
		if v.Introduced(s.CID) {
			return fmt.Errorf("segment %s: %w", s.CID, ErrIntroduced)
		}
	}
	ch := v.Charter()
	verify := VerifyNodeCertificate
	if m, ok := v.(CertificateView); ok {
		verify = m.NodeCertificate
	}
	holders, err := checkHolders(ch, b.Holders, now, verify)
	if err != nil {
		return err
	}
	for _, s := range eff.Segments {
		if err := checkPlacement(ch, s, holders); err != nil {
			return fmt.Errorf("segment %s: %w", s.CID, err)
		}
	}
	if err := checkReceipts(ch, e, eff.Segments, b, holders, now); err != nil {
		return err
	}
	return checkRefs(v, e, eff)
}

// checkHolders verifies the table of holders: admitted, of this network, valid now,
// no node twice.
func checkHolders(ch Charter, table []ident.Signed, now time.Time, verify func(ident.Signed) (NodeCertificate, error)) ([]NodeCertificate, error) {
	holders := make([]NodeCertificate, 0, len(table))
	seen := make(map[ident.PublicKey]bool, len(table))
	for i, s := range table {
		c, err := verify(s)
		if err == nil {
			err = CheckHolder(ch, c, now)
		}
		switch {
		case err != nil:
			return nil, fmt.Errorf("holder %d: %w", i, err)
		case seen[c.Node]:
			return nil, fmt.Errorf("holder %d: %w: node %s is there twice", i, ErrHolder, c.Node)
		}
		seen[c.Node] = true
		holders = append(holders, c)
	}
	return holders, nil
}

// CheckHolder decides whether a node with a verified certificate may hold shards of
// a vault.
func CheckHolder(ch Charter, c NodeCertificate, now time.Time) error {
	switch {
	case c.Network != ch.Network:
		return fmt.Errorf("%w: node %s is of network %q", ErrHolder, c.Node, c.Network)
	case !ch.Admits(c.Operator):
		return fmt.Errorf("%w: operator %s", ErrHolder, c.Operator)
	}
	return c.ValidAt(now)
}

func checkPlacement(ch Charter, s Segment, holders []NodeCertificate) error {
	shards := make(map[ident.PublicKey]int, len(s.Placement))
	for _, row := range s.Placement {
		if row != Nowhere {
			shards[holders[row].Operator]++
		}
	}
	code := s.Descriptor.Code()
	for operator, n := range shards {
		if most := MostShards(code, ch.Operators()); n > most {
			return fmt.Errorf("%w: operator %s has %d shards, %d at most", ErrPlacement, operator, n, most)
		}
	}
	if left := Left(shards, ch.Away()); left < code.K {
		return fmt.Errorf("%w: %d shards without any %d operators, k = %d", ErrMargin, left, ch.Away(), code.K)
	}
	return nil
}

// checkReceipts holds that each holder promises, for this commit and for long
// enough, exactly what the placement says it has.
func checkReceipts(ch Charter, e Entry, segments []Segment, b SnapshotBody, holders []NodeCertificate, now time.Time) error {
	want := placed(segments, len(holders))
	until := now.Add(LeastLeft)
	for i, h := range holders {
		r, err := VerifyReceipt(b.Receipts[i], h.Vote, e.Vault)
		if err != nil {
			return fmt.Errorf("receipt of node %s: %w", h.Node, err)
		}
		switch {
		case r.Node != h.Node || r.Device != e.Lane || r.Charter != ch.CID() || r.Nonce != b.Nonce:
			err = fmt.Errorf("%w: another node, device, charter or nonce", ErrReceipt)
		case r.Later():
			err = fmt.Errorf("%w: the nonce is zero", ErrReceipt)
		case Time(r.Until).Before(until):
			err = fmt.Errorf("%w: it ends at %v", ErrReceipt, Time(r.Until).UTC())
		case !slices.Equal(r.Shards, want[i]):
			err = fmt.Errorf("%w: its shards are not those of the placement", ErrReceipt)
		}
		if err != nil {
			return fmt.Errorf("receipt of node %s: %w", h.Node, err)
		}
	}
	return nil
}

// placed returns for each holder the shards that the placement says it has, in the
// order of a receipt.
func placed(segments []Segment, holders int) [][]ReceiptShard {
	out := make([][]ReceiptShard, holders)
	for _, s := range segments {
		for i, row := range s.Placement {
			if row != Nowhere {
				out[row] = append(out[row], ReceiptShard{s.CID, int64(i), s.Descriptor.Shards[i]})
			}
		}
	}
	for _, shards := range out {
		slices.SortFunc(shards, ReceiptShard.compare)
	}
	return out
}

// checkRefs holds the arithmetic of a reference set: it stands on a set that is
// known, every number exists, and every new segment is in it.
func checkRefs(v View, e Entry, eff Effect) error {
	r, err := ParseRefSet(eff.Refs)
	if err != nil {
		return err
	}
	var base Set
	if !r.IsFull() {
		known := false
		if base, known = v.Refs(r.Base); !known {
			return fmt.Errorf("%w: base %s is not known", ErrRefs, r.Base)
		}
	}
	set, err := r.Resolve(e.Lane, e.CID(), base)
	if err != nil {
		return err
	}
	before, ok := v.Numbered(e.Lane, e.Prev)
	if !ok {
		return fmt.Errorf("%w: %s has no numbers", ErrRefs, e.Prev)
	}
	added := Span{before, int64(len(eff.Segments))}
	for _, l := range set.Lanes {
		count, ok := added.End(), true
		if l.Lane != e.Lane {
			count, ok = v.Numbered(l.Lane, l.UpTo)
		}
		// SPEC: All numbers MUST exist.
		if !ok || l.Numbers.End() > count {
			return fmt.Errorf("%w: number %d of lane %s does not exist up to %s", ErrRefs, l.Numbers.End()-1, l.Lane, l.UpTo)
		}
	}
	// SPEC: The set holds all new segments of its entry.
	if !set.Numbers(e.Lane).Covers(added) {
		return fmt.Errorf("%w: new segments are not in it", ErrRefs)
	}
	return nil
}
