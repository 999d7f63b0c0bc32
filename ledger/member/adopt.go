package member

import (
	"errors"
	"fmt"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// Adopt takes a certified link with its body, from whoever has it: how a member that
// was away catches up, lane by lane, in order of height. A link that is known is
// taken again, which repairs its file. Nothing is signed: for the ack, call Certify.
func (s *Store) Adopt(vault ident.CID, link ledger.Link) error {
	v, err := s.vault(vault)
	if err != nil {
		return err
	}
	if link.Cert.IsZero() || link.Body == nil {
		return fmt.Errorf("adopt entry: %w: certificate and body are needed", ledger.ErrInvalid)
	}
	e, _, err := link.Verify(v.charter)
	if err != nil {
		return fmt.Errorf("adopt entry: %w", err)
	}
	eff, err := ledger.ReadEffect(v.charter, e, link.Body)
	if err != nil {
		return fmt.Errorf("adopt entry: %w", err)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.explain(e.Lane, v.adopt(e, link, eff))
}

func (v *vault) adopt(e ledger.Entry, l ledger.Link, eff ledger.Effect) error {
	var before int64
	err := v.read(func(x index) error {
		if _, ok, err := x.certified(e.CID()); err != nil {
			return err
		} else if ok {
			return errKnown
		}
		if err := x.follows(e); err != nil {
			return err
		}
		rec, _, err := x.entry(e.Prev)
		before = rec.Count
		return err
	})
	if errors.Is(err, errKnown) {
		return v.heal(e, l)
	}
	if errors.Is(err, ledger.ErrFork) {
		v.store.cfg.Log.Error("two certificates at one height", "vault", v.id, "lane", e.Lane, "height", e.Height, "entry", e.CID())
	}
	if err != nil {
		return err
	}
	size, err := v.dirs.writeEntry(e.CID(), l)
	if err != nil {
		return fmt.Errorf("keep entry: %w", err)
	}
	rec := record{Count: before + int64(len(eff.Segments)), Size: size, Certified: true}
	return v.write(func(x index) error {
		if err := x.putLink(e, l, eff, rec); err != nil {
			return err
		}
		return errors.Join(x.putCertified(e, eff), x.bucket(heldBucket).Delete(e.CID().Bytes()))
	})
}

// errKnown says that a link has been adopted or certified before.
var errKnown = errors.New("entry is known")

// heal writes the file of a certified entry again, if it is damaged.
func (v *vault) heal(e ledger.Entry, l ledger.Link) error {
	if _, _, err := v.readEntry(e.CID()); err == nil {
		return nil
	}
	v.store.cfg.Log.Warn("file of an entry is repaired", "vault", v.id, "entry", e.CID())
	size, err := v.dirs.writeEntry(e.CID(), l)
	if err != nil {
		return fmt.Errorf("keep entry: %w", err)
	}
	return v.write(func(x index) error {
		rec, _, err := x.entry(e.CID())
		if err != nil {
			return err
		}
		rec.Size = size
		return x.putEntry(e.CID(), rec)
	})
}
