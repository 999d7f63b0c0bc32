package member

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// judge says how far a request has come, by this member's own clock and first sight.
func (v *vault) judge(x index, c ledger.Case, now time.Time) (ledger.CaseState, string, error) {
	known := &view{index: x, charter: v.inForce()}
	r := c.Asked()
	f := ledger.Facts{Charter: v.inForce(), Revoked: ledger.CheckAsker(known, r, now) != nil}
	var failed error
	f.Terms, failed = v.terms(x, r)
	f.Targets = func() []ledger.Target {
		targets, err := x.targets(r)
		failed = errors.Join(failed, err)
		return targets
	}
	if !c.Successor.IsZero() && r.Charter == f.Charter.CID() {
		next, err := ledger.VerifyNextCharter(c.Successor, f.Charter)
		failed = errors.Join(failed, err)
		f.Next = next
	}
	state, why := c.Judge(f, now)
	return state, why, errors.Join(failed, known.err)
}

// passed returns nil if a request has passed here, or the refusal that says why not.
func (v *vault) passed(x index, c ledger.Case, now time.Time) error {
	state, why, err := v.judge(x, c, now)
	if err != nil {
		return err
	}
	switch state {
	case ledger.StatePassed:
		return nil
	case ledger.StateRetained:
		return fmt.Errorf("%w: %s", ledger.ErrRetention, why)
	case ledger.StateVetoed:
		return fmt.Errorf("%w: %s", ledger.ErrVetoed, why)
	case ledger.StateExpired, ledger.StateVoid, ledger.StateUndone:
		return fmt.Errorf("%w: %s: %s", ledger.ErrSettled, state, why)
	}
	return fmt.Errorf("%w: %s: %s", ledger.ErrNotPassed, state, why)
}

// terms returns the strictest terms since the first of a request's targets.
func (v *vault) terms(x index, r ledger.Request) (ledger.Terms, error) {
	charters := []ledger.Charter{v.inForce()}
	seen := map[ident.CID]bool{}
	for _, target := range r.Targets {
		rec, ok, err := x.certified(target)
		if err != nil {
			return ledger.Terms{}, err
		}
		if !ok {
			continue
		}
		if e, err := rec.parsed(); err == nil && !seen[e.Charter] {
			seen[e.Charter] = true
			charters = append(charters, v.chartersSince(e.Charter)...)
		}
	}
	return ledger.Strictest(charters...), nil
}

// parsed returns the entry of a record. It was verified when it came.
func (r record) parsed() (ledger.Entry, error) {
	l, err := r.link()
	if err != nil {
		return ledger.Entry{}, err
	}
	return ledger.ReadEntry(l.Entry)
}

// targets says what this member knows of a request's snapshots.
func (x index) targets(r ledger.Request) ([]ledger.Target, error) {
	out := make([]ledger.Target, len(r.Targets))
	entries := make([]ledger.Entry, len(r.Targets))
	for i, id := range r.Targets {
		rec, ok, err := x.certified(id)
		if err != nil {
			return nil, err
		}
		if !ok || x.get(refsBucket, id.Bytes()) == nil {
			continue
		}
		// A head that this member is not sure of may be replaced.
		if height, _, err := x.head(rec.Lane); err != nil || rec.Unsure && rec.Height == height {
			return nil, err
		}
		l, err := rec.link()
		if err != nil {
			return nil, err
		}
		_, at, err := ledger.KnownCertificate(l.Cert)
		if err != nil {
			return nil, fmt.Errorf("read certificate of entry %s: %w", id, err)
		}
		if entries[i], err = ledger.ReadEntry(l.Entry); err != nil {
			return nil, err
		}
		if seen := ledger.Time(rec.Seen); seen.After(at) {
			at = seen
		}
		out[i] = ledger.Target{Certified: true, Since: at}
	}
	if r.Kind == ledger.RequestExpiry {
		return out, x.countNewer(r, entries, out)
	}
	return out, nil
}

// countNewer counts for each target the newer complete snapshots of its lane and
// source that stay. It goes down each lane once.
func (x index) countNewer(r ledger.Request, entries []ledger.Entry, out []ledger.Target) error {
	lowest := map[ident.PublicKey]int64{}
	at := map[ident.CID]int{}
	for i, e := range entries {
		if !out[i].Certified {
			continue
		}
		at[r.Targets[i]] = i
		if low, ok := lowest[e.Lane]; !ok || e.Height < low {
			lowest[e.Lane] = e.Height
		}
	}
	for lane, low := range lowest {
		height, _, err := x.head(lane)
		if err != nil {
			return err
		}
		counts := map[[16]byte]int64{}
		for ; height >= low; height-- {
			id, rec, err := x.atHeight(lane, height)
			if err != nil {
				return err
			}
			if i, ok := at[id]; ok {
				out[i].Newer = counts[entries[i].Source]
			} else if source, ok := rec.complete(); ok && !x.released(id, ledger.Never) {
				counts[source]++
			}
		}
	}
	return nil
}

// complete returns the source of a complete snapshot.
func (r record) complete() (source [16]byte, ok bool) {
	if len(r.Source) != len(source) {
		return source, false
	}
	return [16]byte(r.Source), true
}

// atHeight returns the certified entry of a lane at a height.
func (x index) atHeight(lane ident.PublicKey, height int64) (ident.CID, record, error) {
	p := x.get(chainBucket, chainKey(lane, height))
	if p == nil {
		return ident.CID{}, record{}, fmt.Errorf("lane %s height %d: %w", lane, height, ErrCorrupt)
	}
	id, err := ident.CIDFromBytes(p)
	if err != nil {
		return id, record{}, err
	}
	rec, err := x.chained(p)
	return id, rec, err
}

// released reports whether a certified release forgets an entry, which is not undone
// and, on this member's clock at a time, cannot be any more.
func (x index) released(entry ident.CID, now int64) bool {
	prefix := entry.Bytes()
	c := x.bucket(forgottenBucket).Cursor()
	for k, p := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, p = c.Next() {
		if len(p) == 8 && int64(binary.BigEndian.Uint64(p)) <= now {
			return true
		}
	}
	return false
}
