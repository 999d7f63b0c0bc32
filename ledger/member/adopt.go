package member

import (
	"fmt"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// Adopt takes a certified link with its body, from whoever has it: how a member that
// was away catches up, lane by lane, in order of height. A link that is known is
// taken again, which repairs its file. Nothing is signed: for the ack, call Certify.
// The link of a charter with the acks of a quorum brings it into force, whatever else of
// its lane is here; other links are taken under the charters that are known.
// The certificate may be below what this member has promised; it votes for nothing on
// top of such a head.
func (s *Store) Adopt(vault ident.CID, link ledger.Link) error {
	v, err := s.vault(vault)
	if err != nil {
		return err
	}
	if link.Cert.IsZero() || link.Body == nil {
		return fmt.Errorf("adopt entry: %w: certificate and body are needed", ledger.ErrInvalid)
	}
	if err := v.succeed(link); err != nil {
		return fmt.Errorf("adopt entry: %w", err)
	}
	e, c, err := v.chain().Verify(link)
	if err != nil {
		return fmt.Errorf("adopt entry: %w", err)
	}
	ch, err := v.charterOf(e.Charter)
	if err != nil {
		return fmt.Errorf("adopt entry: %w", err)
	}
	eff, err := ledger.ReadEffect(ch, e, link.Body)
	if err != nil {
		return fmt.Errorf("adopt entry: %w", err)
	}
	t := &taking{vault: v, certificate: c, cert: link.Cert, adopted: &adopted{entry: e, link: link, eff: eff}}
	if err = t.run(); err == nil && !t.renews() {
		err = v.heal(e, link, eff)
	}
	if err == nil {
		err = v.getReady()
	}
	return v.explain(c.Place(), err)
}

// heal writes the file of a certified entry again, if it is damaged.
func (v *vault) heal(e ledger.Entry, l ledger.Link, eff ledger.Effect) error {
	v.files.Lock()
	defer v.files.Unlock()
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
		if err := x.putEntry(e.CID(), rec); err != nil {
			return err
		}
		if e.Kind != ledger.KindSnapshot {
			return nil
		}
		return x.completeTable(e.CID(), eff)
	})
}
