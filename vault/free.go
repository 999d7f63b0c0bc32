package vault

import (
	"context"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// free returns up to ledger.MaxTargets segments that a quorum of the members finds free
// if a request's targets go, without those that are to be left out. Each member is
// asked for the first of its list. What is certified leaves the lists: so who asks
// again, after a release, gets what comes next.
//
// SPEC: the requester never names segments: they are from the members' arithmetic.
func (c council) free(ctx context.Context, request ident.CID, without map[ident.CID]bool) ([]ident.CID, error) {
	answers := ask(ctx, c, func(ctx context.Context, m seat) ([]ident.CID, error) {
		segments, _, err := m.Free(ctx, c.charter.ID(), request, ident.CID{})
		return segments, err
	})
	if have := succeeded(answers); have < c.quorum() {
		return nil, refusal(answers, have, c.quorum())
	}
	return agreed(answers, c.quorum(), without), nil
}

// agreed returns the segments that so many members name, in the order of the first
// member that names them.
func agreed(answers []answer[[]ident.CID], need int, without map[ident.CID]bool) []ident.CID {
	count := map[ident.CID]int{}
	for _, a := range answers {
		said := map[ident.CID]bool{}
		for _, id := range a.Value {
			if a.Err == nil && !said[id] {
				said[id] = true
				count[id]++
			}
		}
	}
	var out []ident.CID
	for _, a := range answers {
		for _, id := range a.Value {
			if count[id] >= need && !without[id] && len(out) < ledger.MaxTargets {
				out = append(out, id)
			}
			delete(count, id)
		}
	}
	return out
}
