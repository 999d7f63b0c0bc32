package shardrpctest

import (
	"bytes"
	"context"
	"io"
	"slices"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/custody"
	"holdfast/p2p/shardrpc"
	"holdfast/store"
)

// Prove implements shardrpc.Prover. It never says that it is busy.
func (s *session) Prove(ctx context.Context, ref shardrpc.Ref, group int64, w io.Writer) error {
	sh, err := s.Shelf.Open(ctx, s.key(ref))
	if err != nil {
		return err
	}
	defer sh.Close()
	off := group * store.GroupSize
	return sh.Slice(w, off, min(store.GroupSize, sh.Info().Size-off))
}

// InventoryBucket implements shardrpc.Prover.
func (s *session) InventoryBucket(ctx context.Context, bucket byte, after shardrpc.Ref) (shards []shardrpc.Ref, more bool, err error) {
	for info, err := range s.Shelf.List(ctx, s.vault) {
		if err != nil {
			return nil, false, err
		}
		ref := shardrpc.Ref{Segment: info.Segment, Index: info.Index}
		if info.Segment.Hash()[0] == bucket && (after == shardrpc.Ref{} || compare(ref, after) > 0) {
			shards = append(shards, ref)
		}
	}
	shards = sorted(shards)
	if s.Page > 0 && len(shards) > s.Page {
		return shards[:s.Page], true, nil
	}
	return shards, false, nil
}

// Inventory implements shardrpc.Prover.
func (s *session) Inventory(ctx context.Context, nonce shardrpc.Nonce) (ident.Signed, error) {
	var d custody.Digests
	for i := range d.Buckets {
		var rows []byte
		for info, err := range s.Shelf.List(ctx, s.vault) {
			if err != nil {
				return ident.Signed{}, err
			}
			if row := (custody.Row{Digest: info.Segment.Hash(), Index: uint16(info.Index)}); row.Bucket() == i {
				rows = custody.AppendRow(rows, row)
				d.Shards, d.Bytes = d.Shards+1, d.Bytes+info.Size
			}
		}
		d.Buckets[i] = custody.SumBucket(inOrder(rows))
	}
	return ledger.SignInventory(s.Vote, ledger.Inventory{
		Vault: s.vault, Node: s.Node, Nonce: nonce, Time: ledger.Millis(s.Now()), Shards: d.Shards, Bytes: d.Bytes, Buckets: d.Encode(),
	})
}

// inOrder sorts encoded rows: a shelf promises no order.
func inOrder(rows []byte) []byte {
	return bytes.Join(slices.SortedFunc(slices.Chunk(rows, custody.RowBytes), bytes.Compare), nil)
}
