package member

import (
	"sync"

	bolt "go.etcd.io/bbolt"
)

// group lets changes share a flush: those that come while one is being written wait,
// and are written by the next one together. Nothing is promised for a change before do
// has returned nil.
type group struct {
	turn sync.Mutex // held by whoever writes

	mu    sync.Mutex
	queue []*change
}

// change is one caller's part of a transaction. It may be run again, when another one
// of the same transaction has failed.
type change struct {
	check   func(*bolt.Tx) error // refuses without having written anything; nil if nothing is to be checked
	apply   func(*bolt.Tx) error // writes; an error undoes this change and no other
	written func()               // called when it is on the disk, before the next transaction; may be nil

	err  error
	done bool
}

// do runs a change, and returns when it is on the disk or refused.
func (g *group) do(s *Store, c *change) error {
	g.mu.Lock()
	g.queue = append(g.queue, c)
	g.mu.Unlock()
	g.turn.Lock()
	defer g.turn.Unlock()
	if c.done {
		return c.err
	}
	g.mu.Lock()
	batch := g.queue
	g.queue = nil
	g.mu.Unlock()
	for len(batch) > 0 {
		batch = s.transact(batch)
	}
	return c.err
}

// transact writes a batch with one flush. If one of it fails it returns the others,
// none of which is written.
func (s *Store) transact(batch []*change) (again []*change) {
	var failed *change
	err := s.db.Update(func(tx *bolt.Tx) error {
		for _, c := range batch {
			if c.check != nil {
				if c.err = c.check(tx); c.err != nil {
					continue
				}
			}
			if err := c.apply(tx); err != nil {
				failed = c
				return err
			}
		}
		return nil
	})
	if failed != nil {
		failed.err, failed.done = err, true
		for _, c := range batch {
			if c != failed {
				again = append(again, c)
			}
		}
		return again
	}
	if err == nil {
		err = s.present()
	}
	for _, c := range batch {
		if c.err == nil {
			c.err = err
		}
		if c.err == nil && c.written != nil {
			c.written()
		}
		c.done = true
	}
	return nil
}
