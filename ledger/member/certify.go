package member

import (
	"fmt"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// Certify takes a certificate of an entry that this member has, from Propose or
// Adopt, and returns its ack. Before it signs, the certificate is in the database,
// flushed; the copy among the files follows. The same certificate gets the same ack.
func (s *Store) Certify(vault ident.CID, cert []byte) (ident.Signed, error) {
	v, err := s.voting(vault)
	if err != nil {
		return ident.Signed{}, err
	}
	c, err := ledger.VerifyCertificate(cert, v.charter)
	if err != nil {
		return ident.Signed{}, err
	}
	// SPEC: attempts above 0 come with a later version.
	if c.Attempt != 0 {
		return ident.Signed{}, fmt.Errorf("certify entry %s: %w", c.Entry, ledger.ErrAttempt)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.certify(c, cert); err != nil {
		return ident.Signed{}, v.explain(c.Place().Lane, err)
	}
	return ledger.SignAck(s.cfg.Vote, ledger.Ack{Place: c.Place(), Entry: c.Entry, Operator: s.cfg.Operator})
}

// certify returns nil when a certificate and its entry are on the disk.
func (v *vault) certify(c ledger.Certificate, cert []byte) error {
	var rec record
	var e ledger.Entry
	var l ledger.Link
	held := false
	err := v.read(func(x index) error {
		var ok bool
		var err error
		rec, ok, err = x.entry(c.Entry)
		if err == nil && !ok {
			err = v.unknown(x, c)
		}
		if err != nil {
			return err
		}
		if l, err = rec.link(); err != nil {
			return err
		}
		if e, err = ledger.VerifyEntry(l.Entry); err != nil {
			return err
		}
		held = x.get(heldBucket, c.Entry.Bytes()) != nil
		if rec.Certified {
			return nil
		}
		return x.follows(e)
	})
	if err == nil {
		err = c.Certifies(e)
	}
	if err == nil && !held {
		err = v.dirs.whole(c.Entry, rec.Size)
	}
	if err != nil || rec.Certified {
		return err
	}
	l.Cert = cert
	return v.advance(e, l, rec)
}

// unknown refuses a certificate of an entry that is not here. If another entry is
// certified at its height, then members have signed what they must not.
func (v *vault) unknown(x index, c ledger.Certificate) error {
	at := c.Place()
	height, _, err := x.head(at.Lane)
	if err != nil {
		return err
	}
	if at.Height <= height {
		v.store.cfg.Log.Error("two certificates at one height", "vault", v.id, "place", at.String(), "entry", c.Entry)
		return fmt.Errorf("%w: entry %s is certified at height %d too", ledger.ErrFork, c.Entry, at.Height)
	}
	if at.Height > height+1 {
		return fmt.Errorf("%w: height %d", ledger.ErrBehind, at.Height)
	}
	return fmt.Errorf("%w: %s", ErrUnknownEntry, c.Entry)
}

// follows checks that an entry, which a quorum has certified, is the next of its lane.
func (x index) follows(e ledger.Entry) error {
	height, head, err := x.head(e.Lane)
	switch {
	case err != nil:
		return err
	case e.Height > height+1:
		return fmt.Errorf("%w: height %d, head %d", ledger.ErrBehind, e.Height, height)
	case e.Height <= height || e.Prev != head:
		return fmt.Errorf("%w: entry %s at height %d", ledger.ErrFork, e.CID(), e.Height)
	}
	return nil
}

// advance makes an entry the head of its lane. Its body is on the disk.
func (v *vault) advance(e ledger.Entry, l ledger.Link, rec record) error {
	var eff ledger.Effect
	if e.Kind != ledger.KindSnapshot {
		whole, _, err := v.readEntry(e.CID())
		if err != nil {
			return err
		}
		if eff, err = ledger.ReadEffect(v.charter, e, whole.Body); err != nil {
			return err
		}
	}
	p, err := l.Encode()
	if err != nil {
		return err
	}
	rec.Certified, rec.Link = true, p
	err = v.write(func(x index) error {
		if err := x.putEntry(e.CID(), rec); err != nil {
			return err
		}
		if err := x.putCertified(e, eff); err != nil {
			return err
		}
		return x.put(unsettledBucket, e.CID().Bytes(), []byte{})
	})
	if err != nil {
		return fmt.Errorf("certify entry: %w", err)
	}
	v.unsettled++
	if v.unsettled >= settleAt {
		v.settleBehind()
	}
	return nil
}
