package audit

import (
	"fmt"
	"slices"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// Holders returns what is known of every holder of a vault, sorted by node.
func (b *Board) Holders(vault ident.CID) []Holder {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []Holder
	for at := range b.holders {
		if at.vault == vault {
			all = append(all, b.judge(at))
		}
	}
	slices.SortFunc(all, func(x, y Holder) int { return x.Node.Compare(y.Node) })
	return all
}

// Holder returns what is known of one.
func (b *Board) Holder(vault ident.CID, node ident.PublicKey) (Holder, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := place{vault, node}
	if b.holders[at] == nil {
		return Holder{}, false
	}
	return b.judge(at), true
}

// judge puts together what is known of a holder.
func (b *Board) judge(at place) Holder {
	now, v := b.rules.Now(), *b.holders[at]
	r := newReach(ident.PublicKey{}, now)
	if known := b.nodes[at.node]; known != nil {
		r = *known
	}
	h := Holder{
		Node: at.node, Operator: r.Operator, Proof: moment(v.proof()),
		Down: time.Duration(max(r.Down, v.Mute.For)) * time.Millisecond, Excused: time.Duration(r.Excused) * time.Millisecond,
		Shards: v.Shards, Missing: v.Missing, Passed: v.Passed, Failed: v.Failed, Timeouts: v.Timeouts,
	}
	state, since := r.state(now, b.rules.RepairAfter)
	mute := v.Mute.Since > 0 && (state == ledger.HolderOK || state == ledger.HolderDraining)
	if mute {
		state, since = v.Mute.state(b.rules.RepairAfter), v.Mute.Since
	}
	h.State, h.Since = state, moment(since)
	if state == ledger.HolderAway {
		h.Until = moment(r.Away)
	}
	h.Weight, h.Why = weight(r, v, b.rules.Vetting, now)
	h.Why = because(h, mute, h.Why)
	return h
}

// because says first what is wrong with the state, then what is missing, and then what
// keeps the weight down.
func because(h Holder, mute bool, why string) string {
	at := h.Since.UTC().Format("2006-01-02 15:04 UTC")
	var state string
	switch h.State {
	case ledger.HolderSuspect:
		state = "does not answer since " + at
		if mute {
			state = "answers, and proves nothing that it is asked for, since " + at
		}
	case ledger.HolderPaused:
		state = "its volume is not there since " + at
	case ledger.HolderGone:
		state = "has not served since " + at + ", what it held is to be placed elsewhere"
	case ledger.HolderAway:
		state = "has said that it is away until " + h.Until.UTC().Format("2006-01-02 15:04 UTC")
	}
	return join(state, lacking(h), why)
}

func lacking(h Holder) string {
	if h.Missing == 0 {
		return ""
	}
	return fmt.Sprintf("%d of its %d shards are missing", h.Missing, h.Shards)
}

func join(parts ...string) string {
	all := ""
	for _, p := range parts {
		if p != "" && all != "" {
			all += "; "
		}
		all += p
	}
	return all
}
