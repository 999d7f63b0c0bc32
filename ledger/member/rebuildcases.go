package member

import (
	"fmt"
	"os"
	"strings"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// cases takes in requests, opinions and the certificates of releases. This member's own
// times begin again: cooling-off goes on from now, and it takes back nothing of what
// was certified before. Consents that it gave are lost with its vote key.
func (b *rebuilder) cases(v *vault) error {
	for _, take := range []struct {
		dir, suffix string
		one         func(v *vault, id ident.CID) error
	}{
		{v.dirs.request, "", b.request},
		{v.dirs.release, "", b.release},
		{v.dirs.release, undoSuffix, b.undo},
		{v.dirs.request, "." + string(ledger.Approve), b.opinion(ledger.Approve)},
		{v.dirs.request, "." + string(ledger.Veto), b.opinion(ledger.Veto)},
	} {
		if err := b.each(v, take.dir, take.suffix, take.one); err != nil {
			return err
		}
	}
	return nil
}

// each goes through the files of a folder whose names have a suffix. What a file is
// refused for is noted.
func (b *rebuilder) each(v *vault, dir, suffix string, one func(*vault, ident.CID) error) error {
	names, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, n := range names {
		name, ok := strings.CutSuffix(n.Name(), suffix)
		if !ok || !isHex(name) {
			continue
		}
		if err := one(v, hexCID(name)); err != nil {
			b.skip(fmt.Errorf("%s: %w", n.Name(), err))
		}
	}
	return nil
}

func (b *rebuilder) request(v *vault, id ident.CID) error {
	f, err := v.dirs.readRequest(id)
	if err != nil {
		return err
	}
	if _, err := ledger.VerifyRequest(f.Request, v.id); err != nil {
		return err
	}
	rec := caseRecord{Request: f.Request, Successor: f.Successor, First: ledger.Millis(b.store.cfg.Now())}
	b.found.Requests++
	return v.rewrite(func(x index) error { return x.putCase(rec) })
}

func (b *rebuilder) opinion(stance ledger.Stance) func(*vault, ident.CID) error {
	return func(v *vault, id ident.CID) error {
		s, err := v.dirs.readOpinion(id, stance)
		if err != nil {
			return err
		}
		about, err := ledger.ReadOpinion(s, stance)
		if err != nil {
			return err
		}
		return v.rewrite(func(x index) error {
			c, err := x.gather(about.Request)
			if err != nil {
				return err
			}
			o, err := ledger.VerifyOpinion(s, stance, c.Asked())
			if err != nil {
				return err
			}
			if err := v.checkOpinion(x, c, stance, o, b.store.cfg.Now()); err != nil {
				return err
			}
			return v.opine(x, about.Request, opinionKey(about.Request, stance, o.By), s, b.store.cfg.Now())
		})
	}
}

func (b *rebuilder) release(v *vault, id ident.CID) error {
	r, err := v.dirs.readReleased(id, false)
	if err != nil {
		return err
	}
	about, err := ledger.ReadReleaseCertificate(r.Cert)
	if err != nil {
		return err
	}
	ch, err := v.charterOf(about.Charter)
	if err != nil {
		return err
	}
	c, err := ledger.VerifyReleaseCertificate(r.Cert, ch)
	if err != nil {
		return err
	}
	return v.rewrite(func(x index) error {
		if err := v.release(x, c, b.store.cfg.Now()); err != nil {
			return err
		}
		rec, _, err := x.releaseOf(id)
		if err != nil {
			return err
		}
		b.found.Releases++
		rec.Closed = true
		return x.putRelease(id, rec)
	})
}

func (b *rebuilder) undo(v *vault, id ident.CID) error {
	r, err := v.dirs.readReleased(id, true)
	if err != nil {
		return err
	}
	about, err := ledger.ReadUndoCertificate(r.Undo)
	if err != nil {
		return err
	}
	ch, err := v.charterOf(about.Charter)
	if err != nil {
		return err
	}
	u, err := ledger.VerifyUndoCertificate(r.Undo, ch)
	if err != nil {
		return err
	}
	return v.rewrite(func(x index) error {
		rec, _, err := x.releaseOf(u.Release)
		if err == nil && !rec.certified() {
			err = ledger.ErrUnknownRequest
		}
		if err != nil {
			return err
		}
		return x.undone(u.Release)
	})
}
