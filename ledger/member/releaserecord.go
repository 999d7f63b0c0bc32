package member

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
)

// releaseRecord is what is known of a release. Its times are this member's own.
type releaseRecord struct {
	V         uint64        `cbor:"v"`
	Request   ident.CID     `cbor:"request"`
	Charter   ident.CID     `cbor:"charter"`             // the release's
	Lanes     []laneNumbers `cbor:"lanes"`               // its segments
	Consented int64         `cbor:"consented,omitempty"` // ms, the clock in this member's consent
	Seq       int64         `cbor:"seq,omitempty"`       // of a certified one: its place in the order
	Until     int64         `cbor:"until,omitempty"`     // ms, when this member stops taking it back
	Closed    bool          `cbor:"closed,omitempty"`    // this member never takes it back
	Undo      int64         `cbor:"undo,omitempty"`      // ms, the clock in this member's word
	UndoUnder ident.CID     `cbor:"undounder,omitzero"`  // the charter of that word
	Undone    bool          `cbor:"undone,omitempty"`    // the certificate of a quorum is here
}

type laneNumbers struct {
	Lane  ident.PublicKey `cbor:"lane"`
	Spans []int64         `cbor:"spans"`
}

const releaseVersion = 1

func (r releaseRecord) certified() bool { return r.Seq > 0 }

// state is what is told of a release.
func (r releaseRecord) state() ledger.ReleaseState {
	switch {
	case r.Undone || r.Undo > 0:
		return ledger.ReleaseUndone
	case r.certified():
		return ledger.ReleaseCertified
	case r.Consented > 0:
		return ledger.ReleaseConsented
	}
	return ledger.ReleaseUnknown
}

func (r releaseRecord) numbers() ledger.Numbers {
	n := ledger.Numbers{}
	for _, l := range r.Lanes {
		spans := make(ledger.Spans, 0, len(l.Spans)/2)
		for i := 0; i+1 < len(l.Spans); i += 2 {
			spans = append(spans, ledger.Span{First: l.Spans[i], Count: l.Spans[i+1]})
		}
		n.Add(l.Lane, spans)
	}
	return n
}

func lanesOf(n ledger.Numbers) []laneNumbers {
	lanes := make([]laneNumbers, 0, len(n))
	for lane, spans := range n {
		lanes = append(lanes, laneNumbers{lane, spans.Pairs()})
	}
	slices.SortFunc(lanes, func(a, b laneNumbers) int { return a.Lane.Compare(b.Lane) })
	return lanes
}

// release returns the record of a release; false if there is none.
func (x index) releaseOf(id ident.CID) (releaseRecord, bool, error) {
	p := x.get(releasesBucket, id.Bytes())
	if p == nil {
		return releaseRecord{}, false, nil
	}
	var r releaseRecord
	if err := wire.DecodeVersion(p, releaseVersion, &r); err != nil {
		return releaseRecord{}, false, fmt.Errorf("read release %s: %w: %w", id, ErrCorrupt, err)
	}
	return r, true, nil
}

func (x index) putRelease(id ident.CID, r releaseRecord) error {
	r.V = releaseVersion
	p, err := wire.Encode(r)
	if err != nil {
		return err
	}
	return x.put(releasesBucket, id.Bytes(), p)
}

// The states of a certified release in requestedBucket.
const (
	standsByte = 1
	undoneByte = 2
)

// releasesOf returns the certified releases of a request: those that stand, and those
// that were taken back.
func (x index) releasesOf(request ident.CID) (stand, undone []ident.CID, err error) {
	prefix := request.Bytes()
	c := x.bucket(requestedBucket).Cursor()
	for k, p := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, p = c.Next() {
		id, err := ident.CIDFromBytes(k[len(prefix):])
		switch {
		case err != nil:
			return nil, nil, err
		case len(stand)+len(undone) == ledger.MaxCaseReleases:
			return stand, undone, nil
		case len(p) == 1 && p[0] == undoneByte:
			undone = append(undone, id)
		default:
			stand = append(stand, id)
		}
	}
	return stand, undone, nil
}

// file puts a certified release at the end of the order, and under its request.
func (x index) file(id ident.CID, r *releaseRecord) error {
	b := x.bucket(releasedBucket)
	if r.Seq > 0 {
		if err := b.Delete(number(r.Seq)); err != nil {
			return err
		}
	}
	next, err := b.NextSequence()
	if err != nil {
		return err
	}
	r.Seq = int64(next)
	state := byte(standsByte)
	if r.Undone {
		state = undoneByte
	}
	return errors.Join(
		b.Put(number(r.Seq), id.Bytes()),
		x.put(requestedBucket, append(r.Request.Bytes(), id.Bytes()...), []byte{state}))
}

// forget notes for a request's targets from when on it is certain that they are
// released: when the first of its releases that stand cannot be undone any more. With
// none that stands, or while the request is not here, they are not.
func (x index) forget(request ident.CID) error {
	rec, err := x.caseOf(request)
	if errors.Is(err, ledger.ErrUnknownRequest) {
		return nil
	}
	if err != nil {
		return err
	}
	asked, err := ledger.NewCase(ledger.Case{Request: rec.Request, Successor: rec.Successor})
	if err != nil {
		return err
	}
	stand, _, err := x.releasesOf(request)
	if err != nil {
		return err
	}
	from := int64(0)
	for _, id := range stand {
		r, _, err := x.releaseOf(id)
		if err != nil {
			return err
		}
		if from == 0 || r.Until < from {
			from = r.Until
		}
	}
	return x.putForgottenTargets(asked.Asked(), len(stand) > 0, from)
}

// putForgottenTargets writes that down, and counts a change if there is one: what is
// needed is found anew then.
func (x index) putForgottenTargets(r ledger.Request, forgotten bool, from int64) error {
	changed := false
	for _, target := range r.Targets {
		key := append(target.Bytes(), r.CID().Bytes()...)
		was := x.get(forgottenBucket, key)
		var err error
		switch {
		case forgotten && !bytes.Equal(was, number(from)):
			changed, err = true, x.put(forgottenBucket, key, number(from))
		case !forgotten && was != nil:
			changed, err = true, x.bucket(forgottenBucket).Delete(key)
		}
		if err != nil {
			return err
		}
	}
	if !changed {
		return nil
	}
	return x.putNumber(aboutForgets, x.number(aboutForgets)+1)
}

// spans returns the numbers of a lane in one of the two buckets that hold such.
func (x index) spans(bucket string, lane ident.PublicKey) (ledger.Spans, error) {
	return parseNumbers(x.get(bucket, lane.Bytes()))
}

func parseNumbers(p []byte) (ledger.Spans, error) {
	if len(p)%16 != 0 {
		return nil, fmt.Errorf("read numbers: %w", ErrCorrupt)
	}
	s := make(ledger.Spans, 0, len(p)/16)
	for ; len(p) > 0; p = p[16:] {
		s = append(s, ledger.Span{First: int64(binary.BigEndian.Uint64(p)), Count: int64(binary.BigEndian.Uint64(p[8:]))})
	}
	return s, nil
}

// addNumbers takes more into such a bucket.
func (x index) addNumbers(bucket string, n ledger.Numbers) error {
	for lane, more := range n {
		have, err := x.spans(bucket, lane)
		if err != nil {
			return err
		}
		var p []byte
		for _, s := range have.Union(more) {
			p = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(p, uint64(s.First)), uint64(s.Count))
		}
		if err := x.put(bucket, lane.Bytes(), p); err != nil {
			return err
		}
	}
	return nil
}

// allNumbers returns what is in such a bucket.
func (x index) allNumbers(bucket string) (ledger.Numbers, error) {
	n := ledger.Numbers{}
	err := x.bucket(bucket).ForEach(func(k, p []byte) error {
		lane, err := ident.PublicKeyFromBytes(k)
		if err != nil {
			return err
		}
		spans, err := parseNumbers(p)
		n.Add(lane, spans)
		return err
	})
	return n, err
}

// recount makes both buckets again from all releases: after one was undone, what it
// had closed may still be closed by another.
func (x index) recount() error {
	closing, gone := ledger.Numbers{}, ledger.Numbers{}
	err := x.bucket(releasesBucket).ForEach(func(k, _ []byte) error {
		id, err := ident.CIDFromBytes(k)
		if err != nil {
			return err
		}
		r, _, err := x.releaseOf(id)
		if err != nil || r.Undone {
			return err
		}
		closing.AddAll(r.numbers())
		if r.certified() {
			gone.AddAll(r.numbers())
		}
		return nil
	})
	if err != nil {
		return err
	}
	for bucket, n := range map[string]ledger.Numbers{closingBucket: closing, goneBucket: gone} {
		if err := errors.Join(x.empty(bucket), x.addNumbers(bucket, n)); err != nil {
			return err
		}
	}
	return nil
}

func (x index) empty(bucket string) error {
	if err := x.b.DeleteBucket([]byte(bucket)); err != nil {
		return err
	}
	_, err := x.b.CreateBucket([]byte(bucket))
	return err
}
