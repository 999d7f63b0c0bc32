package node

import (
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/custody"
	"holdfast/node/audit"
	"holdfast/node/repair"
)

// audited is what this node's audits say of the holders of one vault, as repair needs it.
type audited struct {
	holders map[ident.PublicKey]audit.Holder // by node; one that is not there is not known
	missing map[ident.CID][]missingShard     // by segment
}

// missingShard is a shard that its holder has lost, by its own word or by its lies.
type missingShard struct {
	index int
	node  ident.PublicKey
}

// readAudits reads the board of a vault.
func readAudits(b *audit.Board, vault ident.CID) audited {
	a := audited{holders: map[ident.PublicKey]audit.Holder{}, missing: map[ident.CID][]missingShard{}}
	for _, h := range b.Holders(vault) {
		a.holders[h.Node] = h
	}
	for s := range b.Missing(vault) {
		a.missing[s.Segment] = append(a.missing[s.Segment], missingShard{s.Index, s.Node})
	}
	return a
}

// condition is how a holder is, for a planner that waits for a grace.
func (a audited) condition(node ident.PublicKey, grace time.Duration) repair.Condition {
	h, known := a.holders[node]
	if !known {
		return repair.Condition{}
	}
	down := max(h.Down, 1) // one that has not served for no time yet is waited for too
	switch h.State {
	case ledger.HolderOK:
		return repair.Condition{}
	case ledger.HolderDraining:
		return repair.Condition{Leaving: true}
	case ledger.HolderGone:
		down = max(down, grace)
	default:
		down = min(down, grace-1)
	}
	return repair.Condition{Silent: down + h.Excused, Excused: h.Excused}
}

// newcomer is the weight of a node of which nothing is known: that of one that is being
// vetted.
const newcomer = 50

func (a audited) weight(node ident.PublicKey) int {
	if h, known := a.holders[node]; known {
		return h.Weight
	}
	return newcomer
}

// lost lists the rows of a segment that those who hold them now have lost.
func (a audited) lost(m *custody.Map, segment ident.CID) (rows []int) {
	for _, l := range a.missing[segment] {
		if audit.Holds(m, l.node, custody.Shard{Segment: segment, Index: l.index}) {
			rows = append(rows, l.index)
		}
	}
	return rows
}
