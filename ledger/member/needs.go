package member

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// What snapshots need is found by going through the reference sets of all that are
// not forgotten. Sets are spans, so that costs by the number of entries, not of
// segments; it is remembered until an entry is certified, or what is forgotten changes.

// needs is the last answer.
type needs struct {
	stamp   [ident.HashSize]byte
	numbers ledger.Numbers
}

// needed returns what certified snapshots need that are neither targets nor, on this
// member's clock at a time, released for good. The caller does not change it.
func (v *vault) needed(x index, request ledger.Request, now int64) (ledger.Numbers, error) {
	stamp, err := x.needsStamp(request, now)
	if err != nil {
		return nil, err
	}
	v.needing.Lock()
	defer v.needing.Unlock()
	if v.needs.numbers != nil && v.needs.stamp == stamp {
		return v.needs.numbers, nil
	}
	targets := make(map[ident.CID]bool, len(request.Targets))
	for _, t := range request.Targets {
		targets[t] = true
	}
	n, err := v.addNeeds(x, func(entry ident.CID) bool { return targets[entry] || x.released(entry, now) })
	if err != nil {
		return nil, err
	}
	// What a transaction sees that is still being written may come to nothing.
	if !x.b.Writable() {
		v.needs = needs{stamp, n}
	}
	return n, nil
}

// needsStamp names all that an answer follows from: heads, targets, and what is
// forgotten by then.
func (x index) needsStamp(request ledger.Request, now int64) (stamp [ident.HashSize]byte, err error) {
	p := bytes.NewBuffer(request.CID().Bytes())
	p.Write(number(x.number(aboutForgets)))
	err = x.bucket(headsBucket).ForEach(func(k, head []byte) error {
		p.Write(k)
		p.Write(head)
		return nil
	})
	if err != nil {
		return stamp, err
	}
	final := int64(0)
	err = x.bucket(forgottenBucket).ForEach(func(_, from []byte) error {
		if len(from) == 8 && int64(binary.BigEndian.Uint64(from)) <= now {
			final++
		}
		return nil
	})
	p.Write(number(final))
	return ident.SumRaw(p.Bytes()).Hash(), err
}

// recentSets is how many resolved sets of a lane are remembered while it is gone
// through: most deltas stand on the entry before.
const recentSets = 2 * ledger.MaxDeltas

// addNeeds goes through all certified snapshots but those that are left out.
func (v *vault) addNeeds(x index, without func(entry ident.CID) bool) (ledger.Numbers, error) {
	out := ledger.Numbers{}
	known := &view{index: x, charter: v.inForce()}
	var lane ident.PublicKey
	recent := map[ident.CID]ledger.Set{}
	var order []ident.CID
	err := x.bucket(chainBucket).ForEach(func(k, p []byte) error {
		of, err := ident.PublicKeyFromBytes(k[:ident.PublicKeySize])
		if err != nil {
			return err
		}
		if of != lane {
			lane, recent, order = of, map[ident.CID]ledger.Set{}, nil
		}
		id, err := ident.CIDFromBytes(p)
		if err != nil {
			return err
		}
		set, ok, err := known.resolved(id, lane, recent)
		if err != nil || !ok {
			return err
		}
		if order = append(order, id); len(order) > recentSets {
			delete(recent, order[0])
			order = order[1:]
		}
		recent[id] = set
		if !without(id) {
			out.AddSet(set)
		}
		return nil
	})
	return out, err
}

// resolved returns the reference set of a snapshot, which stands on one of those
// that are given or, if it does not, on one that is read; false for another entry.
func (v *view) resolved(id ident.CID, lane ident.PublicKey, recent map[ident.CID]ledger.Set) (ledger.Set, bool, error) {
	p := v.get(refsBucket, id.Bytes())
	if p == nil {
		return ledger.Set{}, false, nil
	}
	r, err := ledger.ParseRefSet(p)
	if err != nil {
		return ledger.Set{}, false, err
	}
	base, ok := recent[r.Base]
	if !ok && !r.IsFull() {
		if base, ok = v.Refs(r.Base); !ok || v.err != nil {
			return ledger.Set{}, false, fmt.Errorf("entry %s: %w: its base is not known", id, ErrCorrupt)
		}
	}
	set, err := r.Resolve(lane, id, base)
	return set, err == nil, err
}

// introducedNumbers returns the numbers of all segments of certified entries.
func (x index) introducedNumbers() (ledger.Numbers, error) {
	n := ledger.Numbers{}
	err := x.bucket(headsBucket).ForEach(func(k, _ []byte) error {
		lane, err := ident.PublicKeyFromBytes(k)
		if err != nil {
			return err
		}
		_, head, err := x.head(lane)
		if err != nil {
			return err
		}
		rec, _, err := x.entry(head)
		n.Add(lane, counted(rec.Count))
		return err
	})
	return n, err
}

// lockedNeeds returns what entries need that this member has voted for and that may
// still be certified.
func (v *vault) lockedNeeds(x index) (ledger.Numbers, error) {
	out := ledger.Numbers{}
	known := &view{index: x, charter: v.inForce()}
	err := x.bucket(locksBucket).ForEach(func(k, p []byte) error {
		at, err := parseLockKey(k)
		if err != nil {
			return err
		}
		l, err := parseLock(p)
		if err != nil {
			return err
		}
		open, err := x.open(at, l.entry)
		if err != nil || !open {
			return err
		}
		set, ok, err := known.resolved(l.entry, at.Lane, nil)
		if ok {
			out.AddSet(set)
		}
		return err
	})
	return out, err
}

// open reports whether an entry that was voted for at a place may still be certified,
// or come back: until an entry above it is certified, unless it is the head itself.
func (x index) open(at ledger.Place, entry ident.CID) (bool, error) {
	height, head, err := x.head(at.Lane)
	return at.Height > height || at.Height == height && entry != head, err
}

// parseLockKey is the inverse of lockKey, without the vault.
func parseLockKey(k []byte) (p ledger.Place, err error) {
	if len(k) != ident.CIDSize+ident.PublicKeySize+16 {
		return p, fmt.Errorf("read lock: %w", ErrCorrupt)
	}
	if p.Charter, err = ident.CIDFromBytes(k[:ident.CIDSize]); err != nil {
		return p, err
	}
	k = k[ident.CIDSize:]
	p.Lane, err = ident.PublicKeyFromBytes(k[:ident.PublicKeySize])
	k = k[ident.PublicKeySize:]
	p.Height, p.Attempt = int64(binary.BigEndian.Uint64(k)), int64(binary.BigEndian.Uint64(k[8:]))
	return p, err
}

// free returns the segments that are free if a request's targets go.
func (v *vault) free(x index, request ledger.Request, now int64) (ledger.Numbers, error) {
	certified, err := v.needed(x, request, now)
	if err != nil {
		return nil, err
	}
	locked, err := v.lockedNeeds(x)
	if err != nil {
		return nil, err
	}
	introduced, err := x.introducedNumbers()
	if err != nil {
		return nil, err
	}
	gone, err := x.allNumbers(goneBucket)
	if err != nil {
		return nil, err
	}
	return ledger.Free(introduced.Minus(locked), certified, gone), nil
}

// counted returns the first so many numbers.
func counted(n int64) ledger.Spans {
	if n == 0 {
		return nil
	}
	return ledger.Spans{{First: 0, Count: n}}
}
