package member

import (
	"errors"
	"fmt"
	"time"

	"holdfast/internal/atomicfile"
	"holdfast/internal/ident"
	"holdfast/ledger"
)

// Undo judges an undo and returns this member's word that the release is taken back.
// The release's certificate must be here, and its trash time not have passed on this
// member's clock since. From then on this member tells holders that it is undone. The
// same release gets the same word.
func (s *Store) Undo(vault ident.CID, undo ident.Signed) (ident.Signed, error) {
	v, err := s.voting(vault)
	if err != nil {
		return ident.Signed{}, err
	}
	u, err := ledger.VerifyUndo(undo, v.id)
	if err != nil {
		return ident.Signed{}, err
	}
	v.releasing.Lock()
	defer v.releasing.Unlock()
	var rec releaseRecord
	var key ident.PrivateKey
	err = v.change(func(x index) error {
		var err error
		key = v.voteKey()
		rec, err = v.undo(x, u, s.cfg.Now())
		return err
	}, func(x index) error { return x.putRelease(u.Release, rec) })
	if err != nil {
		return ident.Signed{}, err
	}
	return ledger.SignUndone(key, ledger.Undone{
		Vault: v.id, Charter: rec.UndoUnder, Release: u.Release, Operator: s.cfg.Operator, Clock: rec.Undo,
	})
}

// undo decides, and returns the record with this member's word in it.
func (v *vault) undo(x index, u ledger.Undo, now time.Time) (releaseRecord, error) {
	ch := v.inForce()
	if u.Charter != ch.CID() {
		return releaseRecord{}, fmt.Errorf("%w: undo under %s", ledger.ErrCharter, u.Charter)
	}
	if err := v.checkThawed(x, ch.CID()); err != nil {
		return releaseRecord{}, err
	}
	known := &view{index: x, charter: ch}
	if err := ledger.CheckUndoer(known, u.By, now); err != nil || known.err != nil {
		return releaseRecord{}, errors.Join(err, known.err)
	}
	rec, ok, err := x.releaseOf(u.Release)
	switch {
	case err != nil:
		return rec, err
	case !ok || !rec.certified():
		return rec, fmt.Errorf("%w: no certificate of release %s", ledger.ErrUnknownRequest, u.Release)
	case rec.Undo > 0 && rec.UndoUnder == ch.CID():
		return rec, nil
	}
	if err := v.store.cfg.Doubt(); err != nil {
		return rec, fmt.Errorf("%w: %w", ledger.ErrClockDoubt, err)
	}
	if rec.Undo == 0 && (rec.Closed || ledger.Millis(now) >= rec.Until) {
		return rec, fmt.Errorf("%w: release %s", ledger.ErrTooLate, u.Release)
	}
	rec.Undo, rec.UndoUnder = ledger.Millis(now), ch.CID()
	return rec, nil
}

// Undone keeps an undo certificate of a release whose certificate is here: its segments
// are as before, and so are its request's targets unless another release of them
// stands. It is on the disk when Undone returns nil.
func (s *Store) Undone(vault ident.CID, certificate []byte) error {
	v, err := s.vault(vault)
	if err != nil {
		return err
	}
	about, err := ledger.ReadUndoCertificate(certificate)
	if err != nil {
		return err
	}
	ch, err := v.charterOf(about.Charter)
	if err != nil {
		return err
	}
	u, err := ledger.VerifyUndoCertificate(certificate, ch)
	if err != nil {
		return err
	}
	v.releasing.Lock()
	defer v.releasing.Unlock()
	var rec releaseRecord
	err = v.read(func(x index) error {
		rec, _, err = x.releaseOf(u.Release)
		if err == nil && !rec.certified() {
			err = fmt.Errorf("%w: no certificate of release %s", ledger.ErrUnknownRequest, u.Release)
		}
		return err
	})
	if err != nil || rec.Undone {
		return err
	}
	if err := atomicfile.WriteFile(v.dirs.undoPath(u.Release), certificate, 0o600); err != nil {
		return fmt.Errorf("keep undo: %w", err)
	}
	return v.write(func(x index) error { return x.undone(u.Release) })
}

// undone writes down that a release is taken back.
func (x index) undone(release ident.CID) error {
	rec, _, err := x.releaseOf(release)
	if err != nil {
		return err
	}
	rec.Undone = true
	return errors.Join(
		x.file(release, &rec),
		x.putRelease(release, rec),
		x.recount(),
		x.touchRelease(release),
		x.forget(rec.Request))
}
