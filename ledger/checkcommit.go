package ledger

import (
	"fmt"
	"slices"
	"time"

	"holdfast/internal/ident"
)

// checkSnapshot holds the rules of a commit.
func checkSnapshot(v View, p Proposal, e Entry, eff Effect, b SnapshotBody, now time.Time) error {
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
	until := now.Add(LeastLeft)
	if p.bound == e.CID() {
		until = time.Time{} // it was judged when the entry was certified first
	}
	receipt := VerifyReceipt
	if m, ok := v.(ReceiptView); ok {
		receipt = m.NodeReceipt
	}
	if err := checkReceipts(ch, e, eff.Segments, b, holders, receiptRule{until, receipt}); err != nil {
		return err
	}
	set, err := checkRefs(v, e, eff)
	if err != nil {
		return err
	}
	return checkClosing(v, p, e, set)
}

// checkClosing holds that nothing the entry refers to is being released. An entry that
// was certified before may come again: a quorum has voted for it, and as long as it may
// come again none of them consents, so no release of what it refers to is certified.
//
// SPEC: who consented to the release of a segment votes for no entry that refers to it,
// unless that is undone
func checkClosing(v View, p Proposal, e Entry, set Set) error {
	if p.bound == e.CID() {
		return nil
	}
	if named, closing := v.Closing(set); closing {
		return &SegmentsError{ErrClosing, named}
	}
	return nil
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
	// SPEC: a member's node holds for its own operator alone
	if m, ok := ch.MemberByNode(c.Node); ok && m.Operator != c.Operator {
		return fmt.Errorf("%w: node %s is that of operator %s", ErrHolder, c.Node, m.Operator)
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

// receiptRule is how receipts are judged: how long they must hold at least, and what
// verifies them.
type receiptRule struct {
	until  time.Time
	verify func(s ident.Signed, holder ident.PublicKey, vault ident.CID) (Receipt, error)
}

// checkReceipts holds that each holder promises, for this commit and for long enough,
// exactly what the placement says it has.
func checkReceipts(ch Charter, e Entry, segments []Segment, b SnapshotBody, holders []NodeCertificate, rule receiptRule) error {
	want := placed(segments, len(holders))
	for i, h := range holders {
		r, err := rule.verify(b.Receipts[i], h.Vote, e.Vault)
		if err != nil {
			return fmt.Errorf("receipt of node %s: %w", h.Node, err)
		}
		switch {
		case r.Node != h.Node || r.Device != e.Lane || r.Charter != ch.CID() || r.Nonce != b.Nonce:
			err = fmt.Errorf("%w: another node, device, charter or nonce", ErrReceipt)
		case r.Later():
			err = fmt.Errorf("%w: the nonce is zero", ErrReceipt)
		case Time(r.Until).Before(rule.until):
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
// known, every number exists, and every new segment is in it. It returns the set.
func checkRefs(v View, e Entry, eff Effect) (Set, error) {
	r, err := ParseRefSet(eff.Refs)
	if err != nil {
		return Set{}, err
	}
	var base Set
	if !r.IsFull() {
		known := false
		if base, known = v.Refs(r.Base); !known {
			return Set{}, fmt.Errorf("%w: base %s is not known", ErrRefs, r.Base)
		}
	}
	set, err := r.Resolve(e.Lane, e.CID(), base)
	if err != nil {
		return Set{}, err
	}
	before, ok := v.Numbered(e.Lane, e.Prev)
	if !ok {
		return Set{}, fmt.Errorf("%w: %s has no numbers", ErrRefs, e.Prev)
	}
	added := Span{before, int64(len(eff.Segments))}
	for _, l := range set.Lanes {
		count, ok := added.End(), true
		if l.Lane != e.Lane {
			count, ok = v.Numbered(l.Lane, l.UpTo)
		}
		// SPEC: All numbers MUST exist.
		if !ok || l.Numbers.End() > count {
			return Set{}, fmt.Errorf("%w: number %d of lane %s does not exist up to %s", ErrRefs, l.Numbers.End()-1, l.Lane, l.UpTo)
		}
	}
	// SPEC: The set holds all new segments of its entry.
	if !set.Numbers(e.Lane).Covers(added) {
		return Set{}, fmt.Errorf("%w: new segments are not in it", ErrRefs)
	}
	return set, nil
}
