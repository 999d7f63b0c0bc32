package member

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// laneState returns what this member has promised in a lane under a charter, which
// starts there after one of its entries.
func (v *vault) laneState(x index, charter ident.CID, lane ident.PublicKey) (ledger.LaneState, error) {
	s, err := x.laneState(charter, lane)
	s.Start = v.chain().Start(charter, lane).Height
	return s, err
}

func (x index) laneState(charter ident.CID, lane ident.PublicKey) (ledger.LaneState, error) {
	var s ledger.LaneState
	var err error
	if s.Height, s.Entry, err = x.head(lane); err != nil {
		return s, err
	}
	if s.Height > 0 {
		rec, err := x.chained(s.Entry.Bytes())
		if err != nil {
			return s, err
		}
		s.Attempt, s.Sure = rec.Attempt, !rec.Unsure
	}
	if s.Height > 1 {
		if s.Prev, err = x.at(lane, s.Height-1); err != nil {
			return s, err
		}
	}
	for i := range s.Floors {
		s.Floors[i] = x.floor(charter, lane, s.Height+int64(i))
	}
	s.Locks, err = x.locksFrom(charter, lane, s.Height)
	return s, err
}

// at returns the certified entry of a height that is not above the head.
func (x index) at(lane ident.PublicKey, height int64) (ident.CID, error) {
	p := x.get(chainBucket, chainKey(lane, height))
	if p == nil {
		return ident.CID{}, fmt.Errorf("entry of lane %s at height %d: %w", lane, height, ErrCorrupt)
	}
	return ident.CIDFromBytes(p)
}

// floorKey sorts the floors of a lane by height.
func floorKey(charter ident.CID, lane ident.PublicKey, height int64) []byte {
	return slices.Concat(charter.Bytes(), lane.Bytes(), number(height))
}

// floor returns the attempt below which nothing is signed at a height.
func (x index) floor(charter ident.CID, lane ident.PublicKey, height int64) int64 {
	p := x.get(floorsBucket, floorKey(charter, lane, height))
	if len(p) != 8 {
		return 0
	}
	return int64(binary.BigEndian.Uint64(p))
}

// putFloors writes down the floors of a state.
func (x index) putFloors(charter ident.CID, lane ident.PublicKey, s ledger.LaneState) error {
	for i, floor := range s.Floors {
		height := s.Height + int64(i)
		if x.floor(charter, lane, height) >= floor {
			continue
		}
		if err := x.put(floorsBucket, floorKey(charter, lane, height), number(floor)); err != nil {
			return err
		}
	}
	return nil
}

// dropPromises forgets the locks and floors of a lane below a height, and what was
// proposed there. Nothing is voted for there any more: the lane's head is above, for
// ever. Entries that got votes there and no certificate are void.
func (x index) dropPromises(charter ident.CID, lane ident.PublicKey, below int64) error {
	prefix := slices.Concat(charter.Bytes(), lane.Bytes())
	limit := append(slices.Clone(prefix), number(below)...)
	for _, name := range []string{locksBucket, floorsBucket, proposalsBucket} {
		c := x.bucket(name).Cursor()
		for k, p := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix) && bytes.Compare(k, limit) < 0; k, p = c.Seek(prefix) {
			if name == locksBucket {
				if err := x.dropVoid(p); err != nil {
					return err
				}
			}
			if err := c.Delete(); err != nil {
				return err
			}
		}
	}
	return nil
}

// dropVoid forgets the entry of a lock, unless it is certified. What it introduced counts
// by its record.
func (x index) dropVoid(p []byte) error {
	l, err := parseLock(p)
	if err != nil {
		return err
	}
	rec, known, err := x.entry(l.entry)
	if err != nil || !known || rec.Certified {
		return err
	}
	link, err := rec.link()
	if err != nil {
		return err
	}
	e, err := ledger.ParseEntry(link.Entry)
	if err != nil {
		return err
	}
	id := l.entry.Bytes()
	if bytes.Equal(x.get(bodiesBucket, e.Body.Bytes()), id) {
		err = x.bucket(bodiesBucket).Delete(e.Body.Bytes())
	}
	return errors.Join(err, x.bucket(entriesBucket).Delete(id), x.bucket(heldBucket).Delete(id), x.bucket(refsBucket).Delete(id), x.bucket(tablesBucket).Delete(id))
}

// laneHead returns what is told of a lane.
func (x index) laneHead(charter ident.CID, lane ident.PublicKey) (ledger.LaneHead, error) {
	height, id, err := x.head(lane)
	if err != nil {
		return ledger.LaneHead{}, err
	}
	open, err := x.openLock(charter, lane, height)
	floor := x.floor(charter, lane, height+1)
	return ledger.LaneHead{Lane: lane, Height: height, Entry: id, Lock: open, Floor: floor}, err
}

// explain adds to a refusal where the lane stands, and the floor of the height that it
// is about, if that is what it is about.
func (v *vault) explain(at ledger.Place, err error) error {
	if err == nil || !ofState(err) {
		return err
	}
	state := &StateError{Err: err}
	readErr := v.read(func(x index) error {
		var err error
		state.Head, err = x.laneHead(v.inForce().CID(), at.Lane)
		if err != nil || at.Height != state.Head.Height {
			return err
		}
		s, err := v.laneState(x, v.inForce().CID(), at.Lane)
		state.Head.Floor = s.Promised(at.Height)
		return err
	})
	return errors.Join(readErr, state)
}

// dropPrefix deletes the keys of a bucket that begin so.
func dropPrefix(b *bolt.Bucket, prefix []byte) error {
	c := b.Cursor()
	for k, _ := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, _ = c.Seek(prefix) {
		if err := c.Delete(); err != nil {
			return err
		}
	}
	return nil
}
