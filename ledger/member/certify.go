package member

import (
	"holdfast/internal/ident"
	"holdfast/ledger"
)

// Certify takes a certificate of an entry that this member has, from Propose or
// Adopt, and returns its ack. Before it signs, the certificate is in the database,
// flushed; the copy among the files follows. The same certificate gets the same ack,
// unless this member has reported since that it acknowledges no such attempt.
func (s *Store) Certify(vault ident.CID, cert []byte) (ident.Signed, error) {
	v, err := s.voting(vault)
	if err != nil {
		return ident.Signed{}, err
	}
	c, err := ledger.VerifyCertificate(cert, v.inForce())
	if err != nil {
		return ident.Signed{}, err
	}
	t := &taking{vault: v, certificate: c, cert: cert}
	if err := t.run(); err != nil {
		return ident.Signed{}, v.explain(c.Place(), err)
	}
	return ledger.SignAck(v.voteKey(), ledger.Ack{Place: c.Place(), Entry: c.Entry, Operator: s.cfg.Operator})
}

// present checks that an entry with its body is where the index says. What is in a
// file is looked at when it is read.
func (v *vault) present(id ident.CID) error {
	var rec record
	held := false
	err := v.read(func(x index) error {
		var err error
		rec, _, err = x.entry(id)
		held = x.get(heldBucket, id.Bytes()) != nil
		return err
	})
	if err != nil || held {
		return err
	}
	return v.dirs.whole(id, rec.Size)
}
