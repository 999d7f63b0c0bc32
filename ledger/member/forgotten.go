package member

import (
	"slices"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// lost reports whether a certificate holds a vote of this member, under its present
// vote key, of which its store knows nothing: the store was lost or restored from an
// older image, and nobody knows what else was signed. Votes at the head's height and
// above are never dropped, and there is none above the next height.
func (v *vault) lost(c ledger.Certificate, s ledger.LaneState) bool {
	m, ok := v.inForce().Member(v.store.cfg.Operator)
	if !ok || m.Vote != v.voteKey().Public() || !slices.Contains(c.Voters(), m.Operator) {
		return false
	}
	at := c.Place()
	_, locked := s.Lock(at.Height, at.Attempt)
	return at.Charter == v.inForce().CID() && at.Height >= s.Height && !locked
}

// forget ends the signing under this vote key, for this vault and for ever: a charter
// has to name another one.
func (v *vault) forget(c ledger.Certificate) error {
	key := v.voteKey().Public()
	if v.hasForgotten(key) {
		return nil
	}
	v.forgotten.Store(&key)
	v.store.cfg.Log.Error("a vote of this member is not in its store, it signs nothing more", "vault", v.id, "place", c.Place().String(), "entry", c.Entry)
	return v.write(func(x index) error { return x.putForgotten(key) })
}

// hasForgotten reports whether the votes under a key were lost.
func (v *vault) hasForgotten(key ident.PublicKey) bool {
	lost := v.forgotten.Load()
	return lost != nil && *lost == key
}
