package object

import (
	"context"
	"fmt"

	"holdfast/seal"
)

// scratchSize is room for any compressed chunk: zstd never needs more.
const scratchSize = seal.MaxChunk + 64<<10

// chunkName tells chunks apart within a vault.
type chunkName struct {
	id   seal.ChunkID
	kind seal.Kind
}

// store names a chunk, and stores it if it is new. The caller is inside the gate.
func (w *Writer) store(kind seal.Kind, plain []byte) (id seal.ChunkID, fresh bool, err error) {
	id = w.cfg.Keys.ID(kind, plain)
	if w.cfg.Known(kind, id) || !w.seen.claim(chunkName{id, kind}) {
		w.cfg.Counters.Deduplicated.Add(int64(len(plain)))
		return id, false, nil
	}
	// From here on only the end of the commit stops it.
	scratch, ok := w.scratch.get(w.done)
	if !ok {
		return id, false, w.cause()
	}
	defer w.scratch.put(scratch)
	stored, coding := seal.Compress(scratch, plain)
	r := seal.Row{ID: id, Plain: uint32(len(plain)), Kind: kind, Coding: coding}
	if err := w.pack(r, stored); err != nil {
		w.fail(err)
		return id, false, w.cause()
	}
	w.count(len(plain), len(stored))
	return id, true, nil
}

func (w *Writer) countRead(n int) {
	w.cfg.Counters.Read.Add(int64(n))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stats.Read += int64(n)
}

func (w *Writer) count(plain, stored int) {
	w.cfg.Counters.Stored.Add(int64(stored))
	w.cfg.Stored(stored)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stats.Chunks++
	w.stats.Added += int64(plain)
	w.stats.Stored += int64(stored)
}

// pack puts a stored chunk into the section that it belongs to.
func (w *Writer) pack(r seal.Row, stored []byte) error {
	if r.Kind == seal.KindTree {
		if done, err := w.batch.tree.add(w.cfg.Recipient, r, stored); done || err != nil {
			return err
		}
	}
	return w.addData(r, stored)
}

// Tree stores a tree object, at most 4 MiB, and returns its chunk ID. It may be
// called from many goroutines.
func (w *Writer) Tree(ctx context.Context, object []byte) (seal.ChunkID, error) {
	_, leave, err := w.enter(ctx, writing)
	if err != nil {
		return seal.ChunkID{}, fmt.Errorf("store tree object: %w", err)
	}
	defer leave()
	if err := ctx.Err(); err != nil {
		return seal.ChunkID{}, fmt.Errorf("store tree object: %w", context.Cause(ctx))
	}
	if len(object) == 0 || len(object) > seal.MaxChunk {
		return seal.ChunkID{}, fmt.Errorf("store tree object: %d bytes, 1 to %d are possible", len(object), seal.MaxChunk)
	}
	if !w.gate.enter(w.done) {
		return seal.ChunkID{}, fmt.Errorf("store tree object: %w", w.cause())
	}
	defer w.gate.leave()
	id, _, err := w.store(seal.KindTree, object)
	if err != nil {
		return seal.ChunkID{}, fmt.Errorf("store tree object: %w", err)
	}
	return id, nil
}
