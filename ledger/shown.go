package ledger

import (
	"fmt"
	"slices"
	"time"

	"holdfast/internal/ident"
)

// Shown is what a proof shows.
type Shown struct {
	Chain       Chain
	Charter     Charter // in force when the snapshot was certified
	Entry       Entry
	Certificate Certificate
	Voters      []Voter // sorted by operator
	Partial     bool    // a checkpoint

	Segments int   // that Holders have shards of
	Bytes    int64 // of them, sealed
	Holders  []Holding
	Losses   int  // operators that may be lost, whichever they are; -1: not even all of them were enough
	Whole    bool // Holders is about everything that the snapshot needs, not only what it brought
}

// Voter is a member that voted for the snapshot, with the time on its clock.
type Voter struct {
	Member Member
	Clock  time.Time
}

// Time is the snapshot's time: the median of the voters' clocks.
func (s Shown) Time() time.Time { return s.Certificate.Time() }

// Verify checks all of p, by itself: every signature from the first charter's owner
// on. The error wraps ErrProof. Whether it is the vault, and whether these operators
// are who they say, is for whoever reads it.
func (p Proof) Verify() (Shown, error) {
	out, err := p.verify()
	if err != nil {
		return Shown{}, fmt.Errorf("%w: %w", ErrProof, err)
	}
	return out, nil
}

func (p Proof) verify() (Shown, error) {
	var out Shown
	var err error
	if out.Chain, err = ParseChain(p.Charter, p.Successions); err != nil {
		return out, err
	}
	if p.Link.Cert.IsZero() || len(p.Link.Body) == 0 {
		return out, invalid(labelProof, "no certificate, or no body")
	}
	if err := p.versions(); err != nil {
		return out, err
	}
	if out.Entry, out.Certificate, err = out.Chain.Verify(p.Link); err != nil {
		return out, err
	}
	out.Charter, _ = out.Chain.At(out.Entry.Charter)
	if out.Voters, err = voters(out.Certificate, out.Charter); err != nil {
		return out, err
	}
	return out, p.verifyHolders(&out)
}

// versions checks those parts that no signature covers.
func (p Proof) versions() error {
	known := p.Link.V == version
	for _, l := range slices.Concat(p.Successions, p.Earlier) {
		known = known && l.V == version
	}
	for _, l := range p.Placements {
		known = known && l.V == version
	}
	if !known {
		return fmt.Errorf("%s: %w of a part", labelProof, ErrVersion)
	}
	return nil
}

// voters lists who voted in a verified certificate.
func voters(c Certificate, ch Charter) ([]Voter, error) {
	out := make([]Voter, 0, len(c.Votes))
	for _, s := range c.Votes {
		v, err := VerifyVote(s, ch)
		if err != nil {
			return nil, err
		}
		m, _ := ch.Member(v.Operator)
		out = append(out, Voter{m, Time(v.Clock)})
	}
	return out, nil
}

// verifyHolders reads the bodies, and says who has promised what.
func (p Proof) verifyHolders(out *Shown) error {
	last, err := readNumbered(out.Chain, p.Link, 0)
	if err != nil {
		return err
	}
	out.Partial = last.body.Partial
	h := newHoldings()
	lanes, err := p.lanes(out.Chain, out.Entry)
	if err != nil {
		return err
	}
	if lanes == nil {
		if err := last.promised(h, nil); err != nil {
			return err
		}
	} else if err := lanes.promised(h, last); err != nil {
		return err
	}
	out.Whole = lanes != nil
	for i, l := range p.Placements {
		if err := h.addPlacement(out.Chain, l); err != nil {
			return fmt.Errorf("later placement %d: %w", i, err)
		}
	}
	out.Segments, out.Holders, out.Losses = len(h.segments), h.list(), h.losses()
	for _, d := range h.segments {
		out.Bytes += int64(d.Size)
	}
	return nil
}

// numberedEntry is an entry with a body, and the number of its first segment.
type numberedEntry struct {
	charter  Charter
	entry    Entry
	body     SnapshotBody
	segments []Segment
	first    int64
}

// readNumbered reads an entry of a device's lane. Its certificate is not looked at.
func readNumbered(c Chain, l Link, first int64) (numberedEntry, error) {
	e, err := VerifyEntry(l.Entry)
	if err != nil {
		return numberedEntry{}, err
	}
	ch, ok := c.At(e.Charter)
	switch {
	case !ok:
		return numberedEntry{}, fmt.Errorf("entry %s: %w: %s", e.CID(), ErrCharter, e.Charter)
	case e.Vault != c.ID():
		return numberedEntry{}, mismatch(labelProof, "vault %s", e.Vault)
	case e.Kind != KindSnapshot:
		return numberedEntry{}, fmt.Errorf("entry %s: %w: %s", e.CID(), ErrKind, e.Kind)
	}
	eff, b, err := readEffect(ch, e, l.Body)
	if err != nil {
		return numberedEntry{}, err
	}
	return numberedEntry{ch, e, b, eff.Segments, first}, nil
}

// promised takes in the receipts for an entry's segments, or for those whose numbers
// are needed.
func (n numberedEntry) promised(h holdings, needed Spans) error {
	err := h.addCommit(n.charter, n.entry, n.body, n.segments, func(i int) bool {
		return needed == nil || needed.Contains(n.first+int64(i))
	})
	if err != nil {
		return fmt.Errorf("entry %s: %w", n.entry.CID(), err)
	}
	return nil
}

// needs reports whether one of the entry's segments is needed.
func (n numberedEntry) needs(needed Spans) bool {
	for i := range n.segments {
		if needed.Contains(n.first + int64(i)) {
			return true
		}
	}
	return false
}

// provenLanes is the entries below a snapshot, lane by lane, from height 1 on.
type provenLanes map[ident.PublicKey][]numberedEntry

// lanes reads the entries below the snapshot. Nil says that the proof has none, and
// that there are some.
func (p Proof) lanes(c Chain, last Entry) (provenLanes, error) {
	if len(p.Earlier) == 0 && last.Height > 1 {
		return nil, nil
	}
	out := provenLanes{}
	var before ident.PublicKey
	for i, l := range p.Earlier {
		e, err := VerifyEntry(l.Entry)
		if err != nil {
			return nil, err
		}
		lane := out[e.Lane]
		n := numberedEntry{}
		if len(lane) > 0 {
			n = lane[len(lane)-1]
		}
		if n, err = readNumbered(c, l, n.first+int64(len(n.segments))); err != nil {
			return nil, err
		}
		// SPEC: every entry of the lane, from height 1 on, sorted by lane and height
		if i > 0 && e.Lane != before && before.Compare(e.Lane) >= 0 || !follows(lane, e) {
			return nil, fmt.Errorf("entry %s: %w", e.CID(), ErrFork)
		}
		if err := c.Allows(e); err != nil {
			return nil, err
		}
		out[e.Lane], before = append(lane, n), e.Lane
	}
	return out, nil
}

// follows reports whether an entry is the next of a lane.
func follows(lane []numberedEntry, e Entry) bool {
	if len(lane) == 0 {
		return e.Height == 1
	}
	head := lane[len(lane)-1].entry
	return e.Height == head.Height+1 && e.Prev == head.CID()
}

// promised takes in the receipts for everything that a snapshot needs.
func (p provenLanes) promised(h holdings, last numberedEntry) error {
	own := p[last.entry.Lane]
	if !follows(own, last.entry) {
		return fmt.Errorf("entry %s: %w", last.entry.CID(), ErrFork)
	}
	if len(own) > 0 {
		head := own[len(own)-1]
		last.first = head.first + int64(len(head.segments))
	}
	own = append(own, last)
	set, err := resolveAlong(own, 0)
	if err != nil {
		return err
	}
	for _, l := range set.Lanes {
		lane, err := p.upto(l, own)
		if err != nil {
			return err
		}
		for _, n := range lane {
			if !n.needs(l.Numbers) {
				continue
			}
			if err := n.promised(h, l.Numbers); err != nil {
				return err
			}
		}
	}
	return nil
}

// upto returns a lane's entries up to where a set counts them.
func (p provenLanes) upto(l LaneSet, own []numberedEntry) ([]numberedEntry, error) {
	lane := p[l.Lane]
	if l.Lane == own[0].entry.Lane {
		lane = own
	}
	for i, n := range lane {
		if n.entry.CID() != l.UpTo {
			continue
		}
		// SPEC: All numbers MUST exist.
		if l.Numbers.End() > n.first+int64(len(n.segments)) {
			return nil, fmt.Errorf("%w: number %d of lane %s does not exist", ErrRefs, l.Numbers.End()-1, l.Lane)
		}
		return lane[:i+1], nil
	}
	return nil, fmt.Errorf("%w: lane %s up to entry %s is not there", ErrRefs, l.Lane, l.UpTo)
}

// resolveAlong returns the reference set of a lane's last entry, on which so many
// deltas stand.
func resolveAlong(lane []numberedEntry, above int) (Set, error) {
	last := len(lane) - 1
	if above > MaxDeltas {
		return Set{}, fmt.Errorf("%w: %d deltas without a full set", ErrRefs, above)
	}
	r, err := ParseRefSet(lane[last].body.Refs)
	if err != nil {
		return Set{}, err
	}
	var base Set
	if !r.IsFull() {
		i := last - 1
		for i >= 0 && lane[i].entry.CID() != r.Base {
			i--
		}
		if i < 0 {
			return Set{}, fmt.Errorf("%w: base %s is not known", ErrRefs, r.Base)
		}
		if base, err = resolveAlong(lane[:i+1], above+1); err != nil {
			return Set{}, err
		}
	}
	return r.Resolve(lane[last].entry.Lane, lane[last].entry.CID(), base)
}
