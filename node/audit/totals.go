package audit

import (
	"slices"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// Totals are what a board comes to, over all vaults.
type Totals struct {
	Holders, Suspect, Gone int // nodes
	Missing                int64
	Issued                 int64 // groups that were asked for
	Passed, Failed         int64 // groups that were proved, shards that were found missing
	Timeouts               int64 // rounds in which a holder did not answer
}

// Totals adds up.
func (b *Board) Totals() (t Totals) {
	b.mu.Lock()
	defer b.mu.Unlock()
	worst := map[ident.PublicKey]ledger.HolderState{} // of each node, over its vaults
	for at, v := range b.holders {
		t.Missing += v.Missing
		t.Issued += v.Issued
		t.Passed, t.Failed, t.Timeouts = t.Passed+v.Passed, t.Failed+v.Failed, t.Timeouts+v.Timeouts
		if v.Shards > 0 {
			worst[at.node] = worse(worst[at.node], b.judge(at).State)
		}
	}
	t.Holders = len(worst)
	for _, state := range worst {
		switch state {
		case ledger.HolderSuspect, ledger.HolderPaused:
			t.Suspect++
		case ledger.HolderGone:
			t.Gone++
		}
	}
	return t
}

func worse(a, b ledger.HolderState) ledger.HolderState {
	all := ledger.HolderStates()
	if slices.Index(all, a) > slices.Index(all, b) {
		return a
	}
	return b
}
