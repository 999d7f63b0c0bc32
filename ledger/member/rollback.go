package member

import (
	"errors"
	"slices"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
)

// undo is what takes back the effects of a lane's head: what its entry has changed
// besides being the head, and what was there before.
type undo struct {
	entry   ledger.Entry
	device  ident.PublicKey // whose grant it has changed; zero for none
	before  ident.Signed    // that device's grant before; zero for none
	revoked ident.PublicKey // whom it has revoked; zero for none
}

// undoOf finds out how the effects of a lane's head are taken back. The segments that
// it introduces need nothing: they count by its record.
func (v *vault) undoOf(x index, head ident.CID) (undo, error) {
	e, eff, err := v.effectOf(x, head)
	if err != nil {
		return undo{}, err
	}
	u := undo{entry: e, device: eff.Grant.Device, revoked: eff.Revoked}
	if u.device.IsZero() {
		return u, nil
	}
	u.before, err = v.grantBefore(x, e, u.device)
	return u, err
}

// effectOf reads the effect of an entry that is here.
func (v *vault) effectOf(x index, id ident.CID) (ledger.Entry, ledger.Effect, error) {
	rec, err := x.chained(id.Bytes())
	if err != nil {
		return ledger.Entry{}, ledger.Effect{}, err
	}
	l, err := rec.link()
	if err != nil {
		return ledger.Entry{}, ledger.Effect{}, err
	}
	e, err := ledger.VerifyEntry(l.Entry)
	if err != nil || e.Kind == ledger.KindSnapshot {
		return e, ledger.Effect{}, err
	}
	body, err := v.bodyOf(x, id)
	if err != nil {
		return e, ledger.Effect{}, err
	}
	ch, err := v.charterOf(e.Charter)
	if err != nil {
		return e, ledger.Effect{}, err
	}
	eff, err := ledger.ReadEffect(ch, e, body)
	return e, eff, err
}

// grantBefore returns the grant that a device had before an entry of the owner's lane:
// it reads that lane again, from there down.
func (v *vault) grantBefore(x index, e ledger.Entry, device ident.PublicKey) (ident.Signed, error) {
	for height := e.Height - 1; height > 0; height-- {
		id, err := x.at(e.Lane, height)
		if err != nil {
			return ident.Signed{}, err
		}
		_, eff, err := v.effectOf(x, id)
		if err != nil || eff.Grant.Device == device {
			return eff.Enrolled, err
		}
	}
	return ident.Signed{}, nil
}

// bodyOf returns the body of an entry within a transaction: the database's, or that of
// its file.
func (v *vault) bodyOf(x index, id ident.CID) ([]byte, error) {
	if p := x.get(heldBucket, id.Bytes()); p != nil {
		return slices.Clone(p), nil
	}
	l, _, err := v.dirs.readEntry(id, v.chain())
	return l.Body, err
}

// rollBack takes back a lane's head. Its entry stays, as one that is not certified: a
// later attempt may bring it again. Who calls it makes another entry the head.
func (x index) rollBack(u undo) error {
	id := u.entry.CID()
	rec, err := x.chained(id.Bytes())
	if err != nil {
		return err
	}
	l, err := rec.link()
	if err != nil {
		return err
	}
	l.Cert = nil
	if rec.Link, err = l.Encode(); err != nil {
		return err
	}
	rec.Certified, rec.Attempt, rec.Unsure = false, 0, false
	err = errors.Join(
		x.putEntry(id, rec),
		x.touchTable(id),
		x.bucket(unsettledBucket).Delete(id.Bytes()),
		x.bucket(chainBucket).Delete(chainKey(u.entry.Lane, u.entry.Height)),
		x.putNumber(aboutEntries, x.number(aboutEntries)-1))
	if err != nil || u.device.IsZero() && u.revoked.IsZero() {
		return err
	}
	if string(x.get(revokedBucket, u.revoked.Bytes())) == string(id.Bytes()) {
		return x.bucket(revokedBucket).Delete(u.revoked.Bytes())
	}
	switch {
	case u.device.IsZero():
		return nil
	case u.before.IsZero():
		return x.bucket(grantsBucket).Delete(u.device.Bytes())
	}
	p, err := wire.Encode(u.before)
	if err != nil {
		return err
	}
	return x.put(grantsBucket, u.device.Bytes(), p)
}
