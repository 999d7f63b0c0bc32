package shardrpc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/zeebo/blake3"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/p2p/rpc"
	"holdfast/store"
)

// remote is a Holder over the wire.
type remote struct {
	node   ident.PublicKey
	pool   *rpc.Pool
	broken error // why there is no pool
}

var _ Holder = (*remote)(nil)

// ask runs one exchange, names the node in its error, and settles what went well.
func (h *remote) ask(ctx context.Context, verb string, f func(c *rpc.Call) error) error {
	err := h.broken
	if err == nil {
		err = h.pool.Do(ctx, func(c *rpc.Call) error {
			if err := f(c); err != nil {
				return err
			}
			c.Settle()
			return nil
		})
	}
	if err != nil {
		return &rpc.PeerError{Peer: h.node, Verb: verb, Err: err}
	}
	return nil
}

// Put implements Holder.
func (h *remote) Put(ctx context.Context, nonce Nonce, index int, descriptor, row []byte) error {
	if err := checkRow(index, descriptor, row); err != nil {
		return err
	}
	m := putRequest{Op: opPut, Nonce: nonce, Index: uint64(index), Descriptor: descriptor}
	return h.ask(ctx, opPut, func(c *rpc.Call) error { return c.Ask(refusals, m, nil, row) })
}

// checkRow keeps a row of another length off the wire: the stream would be out of
// step.
func checkRow(index int, descriptor, row []byte) error {
	d, err := erasure.ParseDescriptor(descriptor)
	if err != nil {
		return fmt.Errorf("put shard: %w: %w", ErrBadRequest, err)
	}
	if index < 0 || uint64(index) >= d.N {
		return fmt.Errorf("put shard: %w: index %d of n = %d", ErrBadRequest, index, d.N)
	}
	if int64(len(row)) != d.RowSize() {
		return fmt.Errorf("put shard: %w: a row of %d bytes, not %d", ErrMismatch, len(row), d.RowSize())
	}
	return nil
}

// Get implements Holder.
func (h *remote) Get(ctx context.Context, ref Ref, want ident.CID, size int64, dst []byte) ([]byte, error) {
	if err := checkRange(ref, want, size, 0, size); err != nil {
		return nil, err
	}
	m := getRequest{Op: opGet, Segment: ref.Segment, Index: uint64(ref.Index)}
	err := h.ask(ctx, opGet, func(c *rpc.Call) error {
		var a getAnswer
		if err := c.Ask(refusals, m, &a); err != nil {
			return err
		}
		if a.Size != uint64(size) {
			return fmt.Errorf("%w: %d bytes instead of %d", ErrLied, a.Size, size)
		}
		dst = slices.Grow(dst[:0], int(size))[:size]
		return receive(c, dst, want)
	})
	if err != nil {
		return nil, err
	}
	return dst, nil
}

// hashPiece is how much is hashed at least at a time, while it is in the processor's
// cache. Whole ones are hashed without a copy.
const hashPiece = 64 << 10

// receive fills dst with the payload that want names.
func receive(c *rpc.Call, dst []byte, want ident.CID) error {
	r, h := c.Raw(), blake3.New()
	hashed := 0
	for at := 0; at < len(dst); {
		n, err := r.Read(dst[at:])
		if at += n; at < len(dst) && err != nil {
			return c.Fault(err)
		}
		if whole := at / hashPiece * hashPiece; whole > hashed {
			_, _ = h.Write(dst[hashed:whole])
			hashed = whole
		}
	}
	_, _ = h.Write(dst[hashed:])
	var sum [ident.HashSize]byte
	h.Sum(sum[:0])
	if ident.NewCID(ident.Raw, sum) != want {
		return fmt.Errorf("%w: another CID", ErrLied)
	}
	return nil
}

// Range implements Holder.
func (h *remote) Range(ctx context.Context, ref Ref, want ident.CID, size, off, n int64, dst []byte) ([]byte, error) {
	if err := checkRange(ref, want, size, off, n); err != nil {
		return nil, err
	}
	m := rangeRequest{Op: opRange, Segment: ref.Segment, Index: uint64(ref.Index), Off: uint64(off), N: uint64(n)}
	slice := store.Slice{Shard: want, Size: size, Off: off, N: n}
	err := h.ask(ctx, opRange, func(c *rpc.Call) error {
		if err := c.Ask(refusals, m, nil); err != nil {
			return err
		}
		out := bytes.NewBuffer(slices.Grow(dst[:0], int(n)))
		switch err := slice.Verify(out, c.Raw()); {
		case errors.Is(err, store.ErrCorrupt):
			return fmt.Errorf("%w (%v)", ErrLied, err)
		case err != nil:
			return c.Fault(err)
		}
		dst = out.Bytes()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return dst, nil
}

// checkRange refuses what no shard can answer.
func checkRange(ref Ref, want ident.CID, size, off, n int64) error {
	if !ref.valid() || want.Codec() != ident.Raw || size > erasure.MaxSegment {
		return fmt.Errorf("get shard %v: %w: no shard of that name, CID and size", ref, ErrBadRequest)
	}
	if err := (store.Slice{Size: size, Off: off, N: n}).Check(); err != nil {
		return fmt.Errorf("get shard %v: %w", ref, err)
	}
	return nil
}

// Has implements Holder.
func (h *remote) Has(ctx context.Context, refs []Ref) ([]bool, error) {
	out := make([]bool, 0, len(refs))
	for some := range slices.Chunk(refs, MaxHas) {
		p, err := encodeRefs(some)
		if err != nil {
			return nil, err
		}
		var a hasAnswer
		err = h.ask(ctx, opHas, func(c *rpc.Call) error {
			if err := c.Ask(refusals, hasRequest{Op: opHas, Parts: []uint64{uint64(len(p))}}, &a, p); err != nil {
				return err
			}
			return checkHas(a.Has, len(some))
		})
		if err != nil {
			return nil, err
		}
		for _, b := range a.Has {
			out = append(out, b == 1)
		}
	}
	return out, nil
}

func checkHas(has []byte, n int) error {
	if len(has) != n {
		return fmt.Errorf("%w: %d answers for %d shards", rpc.ErrProtocol, len(has), n)
	}
	for _, b := range has {
		if b > 1 {
			return fmt.Errorf("%w: neither yes nor no", rpc.ErrProtocol)
		}
	}
	return nil
}

// Receipt implements Holder.
func (h *remote) Receipt(ctx context.Context, nonce Nonce, refs []Ref) (ident.Signed, error) {
	p, err := encodeRefs(refs)
	if err != nil {
		return ident.Signed{}, err
	}
	if len(refs) == 0 || len(refs) > MaxReceipt {
		return ident.Signed{}, fmt.Errorf("ask for receipt: %w: %d shards", ErrBadRequest, len(refs))
	}
	m := receiptRequest{Op: opReceipt, Nonce: nonce, Parts: []uint64{uint64(len(p))}}
	var receipt ident.Signed
	err = h.ask(ctx, opReceipt, func(c *rpc.Call) error {
		var a receiptAnswer
		if err := c.Ask(refusals, m, &a, p); err != nil {
			return err
		}
		parts, err := c.Parts(a.Parts, receiptBounds)
		if err != nil {
			return err
		}
		if len(parts) != 1 || wire.Decode(parts[0], &receipt) != nil {
			return fmt.Errorf("%w: no signed receipt", rpc.ErrProtocol)
		}
		return nil
	})
	return receipt, err
}

// Info implements Holder.
func (h *remote) Info(ctx context.Context, devices ...ident.PublicKey) (Info, error) {
	if len(devices) > MaxDevices {
		return Info{}, fmt.Errorf("ask for info: %w: %d devices", ErrBadRequest, len(devices))
	}
	var info Info
	err := h.ask(ctx, opInfo, func(c *rpc.Call) error {
		var a infoAnswer
		err := c.Ask(refusals, infoRequest{Op: opInfo, Devices: devices}, &a)
		if err != nil {
			return err
		}
		info, err = a.info(len(devices))
		return err
	})
	return info, err
}
