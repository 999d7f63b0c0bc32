package node

import (
	"context"
	"errors"
	"io"

	"holdfast/internal/ident"
	"holdfast/p2p/shardrpc"
	"holdfast/store"
)

var _ shardrpc.Session = (*session)(nil)

func (s *session) key(r shardrpc.Ref) store.Key {
	return store.Key{Vault: s.vault, Segment: r.Segment, Index: r.Index}
}

// Put implements shardrpc.Session.
func (s *session) Put(ctx context.Context, nonce shardrpc.Nonce, index int, descriptor []byte, row io.Reader) error {
	if err := s.writer(); err != nil {
		return err
	}
	key := s.key(shardrpc.Ref{Segment: ident.SumDagCBOR(descriptor), Index: index})
	d, err := key.Describes(descriptor)
	if err != nil {
		return err
	}
	size := d.RowSize()
	return s.use(ctx, func(p *parts) error {
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
		return p.book.arrived(key, s.peer, nonce, size)
	})
}

// reserve sets a part of the quotas aside. What is put again takes nothing.
func (s *session) reserve(p *parts, key store.Key, size int64) (release func(), err error) {
	if r, known, err := p.book.get(key); err != nil {
		return nil, err
	} else if known && r.Device == s.peer {
		size = 0
	}
	return p.book.reserve(account{s.vault, s.peer}, size, s.grant.Quota, s.vaultQuota)
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
	var shard store.Shard
	err := s.use(ctx, func(p *parts) (err error) {
		shard, err = p.shelf.Open(ctx, s.key(ref))
		return err
	})
	switch {
	case err == nil:
		return payload{shard, s.stamp.meters}, nil
	case shard != nil:
		return nil, errors.Join(err, shard.Close())
	}
	return nil, err
}

// payload counts what is served.
type payload struct {
	store.Shard
	meters *meters
}

// Size implements shardrpc.Payload.
func (p payload) Size() int64 { return p.Info().Size }

// WriteTo implements shardrpc.Payload.
func (p payload) WriteTo(w io.Writer) (int64, error) {
	n, err := p.Shard.WriteTo(w)
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
	err = shard.(payload).Slice(w, off, n)
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

// Info implements shardrpc.Session.
func (s *session) Info(ctx context.Context) (info shardrpc.Info, err error) {
	err = s.use(ctx, func(p *parts) error {
		u, err := p.shelf.Usage(ctx)
		info = shardrpc.Info{
			Capacity: u.Capacity, Free: freeSpace(p.dir, u), Quota: s.grant.Quota,
			Used: p.book.used(s.vault, s.peer).Bytes, Network: s.keys.cert.Network, Clock: s.stamp.now(),
		}
		return err
	})
	return info, err
}
