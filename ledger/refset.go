package ledger

import (
	"fmt"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
)

// labelRefs names reference sets in errors; they are not signed on their own.
const labelRefs ident.Label = "reference set"

// RefSet is a reference set as it stands in a body: every segment that is needed to
// restore a snapshot, in full or as the difference from an earlier entry's.
type RefSet struct {
	V     int64      `cbor:"v"`
	Base  ident.CID  `cbor:"base,omitzero"` // none: the set is full
	Lanes []LaneRefs `cbor:"lanes"`         // sorted by lane
}

// LaneRefs is what a reference set says about one lane.
type LaneRefs struct {
	Lane  ident.PublicKey `cbor:"lane"`
	UpTo  ident.CID       `cbor:"upto,omitzero"` // none for the entry's own lane
	Spans []int64         `cbor:"spans"`
	Drop  []int64         `cbor:"drop,omitempty"`
}

// ParseRefSet reads foreign bytes. What it accepts is well-formed; Resolve says what
// it means.
func ParseRefSet(p []byte) (RefSet, error) {
	var r RefSet
	if err := parse(labelRefs, p, MaxBody, &r); err != nil {
		return RefSet{}, err
	}
	return verified(r, r.validate())
}

// Encode returns r's bytes for a body. Their dag-cbor CID is the set's name.
func (r RefSet) Encode() (Raw, error) {
	r.V = version
	if err := r.validate(); err != nil {
		return nil, err
	}
	return wire.Encode(r)
}

// IsFull reports whether r is the whole set.
func (r RefSet) IsFull() bool { return r.Base.IsZero() }

func (r RefSet) validate() error {
	if len(r.Lanes) > MaxLanes || !ascending(r.Lanes, func(l LaneRefs) ident.PublicKey { return l.Lane }) {
		return fmt.Errorf("%w: lanes are not sorted, or one is there twice", ErrRefs)
	}
	if !r.IsFull() && !structure(r.Base) {
		return fmt.Errorf("%w: base names no entry", ErrRefs)
	}
	total := 0
	for _, l := range r.Lanes {
		total += len(l.Spans) + len(l.Drop)
		if total > 2*MaxSpans {
			return fmt.Errorf("%w: %w: more than %d runs of numbers", ErrRefs, ErrTooLarge, MaxSpans)
		}
		if err := l.validate(r.IsFull()); err != nil {
			return err
		}
	}
	return nil
}

func (l LaneRefs) validate(full bool) error {
	if !l.UpTo.IsZero() && !structure(l.UpTo) {
		return fmt.Errorf("%w: upto names no entry", ErrRefs)
	}
	if full && (len(l.Drop) > 0 || len(l.Spans) == 0) {
		return fmt.Errorf("%w: a full set drops numbers, or names a lane without any", ErrRefs)
	}
	if _, err := ParseSpans(l.Spans); err != nil {
		return err
	}
	_, err := ParseSpans(l.Drop)
	return err
}

// Resolve returns the set that r means in the entry of a lane. Base is the resolved
// set of the entry that r.Base names; it is not looked at if r is full. That the
// numbers exist is not known here.
func (r RefSet) Resolve(lane ident.PublicKey, entry ident.CID, base Set) (Set, error) {
	out := Set{Lane: lane, Entry: entry}
	if !r.IsFull() {
		if base.Entry != r.Base || base.Lane != lane {
			return Set{}, fmt.Errorf("%w: base is no earlier entry of the lane", ErrRefs)
		}
		// SPEC: there is a full one at least every 64 entries.
		if out.Depth = base.Depth + 1; out.Depth > MaxDeltas {
			return Set{}, fmt.Errorf("%w: %d deltas without a full set", ErrRefs, out.Depth)
		}
		out.Lanes = base.Lanes
	}
	changed := make([]LaneSet, 0, len(r.Lanes))
	for _, l := range r.Lanes {
		c, err := l.resolve(&out, !r.IsFull())
		if err != nil {
			return Set{}, err
		}
		changed = append(changed, c)
	}
	out.Lanes = merge(out.Lanes, changed)
	if out.runs() > MaxSpans {
		return Set{}, fmt.Errorf("%w: %w: more than %d runs of numbers", ErrRefs, ErrTooLarge, MaxSpans)
	}
	return out, nil
}

// resolve applies what is said about one lane to what it is in the set so far.
func (l LaneRefs) resolve(set *Set, delta bool) (LaneSet, error) {
	// SPEC: upto is absent only for the entry's own lane, where it means this entry.
	own := l.Lane == set.Lane
	if own != l.UpTo.IsZero() {
		return LaneSet{}, fmt.Errorf("%w: upto of lane %s", ErrRefs, l.Lane)
	}
	spans, err := ParseSpans(l.Spans)
	if err != nil {
		return LaneSet{}, err
	}
	drop, err := ParseSpans(l.Drop)
	if err != nil {
		return LaneSet{}, err
	}
	out := LaneSet{Lane: l.Lane, UpTo: l.UpTo}
	if own {
		out.UpTo = set.Entry
	}
	var before Spans
	if delta {
		before = set.Numbers(l.Lane)
	}
	if !before.Holds(drop) {
		return LaneSet{}, fmt.Errorf("%w: lane %s drops what its base does not hold", ErrRefs, l.Lane)
	}
	out.Numbers = before.Minus(drop).Union(spans)
	return out, nil
}
