package repair

import (
	"bytes"
	"slices"
	"time"

	"holdfast/internal/ident"
)

// This file holds the rule of who repairs a segment.
//
// SPEC: rendezvous order of members by BLAKE3(segment || operator); the first acts; one
// further back acts if all before it are not alive, or after a turn for each of those
// that are, in which the segment got no better.

// Order returns a segment's stewards, the one that acts first in front.
func Order(segment ident.CID, stewards []Steward) []Steward {
	type lot struct {
		Steward
		hash [ident.HashSize]byte
	}
	lots := make([]lot, len(stewards))
	for i, s := range stewards {
		lots[i] = lot{s, rendezvous(segment, s.Operator)}
	}
	slices.SortFunc(lots, func(a, b lot) int { return bytes.Compare(a.hash[:], b.hash[:]) })
	out := make([]Steward, len(lots))
	for i, l := range lots {
		out[i] = l.Steward
	}
	return out
}

func rendezvous(segment ident.CID, operator ident.PublicKey) [ident.HashSize]byte {
	var p [ident.CIDSize + len(operator)]byte
	copy(p[copy(p[:], segment.Bytes()):], operator[:])
	return ident.SumRaw(p[:]).Hash()
}

// mine reports whether the plan's steward is to act now.
func (p *planner) mine(segment ident.CID, live int) bool {
	if p.Me.IsZero() {
		return true
	}
	wait, member := p.wait(segment)
	return member && (wait == 0 || p.waited(segment, live) >= wait)
}

// wait is how long this steward leaves a segment to those before it.
func (p *planner) wait(segment ident.CID) (wait time.Duration, member bool) {
	own := rendezvous(segment, p.Me)
	for _, s := range p.Stewards {
		if s.Operator == p.Me {
			member = true
			continue
		}
		if h := rendezvous(segment, s.Operator); s.Alive && bytes.Compare(h[:], own[:]) < 0 {
			wait += p.Turn
		}
	}
	return wait, member
}

func (p *planner) waited(segment ident.CID, live int) time.Duration {
	if p.Waited == nil {
		return Forever
	}
	return p.Waited(segment, live)
}
