package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/witness"
	"holdfast/p2p/ledgerrpc"
)

// maxReceipt bounds the bodies that a receipt holds besides the snapshot's own.
const maxReceipt = ledger.MaxProof / 2

// ErrTooMuch says that what a snapshot needs of earlier ones does not fit into a
// receipt.
var ErrTooMuch = errors.New("the entries before it do not fit into one receipt")

// Receipt collects what shows, offline and without a key, that a snapshot is certified
// and who holds it: all that it needs, or, if brief, what it brought alone. Sync has to
// be called before. It reads nothing that is sealed. What it returns verifies.
func (s *Session) Receipt(ctx context.Context, snap Snapshot, brief bool) (ledger.Proof, error) {
	p, err := s.receipt(ctx, snap.Link, brief)
	if err == nil {
		_, err = p.Verify()
	}
	if err != nil {
		return ledger.Proof{}, fmt.Errorf("make receipt of snapshot %.8s: %w", snap.ID(), err)
	}
	return p, nil
}

func (s *Session) receipt(ctx context.Context, l Link, brief bool) (ledger.Proof, error) {
	s.settle()
	p := ledger.Proof{V: 1, Charter: s.profile.Charter, Successions: s.chain.Successions()}
	var err error
	if p.Link, err = s.wholeLink(ctx, l); err != nil {
		return p, err
	}
	segments, err := segmentsIn(p.Link.Body)
	if err != nil {
		return p, err
	}
	if !brief {
		lanes, err := s.lanesBelow(ctx, l)
		if err != nil {
			return p, err
		}
		size := 0
		for _, below := range lanes {
			link, err := s.wholeLink(ctx, below)
			if err != nil {
				return p, err
			}
			if size += len(link.Body); size > maxReceipt {
				return p, ErrTooMuch
			}
			link.Cert = nil // the snapshot's certificate binds it
			more, err := segmentsIn(link.Body)
			if err != nil {
				return p, err
			}
			p.Earlier, segments = append(p.Earlier, link), append(segments, more...)
		}
	}
	p.Placements, err = s.placements(ctx, segments)
	return p, err
}

func segmentsIn(body []byte) ([]ident.CID, error) {
	b, err := ledger.ParseSnapshotBody(body)
	if err != nil {
		return nil, err
	}
	var out []ident.CID
	for _, n := range b.Segments {
		out = append(out, ident.SumDagCBOR(n.Descriptor))
	}
	return out, nil
}

// lanesBelow lists every entry of the lanes that a snapshot's reference set names, up
// to where it counts them, sorted by lane and height.
func (s *Session) lanesBelow(ctx context.Context, l Link) ([]Link, error) {
	set, err := s.referenceSet(ctx, l, 0)
	if err != nil {
		return nil, err
	}
	var out []Link
	own := l.Entry.Lane
	lanes := append(set.Lanes, ledger.LaneSet{Lane: own, UpTo: l.CID})
	slices.SortFunc(lanes, func(a, b ledger.LaneSet) int { return a.Lane.Compare(b.Lane) })
	lanes = slices.CompactFunc(lanes, func(a, b ledger.LaneSet) bool { return a.Lane == b.Lane })
	for _, named := range lanes {
		for _, below := range s.history.lanes[named.Lane] {
			if below.CID == l.CID {
				break
			}
			out = append(out, below)
			if below.CID == named.UpTo {
				break
			}
		}
	}
	return out, nil
}

// referenceSet resolves a snapshot's reference set, on which so many deltas stand.
func (s *Session) referenceSet(ctx context.Context, l Link, above int) (ledger.Set, error) {
	b, err := s.snapshotBody(ctx, l)
	if err != nil {
		return ledger.Set{}, err
	}
	r, err := ledger.ParseRefSet(b.Refs)
	if err != nil {
		return ledger.Set{}, err
	}
	var base ledger.Set
	if !r.IsFull() {
		links := s.history.lanes[l.Entry.Lane]
		i := slices.IndexFunc(links, func(x Link) bool { return x.CID == r.Base })
		if i < 0 || above > ledger.MaxDeltas {
			return ledger.Set{}, fmt.Errorf("entry %.8s: %w: base %s", l.CID.Hex(), ledger.ErrRefs, r.Base)
		}
		if base, err = s.referenceSet(ctx, links[i], above+1); err != nil {
			return ledger.Set{}, err
		}
	}
	return r.Resolve(l.Entry.Lane, l.CID, base)
}

// placements asks all members for the later receipts over some segments: each may have
// others. What is not there is only less that is shown.
func (s *Session) placements(ctx context.Context, segments []ident.CID) ([]ledger.Placement, error) {
	var out []ledger.Placement
	seen := map[ident.CID]bool{}
	wait := quorumWait{Enough: len(s.charter.Members), Limit: askLimit}
	for some := range slices.Chunk(segments, ledger.MaxStates) {
		answers := gather(ctx, s.charter.Members, wait, func(ctx context.Context, m ledger.Member) ([]ledgerrpc.Placement, error) {
			return s.member(m).Placements(ctx, s.vault, some)
		})
		for _, a := range answers {
			for _, p := range a.Value {
				l := ledger.Placement{V: 1, Receipt: p.Receipt, Cert: p.Certificate}
				if _, _, err := s.chain.VerifyPlacement(l); err != nil || seen[p.Receipt.CID()] {
					continue
				}
				seen[p.Receipt.CID()] = true
				out = append(out, l)
			}
		}
	}
	return out, ctx.Err()
}

// Witnessed is the head of this device's lane as outside witnesses see it.
type Witnessed struct {
	Log        *witness.Log
	Checkpoint []byte // signed by this device
	Key        string // what a witness has to be told, once
}

// Witness signs the head of this device's own lane as a C2SP checkpoint. Nobody else
// can. The head must be final: what could still be replaced is never signed.
func (s *Session) Witness() (Witnessed, error) {
	if err := s.allowed(); err != nil {
		return Witnessed{}, err
	}
	lane := s.lane()
	links := s.history.lanes[lane]
	last, ok := s.history.head(lane)
	if !ok {
		return Witnessed{}, fmt.Errorf("sign checkpoint: %w: this device has added nothing", ErrNoSnapshot)
	}
	have := 0
	for _, a := range s.heard {
		if head := a.Value.Lane(lane); a.Err == nil && (head.Height > last.Entry.Height || head.Height == last.Entry.Height && head.Entry == last.CID) {
			have++
		}
	}
	if have < s.charter.Quorum() {
		return Witnessed{}, fmt.Errorf("sign checkpoint: %w: %d members have the newest entry", ErrNoQuorum, have)
	}
	entries := make([]ident.CID, len(links))
	for i, l := range links {
		entries[i] = l.CID
	}
	var w Witnessed
	var err error
	if w.Log, err = witness.NewLog(s.vault, lane, entries); err == nil {
		w.Checkpoint, err = w.Log.Checkpoint(s.profile.Device)
	}
	if err == nil {
		w.Key, err = witness.Key(s.vault, lane)
	}
	return w, err
}

// Prove returns the proof that a snapshot of this device is in its checkpoint.
func (w Witnessed) Prove(snap Snapshot) (witness.Proof, error) {
	return w.Log.Prove(snap.Link.Entry.Height, w.Checkpoint)
}
