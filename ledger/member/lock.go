package member

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// lock is the memory of a vote. With the clock in it the vote is signed again in
// the same bytes.
type lock struct {
	entry ident.CID
	clock int64 // ms
}

// lockKey sorts the locks of a lane by height and attempt.
func lockKey(p ledger.Place) []byte {
	return slices.Concat(p.Charter.Bytes(), p.Lane.Bytes(), number(p.Height), number(p.Attempt))
}

// lockAt returns the lock at a place; false if there is none.
func (x index) lockAt(p ledger.Place) (lock, bool, error) {
	v := x.get(locksBucket, lockKey(p))
	if v == nil {
		return lock{}, false, nil
	}
	l, err := parseLock(v)
	return l, true, err
}

// putLock sets a lock, once: a place that is locked to another entry stays so.
func (x index) putLock(p ledger.Place, l lock) error {
	held, ok, err := x.lockAt(p)
	if err != nil {
		return err
	}
	if ok && held != l {
		return fmt.Errorf("lock %v: %w", p, ErrLocked)
	}
	return x.put(locksBucket, lockKey(p), append(l.entry.Bytes(), number(l.clock)...))
}

func parseLock(p []byte) (lock, error) {
	if len(p) != ident.CIDSize+8 {
		return lock{}, fmt.Errorf("read lock: %w", ErrCorrupt)
	}
	id, err := ident.CIDFromBytes(p[:ident.CIDSize])
	return lock{id, int64(binary.BigEndian.Uint64(p[ident.CIDSize:]))}, err
}

// openLock returns the lock with the highest attempt at the height above a lane's
// head, the zero value if there is none.
func (x index) openLock(charter ident.CID, lane ident.PublicKey, head int64) (ledger.Lock, error) {
	prefix := slices.Concat(charter.Bytes(), lane.Bytes(), number(head+1))
	var open ledger.Lock
	c := x.bucket(locksBucket).Cursor()
	for k, v := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, v = c.Next() {
		l, err := parseLock(v)
		if err != nil {
			return ledger.Lock{}, err
		}
		open = ledger.Lock{Height: head + 1, Attempt: int64(binary.BigEndian.Uint64(k[len(prefix):])), Entry: l.entry}
	}
	return open, nil
}

// locksFrom returns the locks of a lane from a height on, sorted by height and attempt.
func (x index) locksFrom(charter ident.CID, lane ident.PublicKey, height int64) ([]ledger.Lock, error) {
	prefix := slices.Concat(charter.Bytes(), lane.Bytes())
	var out []ledger.Lock
	c := x.bucket(locksBucket).Cursor()
	for k, v := c.Seek(append(slices.Clone(prefix), number(height)...)); k != nil && bytes.HasPrefix(k, prefix); k, v = c.Next() {
		l, err := parseLock(v)
		if err != nil {
			return nil, err
		}
		at := k[len(prefix):]
		out = append(out, ledger.Lock{
			Height: int64(binary.BigEndian.Uint64(at)), Attempt: int64(binary.BigEndian.Uint64(at[8:])), Entry: l.entry,
		})
	}
	return out, nil
}

// promisedLanes returns the lanes that have a lock or a floor under a charter. A lane
// may be there twice.
func (x index) promisedLanes(charter ident.CID) ([]ident.PublicKey, error) {
	locked, err := x.lanesIn(locksBucket, charter)
	if err != nil {
		return nil, err
	}
	floored, err := x.lanesIn(floorsBucket, charter)
	return append(locked, floored...), err
}

// lanesIn returns the lanes in the keys of a bucket, which begin with charter and lane.
func (x index) lanesIn(bucket string, charter ident.CID) ([]ident.PublicKey, error) {
	prefix := charter.Bytes()
	var lanes []ident.PublicKey
	c := x.bucket(bucket).Cursor()
	for k, _ := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		lane, err := ident.PublicKeyFromBytes(k[len(prefix):][:ident.PublicKeySize])
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", bucket, err)
		}
		if len(lanes) == 0 || lanes[len(lanes)-1] != lane {
			lanes = append(lanes, lane)
		}
	}
	return lanes, nil
}
