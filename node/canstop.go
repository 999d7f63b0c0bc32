package node

import (
	"fmt"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/custody"
)

// This file holds the one rule of when a node can be stopped.
//
// SPEC: not if stopping it would leave a segment with fewer than k+max(f,1) shards, or a
// vault without q members that are up.

// StopReport says whether a node can be stopped now.
type StopReport struct {
	Can    bool        `json:"can_stop"`
	Vaults []StopVault `json:"vaults"`
}

// StopVault is what stopping the node would leave of one vault. For a vault of which the
// node is no member the segments are not known: Unknown says so.
type StopVault struct {
	Vault    string `json:"vault"`
	Member   bool   `json:"member"`
	Segments int    `json:"segments"`    // of which a shard is here
	Worst    int    `json:"worst_left"`  // shards of one of them that would be left, at least
	Needed   int    `json:"needed_left"` // shards that must be left, of the one that is nearest to it
	Short    int    `json:"short"`       // segments that would have fewer
	Up       int    `json:"members_up"`  // members that would be left
	Quorum   int    `json:"quorum"`
	Why      string `json:"why,omitempty"` // not; empty if nothing stands in the way
	Unknown  string `json:"unknown,omitempty"`
}

// stopView is what is known of a vault when the question is asked.
type stopView struct {
	charter ledger.Charter
	me      ident.PublicKey
	up      func(node ident.PublicKey) bool // it answers, serves, and has not said that it goes away
	custody *custody.Map                    // nil for a vault of which this node is no member
	missing map[custody.Shard]bool          // shards that audits miss
	holders []ident.PublicKey               // where custody is not known: who holds shards, as members say
	most    int                             // where custody is not known: shards of one segment on one holder, at most
}

// judge says what stopping the node would leave.
func (v stopView) judge() StopVault {
	out := StopVault{Vault: v.charter.ID().String(), Member: v.custody != nil, Quorum: v.charter.Quorum()}
	for _, m := range v.charter.Members {
		if m.Node != v.me && v.up(m.Node) {
			out.Up++
		}
	}
	if v.custody != nil {
		v.segments(&out)
	} else {
		v.estimate(&out)
	}
	_, member := v.charter.MemberByNode(v.me)
	switch {
	case out.Short > 0:
		out.Why = fmt.Sprintf("%d segments would have fewer shards than they need: the worst %d of %d", out.Short, out.Worst, out.Needed)
	case member && out.Up < out.Quorum:
		out.Why = fmt.Sprintf("%d members would be up, and it takes %d to take a backup", out.Up, out.Quorum)
	}
	return out
}

// segments counts what would be left of each segment of which a shard is here.
func (v stopView) segments(out *StopVault) {
	up, mine := make([]bool, len(v.custody.Holders())), make([]bool, len(v.custody.Holders()))
	for i, h := range v.custody.Holders() {
		mine[i] = h.Node == v.me
		up[i] = !mine[i] && v.up(h.Node)
	}
	least := 0 // of what would be left less what is needed
	for s := range v.custody.All() {
		here, left := false, 0
		for index, holder := range s.Held {
			switch {
			case holder == custody.Nowhere || v.missing[custody.Shard{Segment: s.CID, Index: index}]:
			case mine[holder]:
				here = true
			case up[holder]:
				left++
			}
		}
		if !here {
			continue
		}
		needed := s.Code.K + v.charter.Away()
		if out.Segments == 0 || left-needed < least {
			least, out.Worst, out.Needed = left-needed, left, needed
		}
		out.Segments++
		if left < needed {
			out.Short++
		}
	}
}

// estimate goes by the charter's code, and takes each holder that is not up for one that
// has an operator's even share of every segment.
func (v stopView) estimate(out *StopVault) {
	code := v.charter.Coded()
	down := 0
	for _, h := range v.holders {
		if h != v.me && !v.up(h) {
			down += v.most
		}
	}
	out.Worst, out.Needed = code.N-down-v.most, code.K+v.charter.Away()
	if out.Worst < out.Needed {
		out.Short = 1
	}
	out.Unknown = "this node is no member of the vault: whether all of its segments are complete is not known here"
}
