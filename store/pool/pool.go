package pool

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"sync/atomic"

	"holdfast/store"
)

// Shelf is one volume's. It lists its shards in the order of their keys.
type Shelf interface {
	store.Shelf
	store.Trash
}

// Volume is one of a pool's, as its owner describes it.
type Volume struct {
	Name string

	// Free is what can still be put, if it is less than what the shelf's usage says; nil
	// for nothing less.
	Free func(u store.Usage) int64

	// Draining volumes take no new shards.
	Draining bool
}

// ErrNoVolume says that a pool has no volume of that name.
var ErrNoVolume = errors.New("no such volume")

// Pool is a shelf of several volumes.
type Pool struct {
	locks locks

	mu       sync.Mutex
	volumes  []*volume // in the order in which they were added
	arrivals map[store.Key]*arrival
	watches  map[*watch]struct{}
}

var (
	_ store.Shelf = (*Pool)(nil)
	_ store.Trash = (*Pool)(nil)
)

// volume is one of the pool's. The pool's lock is held for all but coming.
type volume struct {
	Volume
	shelf  Shelf        // nil while it is away
	why    error        // why it is away; wraps store.ErrPaused
	coming atomic.Int64 // bytes of puts under way
}

// New makes a pool without volumes.
func New() *Pool {
	return &Pool{arrivals: make(map[store.Key]*arrival), watches: make(map[*watch]struct{})}
}

// Add makes a volume known, which is away until it is attached. Names are unique.
func (p *Pool) Add(v Volume) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.find(v.Name) != nil {
		return fmt.Errorf("add volume: there are two of the name %q", v.Name)
	}
	p.volumes = append(p.volumes, &volume{Volume: v, why: fmt.Errorf("%w: %s was not opened yet", store.ErrPaused, v.Name)})
	return nil
}

// Attach says that a volume is there. Who attaches it closes the shelf, after Detach.
func (p *Pool) Attach(name string, shelf Shelf) error {
	return p.change(name, func(v *volume) { v.shelf, v.why = shelf, nil })
}

// Detach says that a volume is away, and why. What is being done on it may still be
// going on.
func (p *Pool) Detach(name string, why error) error {
	if !errors.Is(why, store.ErrPaused) {
		why = fmt.Errorf("%w (%w)", store.ErrPaused, why)
	}
	return p.change(name, func(v *volume) { v.shelf, v.why = nil, why })
}

// SetDraining says whether a volume takes no new shards.
func (p *Pool) SetDraining(name string, draining bool) error {
	return p.change(name, func(v *volume) { v.Draining = draining })
}

// Forget ends a volume's part in the pool. What only it has is not found from now on.
func (p *Pool) Forget(name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.find(name) == nil {
		return fmt.Errorf("%w: %q", ErrNoVolume, name)
	}
	p.volumes = slices.DeleteFunc(p.volumes, func(v *volume) bool { return v.Name == name })
	return nil
}

// find returns a volume, for a caller that holds the lock.
func (p *Pool) find(name string) *volume {
	for _, v := range p.volumes {
		if v.Name == name {
			return v
		}
	}
	return nil
}

func (p *Pool) change(name string, f func(v *volume)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	v := p.find(name)
	if v == nil {
		return fmt.Errorf("%w: %q", ErrNoVolume, name)
	}
	f(v)
	return nil
}

// place is a volume as it is now.
type place struct {
	*volume
	shelf    Shelf
	why      error
	draining bool
}

// places returns the volumes as they are now.
func (p *Pool) places() places {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make(places, len(p.volumes))
	for i, v := range p.volumes {
		all[i] = place{v, v.shelf, v.why, v.Draining}
	}
	return all
}

// place returns one volume as it is now, if it is there.
func (p *Pool) place(name string) (place, error) {
	for _, at := range p.places() {
		if at.Name == name {
			return at, at.why
		}
	}
	return place{}, fmt.Errorf("%w: %q", ErrNoVolume, name)
}

type places []place

// but returns all places except one.
func (l places) but(not place) places {
	return slices.DeleteFunc(slices.Clone(l), func(at place) bool { return at.volume == not.volume })
}

// ask calls f with the shelf of a place. A shelf that has been closed meanwhile is one
// that is away.
func (at place) ask(f func(s Shelf) error) error {
	if at.shelf == nil {
		return at.why
	}
	err := f(at.shelf)
	if errors.Is(err, fs.ErrClosed) {
		return fmt.Errorf("%w: %s was closed (%w)", store.ErrPaused, at.Name, err)
	}
	return err
}

// Room is what can still be put, on all volumes that take new shards.
func (p *Pool) Room(ctx context.Context) (n int64) {
	for _, at := range p.places() {
		if !at.draining {
			n += max(0, at.free(ctx))
		}
	}
	return n
}

// State is how a volume of a pool is.
type State struct {
	Name     string
	Draining bool
	Away     error // why it is away, nil while it is there
	Usage    store.Usage
	Free     int64 // what can still be put; 0 while it is draining
}

// States returns how all volumes are, in the order in which they were added.
func (p *Pool) States(ctx context.Context) []State {
	var all []State
	for _, at := range p.places() {
		s := State{Name: at.Name, Draining: at.draining}
		s.Away = at.ask(func(shelf Shelf) (err error) {
			s.Usage, err = shelf.Usage(ctx)
			return err
		})
		if s.Away == nil && !at.draining {
			s.Free = max(0, at.free(ctx))
		}
		all = append(all, s)
	}
	return all
}

// Usage implements store.Shelf: it is that of the volumes that are there.
func (p *Pool) Usage(ctx context.Context) (sum store.Usage, err error) {
	if err := ctx.Err(); err != nil {
		return sum, fmt.Errorf("usage: %w", err)
	}
	for _, at := range p.places() {
		err := at.ask(func(s Shelf) error {
			u, err := s.Usage(ctx)
			sum.Capacity, sum.Used = sum.Capacity+u.Capacity, sum.Used+u.Used
			sum.Shards, sum.Trashed, sum.Damaged = sum.Shards+u.Shards, sum.Trashed+u.Trashed, sum.Damaged+u.Damaged
			return err
		})
		if err != nil && !errors.Is(err, store.ErrPaused) {
			return store.Usage{}, err
		}
	}
	return sum, nil
}
