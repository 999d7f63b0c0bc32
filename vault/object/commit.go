package object

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/p2p/shardrpc"
	"holdfast/seal"
)

// Commit is what holders have on disk when Finish returns; nothing of it counts
// before an entry of the ledger names it.
type Commit struct {
	Segments   []CommitSegment // data segments by their numbers, then the metadata segment
	Receipts   map[ident.PublicKey]ident.Signed
	Index      seal.Index // as in part B
	Incomplete int        // shards that are with nobody
	Stats      Stats
}

// CommitSegment is one segment of a commit.
type CommitSegment struct {
	CID        ident.CID
	Descriptor []byte
	Nodes      []ident.PublicKey // shard i is at Nodes[i]; the zero key is nobody
}

// Finish makes and places the metadata segment around the sealed snapshot, and
// collects one receipt of each holder over all that it holds of the commit. Flush
// has to be called before. The writer is over afterwards, whatever happened.
func (w *Writer) Finish(ctx context.Context, sealedSnapshot []byte) (Commit, error) {
	ctx, leave, err := w.enter(ctx, flushed)
	if err != nil {
		return Commit{}, fmt.Errorf("finish commit: %w", err)
	}
	defer leave()
	c, err := w.finish(ctx, w.batch, sealedSnapshot)
	if err != nil {
		err = fmt.Errorf("finish commit: %w", orCause(ctx, err))
		w.fail(err)
		w.end()
		return Commit{}, err
	}
	w.fail(ErrFlushed)
	w.end()
	return c, nil
}

func (w *Writer) finish(ctx context.Context, batch *batch, sealedSnapshot []byte) (Commit, error) {
	index, err := w.placeMeta(ctx, batch, sealedSnapshot)
	if err != nil {
		return Commit{}, fmt.Errorf("place metadata segment: %w", err)
	}
	c := Commit{Index: index, Stats: w.Stats()}
	for _, p := range batch.placed {
		c.Segments = append(c.Segments, CommitSegment{CID: p.id, Descriptor: p.descriptor, Nodes: p.nodes})
	}
	c.Receipts, err = w.receipts(ctx, batch, c.Segments)
	if err != nil {
		return Commit{}, err
	}
	for _, s := range c.Segments {
		for _, n := range s.Nodes {
			if n.IsZero() {
				c.Incomplete++
			}
		}
	}
	return c, nil
}

// placeMeta makes A || B || C || trailer and places it.
//
// SPEC: data segments, metadata segment, entry: in this order.
func (w *Writer) placeMeta(ctx context.Context, batch *batch, sealedSnapshot []byte) (seal.Index, error) {
	row, treeRows, err := batch.tree.close(w.cfg.Recipient)
	if err != nil {
		return seal.Index{}, err
	}
	index := batch.index(row, treeRows)
	plain, err := index.Encode()
	if err != nil {
		return seal.Index{}, err
	}
	b, err := seal.SealBytes(plain, w.cfg.Recipient, w.cfg.Index)
	if err != nil {
		return seal.Index{}, err
	}
	sealed, err := joinMeta(&batch.tree.buf, b, sealedSnapshot, w.cfg.Code)
	if err != nil {
		return seal.Index{}, err
	}
	s := &segment{batch: batch, number: len(batch.placed)}
	parity := make([]byte, parityRows(w.cfg.Code)*int(w.cfg.Code.RowSize(int64(len(sealed)))))
	if err := w.code(s, sealed, parity); err != nil {
		return seal.Index{}, err
	}
	nodes, err := w.deliver(ctx, s)
	if err != nil {
		return seal.Index{}, err
	}
	w.record(s, nodes, row, nil)
	return index, nil
}

// joinMeta appends the other parts to part A, with room for padding.
func joinMeta(a *bytes.Buffer, b, c []byte, code erasure.Code) ([]byte, error) {
	sizeA := int64(a.Len())
	total := sizeA + int64(len(b)) + int64(len(c)) + seal.TrailerSize
	if total > erasure.MaxSegment {
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLarge, total)
	}
	p := slices.Grow(a.Bytes(), int(total-sizeA)+code.K)
	p = append(append(p, b...), c...)
	return seal.AppendTrailer(p, sizeA, int64(len(b)), int64(len(c))), nil
}

// index makes the index part of the commit.
func (b *batch) index(meta seal.IndexSegment, treeRows []seal.Row) seal.Index {
	var x seal.Index
	add := func(s seal.IndexSegment, rows []seal.Row) {
		for _, r := range rows {
			x.Chunks = append(x.Chunks, seal.IndexChunk{Row: r, Segment: uint32(len(x.Segments))})
		}
		x.Segments = append(x.Segments, s)
	}
	for _, p := range b.placed {
		add(p.index, p.rows)
	}
	add(meta, treeRows)
	return x
}

// receipts asks every holder for its receipt. One that gives none holds nothing:
// its shards are taken out of the segments.
func (w *Writer) receipts(ctx context.Context, batch *batch, segments []CommitSegment) (map[ident.PublicKey]ident.Signed, error) {
	held := map[ident.PublicKey][]shardrpc.Ref{}
	for _, s := range segments {
		for i, node := range s.Nodes {
			if !node.IsZero() {
				held[node] = append(held[node], shardrpc.Ref{Segment: s.CID, Index: i})
			}
		}
	}
	receipts, reasons := w.ask(ctx, batch, held)
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	return receipts, w.strike(segments, receipts, reasons)
}

// ask asks all holders at once. Once half of them have answered, it loses patience
// with the others, and soon if all of those have failed before.
func (w *Writer) ask(ctx context.Context, batch *batch, held map[ident.PublicKey][]shardrpc.Ref) (receipts map[ident.PublicKey]ident.Signed, reasons []error) {
	type answer struct {
		node    ident.PublicKey
		receipt ident.Signed
		err     error
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	answers := make(chan answer)
	for node, refs := range held {
		go func() {
			r, err := w.receipt(ctx, batch, node, refs)
			answers <- answer{node, r, err}
		}()
	}
	receipts = map[ident.PublicKey]ident.Signed{}
	late := time.AfterFunc(time.Hour, func() { stop(errStalled) })
	defer late.Stop()
	waiting := maps.Clone(held)
	for range held {
		a := <-answers
		if delete(waiting, a.node); a.err != nil {
			reasons = append(reasons, a.err)
			continue
		}
		if receipts[a.node] = a.receipt; 2*len(receipts) >= len(held) {
			late.Reset(w.receiptPatience(batch, waiting))
		}
	}
	return receipts, reasons
}

// secondLook is how long a holder that was given up may take to prove that it is well.
const secondLook = 2 * time.Second

func (w *Writer) receiptPatience(batch *batch, waiting map[ident.PublicKey][]shardrpc.Ref) time.Duration {
	for node := range waiting {
		if !batch.targets.gone(node) {
			return w.cfg.Patience
		}
	}
	return min(secondLook, w.cfg.Patience)
}

// receipt asks one holder, twice if need be.
func (w *Writer) receipt(ctx context.Context, batch *batch, node ident.PublicKey, refs []shardrpc.Ref) (ident.Signed, error) {
	slices.SortFunc(refs, func(a, b shardrpc.Ref) int {
		if c := a.Segment.Compare(b.Segment); c != 0 {
			return c
		}
		return a.Index - b.Index
	})
	var err error
	for range maxStrikes {
		var r ident.Signed
		if r, err = w.cfg.Holder(node).Receipt(ctx, batch.Nonce, refs); err == nil {
			err = batch.CheckReceipt(node, r, refs)
		}
		if err == nil {
			return r, nil
		}
		if lasting(err) || ctx.Err() != nil {
			break
		}
	}
	return ident.Signed{}, fmt.Errorf("receipt of %v: %w", node, err)
}

// strike takes the shards of holders without a receipt out of the segments.
func (w *Writer) strike(segments []CommitSegment, receipts map[ident.PublicKey]ident.Signed, reasons []error) error {
	for _, s := range segments {
		left := 0
		for i, node := range s.Nodes {
			if _, ok := receipts[node]; !ok {
				s.Nodes[i] = ident.PublicKey{}
			} else {
				left++
			}
		}
		if left < w.cfg.Enough {
			return fmt.Errorf("%w: %d receipts for segment %v: %w", ErrTooFewHolders, left, s.CID, errors.Join(reasons...))
		}
	}
	return nil
}
