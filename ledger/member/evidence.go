package member

import (
	"bytes"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
)

// The kinds of evidence, as they stand before the place in its bucket.
const (
	evidenceOfLane    = 'l' // two proposals
	evidenceOfMembers = 'm' // two certificates
)

// Evidence returns what somebody has signed twice, encoded, at most MaxEvidence: the
// first that was seen at each place.
func (s *Store) Evidence(vault ident.CID) ([][]byte, error) {
	v, err := s.vault(vault)
	if err != nil {
		return nil, err
	}
	var out [][]byte
	err = v.read(func(x index) error {
		return x.bucket(evidenceBucket).ForEach(func(_, p []byte) error {
			out = append(out, bytes.Clone(p))
			return nil
		})
	})
	return out, err
}

// equivocated keeps a proposal for a place that is locked to another entry, with the
// one that was voted for. The lane's key has signed both.
func (v *vault) equivocated(p ledger.Proposal, signed ident.Signed) error {
	var first ident.Signed
	err := v.read(func(x index) error {
		if b := x.get(proposalsBucket, lockKey(p.Place)); b != nil {
			return wire.Decode(b, &first)
		}
		return nil
	})
	if err != nil || first.IsZero() || len(signed.Object) > maxProposal {
		return err
	}
	return v.putEvidence(evidenceOfLane, p.Place, ledger.Equivocated(first, signed))
}

// forked keeps two certificates for one place: more members than may lie have signed
// both.
func (v *vault) forked(at ledger.Place, a, b []byte) error {
	v.store.cfg.Log.Error("two certificates for one place", "vault", v.id, "place", at.String())
	return v.putEvidence(evidenceOfMembers, at, ledger.Forked(a, b))
}

// putEvidence keeps evidence, unless there is some for this place or enough of it.
func (v *vault) putEvidence(kind byte, at ledger.Place, e ledger.Evidence) error {
	p, err := e.Encode()
	if err != nil {
		return err
	}
	key := append([]byte{kind}, lockKey(at)...)
	full := func(x index) bool {
		b := x.bucket(evidenceBucket)
		return b.Get(key) != nil || b.Stats().KeyN >= MaxEvidence
	}
	enough := false
	if err := v.read(func(x index) error { enough = full(x); return nil }); err != nil || enough {
		return err
	}
	return v.write(func(x index) error {
		if full(x) {
			return nil
		}
		return x.put(evidenceBucket, key, p)
	})
}
