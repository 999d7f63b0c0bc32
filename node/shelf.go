package node

import (
	"context"
	"errors"
	"fmt"
	"io"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p/shardrpc"
	"holdfast/store"
)

var _ shardrpc.Session = (*session)(nil)

func (s *session) key(r shardrpc.Ref) store.Key {
	return store.Key{Vault: s.vault, Segment: r.Segment, Index: r.Index}
}

// Put implements shardrpc.Session.
func (s *session) Put(ctx context.Context, nonce shardrpc.Nonce, index int, descriptor []byte, row io.Reader) error {
	if err := s.writer(nonce); err != nil {
		return err
	}
	key := s.key(shardrpc.Ref{Segment: ident.SumDagCBOR(descriptor), Index: index})
	d, err := key.Describes(descriptor)
	if err != nil {
		return err
	}
	size := d.RowSize()
	row, done, err := s.receiving(ctx, s.putClass(nonce), row)
	if err != nil {
		return err
	}
	defer done()
	return s.use(ctx, func(p *parts) error {
		if err := p.unburied(key); err != nil {
			return err
		}
		if err := s.repairs(ctx, p, key.Segment); err != nil {
			return err
		}
		release, err := s.reserve(p, key, size)
		if err != nil {
			return err
		}
		defer release()
		if err := p.book.keepCharter(s.vault, s.signed); err != nil {
			return err
		}
		if err := p.book.arriving(key); err != nil {
			return err
		}
		if err := p.shelf.Put(ctx, key, descriptor, untilGone{row, p.gone}); err != nil {
			return err
		}
		s.stamp.meters.stored.Add(float64(size))
		if err := p.book.arrived(key, s.device(), nonce, size, func() error { return p.recalled(ctx, key) }); err != nil || !s.steward() {
			return err
		}
		return p.book.certified(s.vault, []ident.CID{key.Segment})
	})
}

// unburied refuses what a release has erased: no entry can name it again, so it would
// lie here for nothing.
func (p *parts) unburied(key store.Key) error {
	_, buried, err := p.book.tomb(key)
	if err == nil && buried {
		err = shardrpc.ErrReleased
	}
	return err
}

// recalled makes sure that a shard which was put is not in the trash.
func (p *parts) recalled(ctx context.Context, key store.Key) error {
	err := p.shelf.Recall(ctx, key)
	if errors.Is(err, store.ErrPaused) {
		// It may be in the trash of a volume that is away. It is on the shelf all the same.
		_, err = p.shelf.Stat(ctx, key)
	}
	if errors.Is(err, store.ErrNotFound) {
		return nil // the put has taken it out
	}
	return err
}

// reserve sets a part of the quotas aside. What is put again takes nothing, and is taken
// whatever the operator has said since.
func (s *session) reserve(p *parts, key store.Key, size int64) (release func(), err error) {
	of := account{s.vault, s.device()}
	r, known, err := p.book.get(key)
	if err != nil {
		return nil, err
	}
	if known && (s.steward() || r.Device == s.peer) {
		return p.book.reserve(of, 0, s.grant.Quota, 0)
	}
	most, err := s.orders.quota(s.vault)
	if err != nil {
		return nil, err
	}
	return p.book.reserve(of, size, s.grant.Quota, most)
}

// untilGone ends a stream when the volume that it is for goes away.
type untilGone struct {
	io.Reader
	gone <-chan struct{}
}

func (r untilGone) Read(p []byte) (int, error) {
	select {
	case <-r.gone:
		return 0, store.ErrPaused
	default:
		return r.Reader.Read(p)
	}
}

// Get implements shardrpc.Session.
func (s *session) Get(ctx context.Context, ref shardrpc.Ref) (shardrpc.Payload, error) {
	slow, done, err := s.sending(ctx, s.getClass())
	if err != nil {
		return nil, err
	}
	var shard store.Shard
	err = s.use(ctx, func(p *parts) (err error) {
		shard, err = p.shelf.Open(ctx, s.key(ref))
		return err
	})
	if err == nil {
		return payload{shard, s.stamp.meters, slow, done}, nil
	}
	done()
	if shard != nil {
		err = errors.Join(err, shard.Close())
	}
	return nil, err
}

// payload counts what is served, and keeps it within the limits.
type payload struct {
	store.Shard
	meters *meters
	slow   func(w io.Writer) io.Writer
	done   func() // of the transfer
}

// Close implements shardrpc.Payload.
func (p payload) Close() error {
	p.done()
	return p.Shard.Close()
}

// Size implements shardrpc.Payload.
func (p payload) Size() int64 { return p.Info().Size }

// WriteTo implements shardrpc.Payload.
func (p payload) WriteTo(w io.Writer) (int64, error) {
	n, err := p.Shard.WriteTo(p.slow(w))
	p.meters.served.Add(float64(n))
	return n, err
}

// Slice implements shardrpc.Session.
func (s *session) Slice(ctx context.Context, ref shardrpc.Ref, w io.Writer, off, n int64) error {
	shard, err := s.Get(ctx, ref)
	if err != nil {
		return err
	}
	defer shard.Close()
	p := shard.(payload)
	err = p.Slice(p.slow(w), off, n)
	if err == nil {
		s.stamp.meters.served.Add(float64(n))
	}
	return err
}

// Has implements shardrpc.Session.
func (s *session) Has(ctx context.Context, refs []shardrpc.Ref) ([]bool, error) {
	out := make([]bool, len(refs))
	err := s.use(ctx, func(p *parts) error {
		for i, r := range refs {
			_, err := p.shelf.Stat(ctx, s.key(r))
			if err != nil && !isAbsent(err) {
				return err
			}
			out[i] = err == nil
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// isAbsent reports whether the shelf is well and has not got the shard.
func isAbsent(err error) bool {
	return errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrCorrupt)
}

// Info implements shardrpc.Session. What others use is not for a device that may
// only add.
func (s *session) Info(ctx context.Context, devices ...ident.PublicKey) (info shardrpc.Info, err error) {
	for _, d := range devices {
		if d != s.peer && s.grant.Rights == ledger.Append {
			return info, fmt.Errorf("%w: the device may not ask about others", shardrpc.ErrForbidden)
		}
	}
	err = s.use(ctx, func(p *parts) error {
		u, err := p.shelf.Usage(ctx)
		info = shardrpc.Info{
			Capacity: u.Capacity, Free: p.shelf.Room(ctx), Quota: s.grant.Quota,
			Used: p.book.used(s.vault, s.device()).Bytes, Network: s.keys.cert.Network, Clock: s.stamp.now(),
		}
		for _, d := range devices {
			info.Charged = append(info.Charged, p.book.used(s.vault, d).Bytes)
		}
		return err
	})
	return info, err
}
