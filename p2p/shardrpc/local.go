package shardrpc

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"

	"holdfast/internal/ident"
	"holdfast/store"
)

// Local makes a Holder of a session at hand: a node's own shelf, without a wire. It
// checks what it gets as the client does.
func Local(s Session) Holder { return &local{session: s} }

type local struct {
	mu      sync.Mutex // a session serves one request at a time
	session Session
}

// Put implements Holder.
func (h *local) Put(ctx context.Context, nonce Nonce, index int, descriptor, row []byte) error {
	if err := checkRow(index, descriptor, row); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.session.Put(ctx, nonce, index, descriptor, bytes.NewReader(row))
}

// Get implements Holder.
func (h *local) Get(ctx context.Context, ref Ref, want ident.CID, size int64, dst []byte) ([]byte, error) {
	if err := checkRange(ref, want, size, 0, size); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	payload, err := h.session.Get(ctx, ref)
	if err != nil {
		return nil, err
	}
	defer payload.Close()
	if payload.Size() != size {
		return nil, fmt.Errorf("get shard %v: %w: %d bytes instead of %d", ref, ErrLied, payload.Size(), size)
	}
	out := bytes.NewBuffer(slices.Grow(dst[:0], int(size)))
	if _, err := payload.WriteTo(out); err != nil {
		return nil, err
	}
	if ident.SumRaw(out.Bytes()) != want {
		return nil, fmt.Errorf("get shard %v: %w: another CID", ref, ErrLied)
	}
	return out.Bytes(), nil
}

// Range implements Holder.
func (h *local) Range(ctx context.Context, ref Ref, want ident.CID, size, off, n int64, dst []byte) ([]byte, error) {
	if err := checkRange(ref, want, size, off, n); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	var proof bytes.Buffer
	if err := h.session.Slice(ctx, ref, &proof, off, n); err != nil {
		return nil, err
	}
	out := bytes.NewBuffer(slices.Grow(dst[:0], int(n)))
	slice := store.Slice{Shard: want, Size: size, Off: off, N: n}
	if err := slice.Verify(out, &proof); err != nil {
		return nil, fmt.Errorf("get shard %v: %w (%v)", ref, ErrLied, err)
	}
	return out.Bytes(), nil
}

// Has implements Holder.
func (h *local) Has(ctx context.Context, refs []Ref) ([]bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.session.Has(ctx, refs)
}

// Receipt implements Holder.
func (h *local) Receipt(ctx context.Context, nonce Nonce, refs []Ref) (ident.Signed, error) {
	if len(refs) == 0 || len(refs) > MaxReceipt {
		return ident.Signed{}, fmt.Errorf("ask for receipt: %w: %d shards", ErrBadRequest, len(refs))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.session.Receipt(ctx, nonce, refs)
}

// Info implements Holder.
func (h *local) Info(ctx context.Context, devices ...ident.PublicKey) (Info, error) {
	if len(devices) > MaxDevices {
		return Info{}, fmt.Errorf("ask for info: %w: %d devices", ErrBadRequest, len(devices))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.session.Info(ctx, devices...)
}
