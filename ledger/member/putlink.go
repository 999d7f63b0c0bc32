package member

import (
	"errors"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
)

// putLink writes down an entry that is in a file, certified or not: what follows
// from its body, and that it is there. R says the rest: count, size, certified.
func (x index) putLink(e ledger.Entry, l ledger.Link, eff ledger.Effect, r record) error {
	id := e.CID()
	l.Body = nil
	p, err := l.Encode()
	if err != nil {
		return err
	}
	r.Lane, r.Height, r.Link = e.Lane, e.Height, p
	if e.Kind == ledger.KindSnapshot && !eff.Partial {
		r.Source = e.Source[:]
	}
	err = errors.Join(x.putEntry(id, r), x.put(bodiesBucket, e.Body.Bytes(), id.Bytes()))
	if err == nil && e.Kind == ledger.KindSnapshot {
		err = errors.Join(
			x.put(refsBucket, id.Bytes(), eff.Refs),
			x.introduce(id, eff.Segments, r.Count-int64(len(eff.Segments))),
			x.putTable(id, eff))
	}
	return err
}

// putCertified makes an entry, which putLink has written, the head of its lane. Of a
// snapshot no effect is needed.
func (x index) putCertified(e ledger.Entry, eff ledger.Effect) error {
	if err := errors.Join(x.putHead(e.Lane, e.Height, e.CID()), x.touchTable(e.CID())); err != nil {
		return err
	}
	if err := x.dropPromises(e.Charter, e.Lane, e.Height); err != nil {
		return err
	}
	if err := x.putNumber(aboutEntries, x.number(aboutEntries)+1); err != nil {
		return err
	}
	switch e.Kind {
	case ledger.KindEnrol:
		return x.enrol(eff.Grant.Device, eff.Enrolled)
	case ledger.KindRevoke:
		// A device that was revoked before stays so, if this entry is ever taken back.
		if x.revoked(eff.Revoked) {
			return nil
		}
		return x.put(revokedBucket, eff.Revoked.Bytes(), e.CID().Bytes())
	}
	return nil
}

func (x index) enrol(device ident.PublicKey, grant ident.Signed) error {
	p, err := wire.Encode(grant)
	if err != nil {
		return err
	}
	return x.put(grantsBucket, device.Bytes(), p)
}
