package audit

import (
	"context"
	"io"
	"slices"

	"holdfast/ledger"
	"holdfast/ledger/custody"
	"holdfast/p2p/shardrpc"
)

// inventory asks for the holder's signed inventory, compares it with what the ledger
// places with it, and has those buckets listed in which they differ. What the holder has
// beyond that is no fault: shards that no entry names yet, or that have just moved. What
// is known to be missing already is not news.
func (w *visit) inventory(ctx context.Context, peer Peer, b *Board, now int64) {
	said, ok := w.said(ctx, peer)
	if !ok {
		return
	}
	var lacking []custody.Shard
	for _, h := range w.vault.Map.Of(w.at.node) {
		expected := w.vault.Map.Expected(h)
		for _, bucket := range expected.Differ(said.Buckets) {
			rows := w.vault.Map.Bucket(h, bucket)
			if len(rows) == 0 {
				continue // it has more than it must, or another of its operators has given it something
			}
			listed, ok := w.list(ctx, peer, said, bucket)
			if !ok {
				return // nothing was compared; the next round goes on
			}
			for _, r := range rows {
				if _, found := slices.BinarySearchFunc(listed, r.Shard(), compareShards); !found && !b.knows(w.at, r.Shard()) {
					lacking = append(lacking, r.Shard())
				}
			}
		}
	}
	w.compared = now
	w.confirm(ctx, peer, lacking)
	w.listedAgain(b)
}

// said fetches the inventory and verifies it.
func (w *visit) said(ctx context.Context, peer Peer) (ledger.Inventory, bool) {
	ctx, cancel := context.WithTimeout(ctx, w.auditor.Patience)
	defer cancel()
	var nonce shardrpc.Nonce
	if _, err := io.ReadFull(w.auditor.Rand, nonce[:]); err != nil {
		return ledger.Inventory{}, false
	}
	signed, err := peer.Inventory(ctx, nonce)
	if err != nil {
		w.answered(err)
		return ledger.Inventory{}, false
	}
	cert, err := w.auditor.Peers.Certificate(ctx, w.at.node)
	if err != nil {
		return ledger.Inventory{}, false
	}
	inventory, err := ledger.VerifyInventory(signed, cert, w.at.vault, nonce)
	if err != nil {
		w.auditor.Log.Warn("an inventory does not verify", "node", w.at.node.String(), "vault", w.at.vault.String(), "error", err)
		return ledger.Inventory{}, false
	}
	return inventory, true
}

// list fetches all pages of one bucket. One that the inventory says is empty is not
// asked for.
func (w *visit) list(ctx context.Context, peer Peer, said ledger.Inventory, bucket int) (all []custody.Shard, ok bool) {
	if empty := [32]byte{}; [32]byte(said.Buckets[bucket*32:]) == empty {
		return nil, true
	}
	var after shardrpc.Ref
	for {
		limited, cancel := context.WithTimeout(ctx, w.auditor.Patience)
		page, more, err := peer.InventoryBucket(limited, byte(bucket), after)
		cancel()
		if err != nil {
			return nil, false
		}
		for _, r := range page {
			all = append(all, custody.Shard(r))
		}
		if !more {
			return all, true
		}
		after = page[len(page)-1]
	}
}

// confirm enters what the inventory lacks, and asks for some of it at once: where a
// challenge agrees, the shard is missing without a second look.
func (w *visit) confirm(ctx context.Context, peer Peer, lacking []custody.Shard) {
	w.lacking = lacking
	var picks []pick
	for _, s := range lacking[:min(len(lacking), 2*shardrpc.MaxChallenges)] {
		picks = append(picks, pick{s, 0})
	}
	if w.at.node != w.auditor.Me {
		w.challenge(ctx, peer, picks)
	}
	// What it has proved in spite of its inventory it has.
	for _, s := range w.proved {
		if i := slices.Index(w.lacking, s); i >= 0 {
			w.lacking = slices.Delete(w.lacking, i, i+1)
		}
	}
}

// listedAgain finds what is in doubt, or missing, only because of an earlier inventory,
// and is listed now.
func (w *visit) listedAgain(b *Board) {
	lacks := make(map[custody.Shard]bool, len(w.lacking))
	for _, s := range w.lacking {
		lacks[s] = true
	}
	for s := range b.doubtedBy(w.at, fromInventory) {
		if !lacks[s] {
			w.back = append(w.back, s)
		}
	}
}

func compareShards(a, b custody.Shard) int {
	if c := a.Segment.Compare(b.Segment); c != 0 {
		return c
	}
	return a.Index - b.Index
}
