package vault

import (
	"context"
	"fmt"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// shortSet is the length of a full reference set, in bytes, that is not worth a delta.
const shortSet = 512

// encodeSet encodes a snapshot's reference set: in full, or, of one that is long, as its
// difference to the set of an earlier snapshot of the lane if that is at most half as
// long. Base returns that set, the zero value for none; it is asked only where it counts.
func encodeSet(set ledger.Set, base func() ledger.Set) (ledger.Raw, error) {
	full, err := set.Full().Encode()
	if err != nil || len(full) <= shortSet {
		return full, err
	}
	before := base()
	// SPEC: There is a full one at least every 64 entries.
	if before.Entry.IsZero() || before.Depth >= ledger.MaxDeltas {
		return full, nil
	}
	delta, err := set.Since(before).Encode()
	if err == nil && 2*len(delta) <= len(full) {
		return delta, nil
	}
	return full, nil
}

// newestSet returns the reference set of a lane's newest entry: the zero value for a lane
// without entries. It reads the bodies from the last full set on, or from the entry that
// it was asked about last.
func (s *Session) newestSet(ctx context.Context, lane ident.PublicKey) (ledger.Set, error) {
	links := s.history.lanes[lane]
	type said struct {
		link Link
		refs ledger.RefSet
	}
	var back []said
	var set ledger.Set
	want := ident.CID{} // the entry whose set is needed next; undefined for the newest
	for i := len(links) - 1; i >= 0; i-- {
		if !want.IsZero() && links[i].CID != want {
			continue
		}
		if links[i].CID == s.history.newest.Entry {
			set = s.history.newest
			break
		}
		b, err := s.snapshotBody(ctx, links[i])
		if err != nil {
			return ledger.Set{}, err
		}
		r, err := ledger.ParseRefSet(b.Refs)
		if err != nil {
			return ledger.Set{}, fmt.Errorf("entry %.8s: %w", links[i].CID.Hex(), err)
		}
		back = append(back, said{links[i], r})
		if want = r.Base; r.IsFull() {
			break
		}
	}
	for i := len(back) - 1; i >= 0; i-- {
		var err error
		if set, err = back[i].refs.Resolve(lane, back[i].link.CID, set); err != nil {
			return ledger.Set{}, fmt.Errorf("entry %.8s: %w", back[i].link.CID.Hex(), err)
		}
	}
	s.history.newest = set
	return set, nil
}
