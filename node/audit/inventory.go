package audit

import (
	"context"
	"io"
	"slices"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/custody"
	"holdfast/p2p/shardrpc"
)

// inventory asks for the holder's signed inventory, compares it with what the ledger
// places with it, and has those buckets listed in which they differ. What the holder has
// beyond that is no fault: shards that no entry names yet, or that have just moved. What
// is known to be missing already is not news.
func (w *visit) inventory(ctx context.Context, peer Peer, b *Board, now int64) {
	ctx, cancel := context.WithTimeout(ctx, inventoryPatience*w.auditor.Patience)
	defer cancel()
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
			unlisted, ok := w.unlisted(ctx, peer, said, bucket, rows)
			if !ok {
				return // nothing was compared; the next round goes on
			}
			for _, s := range unlisted {
				if !b.knows(w.at, s) {
					lacking = append(lacking, s)
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

// How much of an inventory is listened to: a list may be made up, and without an end.
const (
	bucketPages       = 16 // of one bucket: 2^20 shards, and 2^28 of a vault
	inventoryPatience = 20 // times that with one request
)

// unlisted fetches the pages of one bucket, and returns those of its rows, which are
// sorted, that are not on them. A bucket that the inventory says is empty is not asked for.
func (w *visit) unlisted(ctx context.Context, peer Peer, said ledger.Inventory, bucket int, rows []custody.Row) (lacks []custody.Shard, ok bool) {
	var page []shardrpc.Ref
	empty := [ident.HashSize]byte{}
	more := [ident.HashSize]byte(said.Buckets[bucket*ident.HashSize:]) != empty
	for range bucketPages {
		var err error
		if more {
			page, more, err = w.page(ctx, peer, bucket, page)
		}
		if err != nil {
			return nil, false
		}
		for len(rows) > 0 && (!more || !beyond(rows[0].Shard(), page)) {
			s := rows[0].Shard()
			if _, found := slices.BinarySearchFunc(page, s, func(r shardrpc.Ref, s custody.Shard) int { return compareShards(custody.Shard(r), s) }); !found {
				lacks = append(lacks, s)
			}
			rows = rows[1:]
		}
		if len(rows) == 0 {
			return lacks, true
		}
	}
	w.auditor.Log.Warn("an inventory has no end", "node", w.at.node.String(), "vault", w.at.vault.String(), "bucket", bucket)
	return nil, false
}

// page fetches the page of a bucket behind another one.
func (w *visit) page(ctx context.Context, peer Peer, bucket int, before []shardrpc.Ref) ([]shardrpc.Ref, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, w.auditor.Patience)
	defer cancel()
	var after shardrpc.Ref
	if len(before) > 0 {
		after = before[len(before)-1]
	}
	return peer.InventoryBucket(ctx, byte(bucket), after)
}

// beyond reports whether a shard comes behind a page, which is not empty.
func beyond(s custody.Shard, page []shardrpc.Ref) bool {
	return compareShards(s, custody.Shard(page[len(page)-1])) > 0
}

// confirm enters what the inventory lacks, and asks for some of it at once: where a
// challenge agrees, the shard is missing without a second look.
func (w *visit) confirm(ctx context.Context, peer Peer, lacking []custody.Shard) {
	w.lacking = lacking
	if w.at.node != w.auditor.Me {
		w.challenge(ctx, peer, w.anyGroups(lacking[:min(len(lacking), 2*shardrpc.MaxChallenges)]))
	}
	// What it has proved in spite of its inventory it has.
	for _, s := range w.proved {
		if i := slices.Index(w.lacking, s); i >= 0 {
			w.lacking = slices.Delete(w.lacking, i, i+1)
		}
	}
}

// listedAgain finds what is in doubt only because of an earlier inventory, and is listed
// now. What is missing has to be proved.
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
