package pool

import (
	"context"
	"errors"
	"fmt"
	"io"

	"holdfast/internal/ident"
	"holdfast/store"
)

// This file holds the way of shards from one volume to the others.
//
// SPEC: verified before anything is removed. A shard is put on another volume, flushed,
// read back from there and compared with its CID; only then is it taken away. Nothing is
// written down meanwhile: what a crash leaves is on one volume, or on both.

// Drain moves the shards of a volume, from the shelf and from the trash, to the others,
// and reports whether any is left. Before each of them more is asked, and nothing else is
// moved once that says no. It may be called again, after a crash too, until none is left.
// One that cannot be moved stays, all others are tried, and the error says why it was the
// first. A shard that is found corrupt on the way is in the volume's quarantine, and not
// left. The volume should be draining, or new shards come to it.
func (p *Pool) Drain(ctx context.Context, name string, more func() bool) (left bool, err error) {
	from, err := p.place(name)
	if err != nil {
		return true, err
	}
	m := &removal{pool: p, from: from, more: more}
	err = from.ask(func(s Shelf) error {
		for info, err := range s.List(ctx, ident.CID{}) {
			if err != nil {
				return err
			}
			if !m.step(ctx, info.Size, func() error { return m.shelved(ctx, info) }) {
				return ctx.Err()
			}
		}
		for d, err := range s.Discards(ctx, ident.CID{}) {
			if err != nil {
				return err
			}
			if !m.step(ctx, d.Bytes, func() error { return m.discarded(ctx, d) }) {
				return ctx.Err()
			}
		}
		return nil
	})
	err = errors.Join(err, m.failed)
	return m.left || err != nil, err
}

// Empty reports whether nothing is on a volume's shelf, in its trash, or on its way
// there. If the volume is draining, that stays so.
func (p *Pool) Empty(ctx context.Context, name string) (bool, error) {
	at, err := p.place(name)
	if err != nil || p.awaited(at.volume) {
		return false, err
	}
	err = at.ask(func(s Shelf) error {
		for _, err := range s.List(ctx, ident.CID{}) {
			return first(err, errNotEmpty)
		}
		for _, err := range s.Discards(ctx, ident.CID{}) {
			return first(err, errNotEmpty)
		}
		return nil
	})
	if errors.Is(err, errNotEmpty) {
		return false, nil
	}
	return err == nil, err
}

var errNotEmpty = errors.New("something is there")

// removal is the work of one Drain.
type removal struct {
	pool   *Pool
	from   place
	more   func() bool
	left   bool  // some are left
	failed error // the first that could not be moved
	full   int64 // the size of the smallest shard that nobody had room for; 0 if all had
}

// step moves one, and reports whether there may be another one. Where a smaller one had
// no room nothing is read.
func (m *removal) step(ctx context.Context, size int64, move func() error) bool {
	if ctx.Err() != nil || !m.more() {
		m.left = true
		return false
	}
	if m.full > 0 && size >= m.full {
		m.left = true
		return true
	}
	if err := move(); err != nil {
		m.left = true
		m.failed = first(m.failed, err)
		if errors.Is(err, store.ErrFull) {
			m.full = size
		}
	}
	return true
}

// shelved moves a shard from shelf to shelf.
func (m *removal) shelved(ctx context.Context, info store.Info) error {
	defer m.pool.locks.lock(info.Key)()
	if err := m.carry(ctx, info.Key, nil); err != nil {
		return fmt.Errorf("move shard %v from volume %s: %w", info.Key, m.from.Name, err)
	}
	return nil
}

// discarded moves a shard from trash to trash. In between it is on a shelf: if a crash
// comes there, its release puts it into the trash again.
func (m *removal) discarded(ctx context.Context, d store.Discarded) error {
	defer m.pool.locks.lock(d.Key)()
	others := m.pool.places().but(m.from)
	if _, _, err := others.discarded(ctx, d.Key); err == nil || others.have(ctx, d.Key) {
		return ignoreAbsent(m.from.ask(func(s Shelf) error { return s.Erase(ctx, d.Key) }))
	}
	err := m.from.ask(func(s Shelf) error { return s.Recall(ctx, d.Key) })
	if err == nil {
		err = m.carry(ctx, d.Key, func(s Shelf) error { return s.Discard(ctx, d.Key, d.Reason) })
	}
	if ignoreAbsent(err) != nil {
		back := m.from.ask(func(s Shelf) error { return s.Discard(context.WithoutCancel(ctx), d.Key, d.Reason) })
		return errors.Join(fmt.Errorf("move shard %v from the trash of volume %s: %w", d.Key, m.from.Name, err), ignoreAbsent(back))
	}
	return nil
}

// carry moves a shard of the shelf. On the other volume then is called, which may be
// nil, before the shard is taken away here. The caller holds the key's lock.
func (m *removal) carry(ctx context.Context, key store.Key, then func(s Shelf) error) error {
	var shard store.Shard
	err := m.from.ask(func(s Shelf) (err error) {
		shard, err = s.Open(ctx, key)
		return err
	})
	if err != nil {
		return ignoreAbsent(err)
	}
	defer shard.Close()
	to, err := m.copy(ctx, shard)
	if err == nil && then != nil {
		err = to.ask(then)
	}
	if err == nil {
		m.pool.moved(key)
		err = m.from.ask(func(s Shelf) error { return s.Remove(ctx, key) })
	}
	return ignoreAbsent(err)
}

// ignoreAbsent is for a shard that is no longer there to be moved: taken away meanwhile,
// or corrupt, which the volume has reported.
func ignoreAbsent(err error) error {
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrCorrupt) {
		return nil
	}
	return err
}

// copy brings a shard to another volume, unless one has it, and reads it there.
func (m *removal) copy(ctx context.Context, shard store.Shard) (to place, err error) {
	key := shard.Info().Key
	open, err := m.pool.places().but(m.from).open()
	if err != nil {
		return to, err
	}
	if to, err := open.shelved(ctx, key); err == nil && to.verify(ctx, key) == nil {
		return to, nil
	}
	open.byFreeSpace(ctx)
	if to, err = m.send(ctx, shard, open); err != nil {
		return to, err
	}
	if err := to.verify(ctx, key); err != nil {
		// Not to be taken for trouble with the copy that is still here.
		return to, fmt.Errorf("read back from volume %s: %v", to.Name, err)
	}
	return to, nil
}

func (m *removal) send(ctx context.Context, shard store.Shard, open places) (to place, err error) {
	r, w := io.Pipe()
	sent := make(chan error, 1)
	go func() {
		_, err := shard.WriteTo(w)
		w.CloseWithError(err)
		sent <- err
	}()
	info := shard.Info()
	stream := &untouched{Reader: r}
	to, err = open.take(stream, info.Size, func(s Shelf) error { return s.Put(ctx, info.Key, info.Descriptor, stream) })
	r.Close()
	if from := <-sent; errors.Is(from, store.ErrCorrupt) {
		return to, from
	}
	return to, err
}

// verify reads a whole shard.
func (at place) verify(ctx context.Context, key store.Key) error {
	return at.ask(func(s Shelf) error {
		shard, err := s.Open(ctx, key)
		if err != nil {
			return err
		}
		defer shard.Close()
		_, err = shard.WriteTo(untilDone{ctx})
		return err
	})
}

// untilDone throws away what it gets until its context ends.
type untilDone struct{ ctx context.Context }

func (w untilDone) Write(p []byte) (int, error) { return len(p), w.ctx.Err() }
