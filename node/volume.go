package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"holdfast/store"
)

// volume is the main disk that a node offers, and with it the others, which are closed
// while it is away. It can go away under the running node: not
// mounted any more, broken, emptied. Then it is paused: its parts are closed, every
// use is refused with store.ErrPaused, and nothing is made in its place. When the
// same volume is back it is opened again.
//
// What matters most is that an emptied volume never comes back by itself: with it
// went the locks of this node's votes, and who has lost those must not vote again
// under the same key. Its marker went with them, and no code but Init and Renew,
// which make a new vote key, writes one.
type volume struct {
	open func(ctx context.Context) (*parts, error)
	back func() // called when it is there again; may be nil
	log  *slog.Logger

	mu      sync.Mutex
	parts   *parts // nil while it is paused
	why     error  // why it is paused
	closed  bool
	closing sync.WaitGroup // parts that are being closed
	busy    bool           // so are some
}

// newVolume opens the volume, or starts paused if it is not there. Other errors are
// the operator's to deal with.
func newVolume(ctx context.Context, log *slog.Logger, open func(ctx context.Context) (*parts, error)) (*volume, error) {
	v := &volume{open: open, log: log}
	p, err := open(ctx)
	if err != nil && !errors.Is(err, store.ErrPaused) {
		return nil, fmt.Errorf("open volume: %w", err)
	}
	v.parts, v.why = p, err
	if err != nil {
		log.Error("volume is not there: nothing is taken, and nothing is written in its place", "error", err)
	}
	return v, nil
}

// use calls f with the parts of the volume. It is store.ErrPaused if the volume is
// not there, also if it went away meanwhile: what was done to it then is not done.
func (v *volume) use(ctx context.Context, f func(p *parts) error) error {
	p, err := v.enter(ctx)
	if err != nil {
		return err
	}
	defer p.users.Done()
	err = f(p)
	if gone := p.first.Check(context.WithoutCancel(ctx)); errors.Is(gone, store.ErrPaused) {
		v.pause(p, gone)
		return gone
	}
	if err != nil && v.paused() != nil {
		return fmt.Errorf("%w (%v)", store.ErrPaused, err)
	}
	return err
}

func (v *volume) enter(ctx context.Context) (*parts, error) {
	v.mu.Lock()
	p, why := v.parts, v.why
	if p != nil {
		p.users.Add(1)
	}
	v.mu.Unlock()
	if p == nil {
		return nil, why
	}
	if err := p.first.Check(ctx); err != nil {
		p.users.Done()
		if errors.Is(err, store.ErrPaused) {
			v.pause(p, err)
		}
		return nil, err
	}
	return p, nil
}

// paused returns why the volume is paused, nil while it is there.
func (v *volume) paused() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.why
}

// pause takes parts out of use, and closes them when nobody uses them any more.
func (v *volume) pause(p *parts, why error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.parts != p {
		return
	}
	v.parts, v.why, v.busy = nil, why, true
	close(p.gone)
	v.closing.Go(func() {
		p.users.Wait()
		if err := p.close(); err != nil && !errors.Is(err, store.ErrPaused) {
			v.log.Warn("volume closed", "error", err)
		}
		v.mu.Lock()
		defer v.mu.Unlock()
		v.busy = false
	})
	v.log.Error("volume paused: nothing is taken, and nothing is written in its place", "error", why)
}

// watch looks whether the volume is still there, or there again.
func (v *volume) watch(ctx context.Context) error {
	v.mu.Lock()
	there, wait := v.parts != nil, v.busy || v.closed
	v.mu.Unlock()
	if wait {
		return nil
	}
	if there {
		if err := v.use(ctx, func(p *parts) error { return p.disks.follow(ctx) }); !errors.Is(err, store.ErrPaused) {
			return err
		}
		return nil
	}
	p, err := v.open(ctx)
	if err != nil {
		v.stay(err)
		return nil
	}
	return v.resume(p)
}

// stay keeps the newest reason, and says so if it is a new one.
func (v *volume) stay(err error) {
	if !errors.Is(err, store.ErrPaused) {
		err = fmt.Errorf("%w: it cannot be opened (%w)", store.ErrPaused, err)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.why.Error() != err.Error() {
		v.log.Error("volume stays paused", "error", err)
	}
	v.why = err
}

func (v *volume) resume(p *parts) error {
	v.mu.Lock()
	if v.closed {
		v.mu.Unlock()
		return p.close()
	}
	v.parts, v.why = p, nil
	v.mu.Unlock()
	v.log.Info("volume is back")
	if v.back != nil {
		v.back()
	}
	return nil
}

// close waits until nobody uses the volume, and closes it.
func (v *volume) close() error {
	v.mu.Lock()
	p := v.parts
	v.parts, v.closed = nil, true
	if v.why == nil {
		v.why = fmt.Errorf("%w: the node stops", store.ErrPaused)
	}
	v.mu.Unlock()
	v.closing.Wait()
	if p == nil {
		return nil
	}
	close(p.gone)
	p.users.Wait()
	if err := p.close(); err != nil && !errors.Is(err, store.ErrPaused) {
		return err
	}
	return nil
}
