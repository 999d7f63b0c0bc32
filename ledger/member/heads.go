package member

import (
	"fmt"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// Heads signs over a nonce what this member holds of a vault: the head of every
// lane, and its open locks.
func (s *Store) Heads(vault ident.CID, nonce [16]byte) (ident.Signed, error) {
	v, err := s.voting(vault)
	if err != nil {
		return ident.Signed{}, err
	}
	h := ledger.Heads{
		Vault: v.id, Charter: v.inForce().CID(), Nonce: nonce, Operator: s.cfg.Operator, Clock: ledger.Millis(s.cfg.Now()),
	}
	err = v.read(func(x index) error {
		lanes, err := x.lanes(v.inForce().CID())
		if err != nil {
			return err
		}
		for _, lane := range lanes {
			l, err := x.laneHead(v.inForce().CID(), lane)
			if err != nil {
				return err
			}
			if l.Height > 0 || l.Lock != (ledger.Lock{}) || l.Floor > 0 {
				h.Lanes = append(h.Lanes, l)
			}
		}
		return nil
	})
	if err != nil {
		return ident.Signed{}, fmt.Errorf("read heads: %w", err)
	}
	if err := s.present(); err != nil {
		return ident.Signed{}, err
	}
	return ledger.SignHeads(v.voteKey(), h)
}

// lanes returns every lane that has a certified entry, a lock or a floor, each once.
func (x index) lanes(charter ident.CID) ([]ident.PublicKey, error) {
	promised, err := x.promisedLanes(charter)
	if err != nil {
		return nil, err
	}
	var lanes []ident.PublicKey
	seen := make(map[ident.PublicKey]bool, len(promised))
	add := func(lane ident.PublicKey) {
		if !seen[lane] {
			seen[lane] = true
			lanes = append(lanes, lane)
		}
	}
	for _, lane := range promised {
		add(lane)
	}
	err = x.bucket(headsBucket).ForEach(func(k, _ []byte) error {
		lane, err := ident.PublicKeyFromBytes(k)
		if err == nil {
			add(lane)
		}
		return err
	})
	return lanes, err
}

// Segments signs over a nonce what this member knows of segments, at most
// ledger.MaxStates: what holders ask before they let go of provisional shards.
func (s *Store) Segments(vault ident.CID, nonce [16]byte, segments []ident.CID) (ident.Signed, error) {
	v, err := s.voting(vault)
	if err != nil {
		return ident.Signed{}, err
	}
	if len(segments) > ledger.MaxStates {
		return ident.Signed{}, fmt.Errorf("%w: %d segments", ledger.ErrTooLarge, len(segments))
	}
	a := ledger.Segments{
		Vault: v.id, Charter: v.inForce().CID(), Nonce: nonce, Operator: s.cfg.Operator, Clock: ledger.Millis(s.cfg.Now()),
		States: make([]ledger.SegmentState, len(segments)),
	}
	err = v.read(func(x index) error {
		for i, id := range segments {
			state, _, err := x.state(id)
			if err != nil {
				return err
			}
			a.States[i] = ledger.SegmentState{Segment: id, State: state}
		}
		return nil
	})
	if err == nil {
		err = s.present()
	}
	if err != nil {
		return ident.Signed{}, fmt.Errorf("read segments: %w", err)
	}
	return ledger.SignSegments(v.voteKey(), a)
}
