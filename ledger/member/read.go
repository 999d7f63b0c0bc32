package member

import (
	"bytes"
	"fmt"
	"slices"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// Charters returns a vault's charters, from the first to the newest.
func (s *Store) Charters(vault ident.CID) ([]ident.Signed, error) {
	v, err := s.vault(vault)
	if err != nil {
		return nil, err
	}
	return v.chain().Charters(), nil
}

// Charter returns the charter in force of a vault, as Charters verified it.
func (s *Store) Charter(vault ident.CID) (ledger.Charter, error) {
	v, err := s.vault(vault)
	if err != nil {
		return ledger.Charter{}, err
	}
	return v.inForce(), nil
}

// Vaults returns the first charters of the vaults whose owner has an ID, sorted by
// their CIDs, MaxOwned at most.
func (s *Store) Vaults(owner [ident.HashSize]byte) []ident.Signed {
	var out []ident.Signed
	for _, id := range s.All() {
		v, err := s.vault(id)
		if err == nil && v.inForce().Owner.ID() == owner && len(out) < MaxOwned {
			out = append(out, v.signed)
		}
	}
	return out
}

// Links returns the encoded links of a lane's certified entries from a height on,
// without bodies. They are at most as many as asked for, MaxLinks, and MaxLinkBytes
// long together; none means that there are no more.
func (s *Store) Links(vault ident.CID, lane ident.PublicKey, from int64, limit int) ([][]byte, error) {
	v, err := s.vault(vault)
	if err != nil {
		return nil, err
	}
	var links [][]byte
	err = v.read(func(x index) error {
		total := 0
		c := x.bucket(chainBucket).Cursor()
		for k, id := c.Seek(chainKey(lane, max(from, 1))); k != nil && bytes.HasPrefix(k, lane.Bytes()); k, id = c.Next() {
			rec, err := x.chained(id)
			if err != nil {
				return err
			}
			total += len(rec.Link)
			if len(links) >= min(limit, MaxLinks) || len(links) > 0 && total > MaxLinkBytes {
				return nil
			}
			links = append(links, rec.Link)
		}
		return nil
	})
	if err != nil || lane != v.inForce().Owner {
		return links, err
	}
	return links, v.acknowledge(links)
}

// chained returns the record of an entry in a chain.
func (x index) chained(id []byte) (record, error) {
	c, err := ident.CIDFromBytes(id)
	if err != nil {
		return record{}, err
	}
	rec, ok, err := x.certified(c)
	if err == nil && !ok {
		err = fmt.Errorf("entry %s: %w", c, ErrCorrupt)
	}
	return rec, err
}

// Entry returns an entry without its body: certified, or one that this member has
// voted for.
func (s *Store) Entry(vault, entry ident.CID) (ledger.Link, error) {
	v, err := s.vault(vault)
	if err != nil {
		return ledger.Link{}, err
	}
	var l ledger.Link
	err = v.read(func(x index) error {
		rec, ok, err := x.entry(entry)
		if err == nil && !ok {
			err = fmt.Errorf("%w: %s", ErrUnknownEntry, entry)
		}
		if err == nil {
			l, err = rec.link()
		}
		return err
	})
	l.Acks = v.acksOf(l.Entry.CID())
	return l, err
}

// Link returns an entry with its body, and its certificate if there is one. What is
// returned has been verified.
func (s *Store) Link(vault, entry ident.CID) (ledger.Link, error) {
	l, err := s.Entry(vault, entry)
	if err != nil {
		return ledger.Link{}, err
	}
	v, err := s.vault(vault)
	if err != nil {
		return ledger.Link{}, err
	}
	whole, _, err := v.readEntry(entry)
	if err != nil {
		return ledger.Link{}, err
	}
	whole.Cert = l.Cert
	return whole, nil
}

// Body returns the body with a CID, as an entry names it. What is returned has that
// CID.
func (s *Store) Body(vault, body ident.CID) ([]byte, error) {
	v, err := s.vault(vault)
	if err != nil {
		return nil, err
	}
	var entry ident.CID
	err = v.read(func(x index) error {
		p := x.get(bodiesBucket, body.Bytes())
		if p == nil {
			return fmt.Errorf("body %s: %w", body, ErrUnknownEntry)
		}
		var err error
		entry, err = ident.CIDFromBytes(p)
		return err
	})
	if err != nil {
		return nil, err
	}
	l, e, err := v.readEntry(entry)
	if err == nil && e.Body != body {
		err = fmt.Errorf("body %s: %w", body, ErrCorrupt)
	}
	if err != nil {
		return nil, err
	}
	return l.Body, nil
}

// readEntry returns an entry with its body, from the database or from its file.
// Whatever is not what the name says, by digest and signature, is ErrCorrupt.
func (v *vault) readEntry(id ident.CID) (ledger.Link, ledger.Entry, error) {
	l, held, err := v.heldEntry(id)
	if err != nil {
		return ledger.Link{}, ledger.Entry{}, err
	}
	if !held {
		return v.dirs.readEntry(id, v.chain())
	}
	l.Cert = nil
	e, _, err := v.chain().Verify(l)
	if err == nil && e.CID() != id {
		err = fmt.Errorf("it is entry %s", e.CID())
	}
	if err != nil {
		return ledger.Link{}, ledger.Entry{}, fmt.Errorf("entry %s: %w: %w", id, ErrCorrupt, err)
	}
	return l, e, nil
}

// heldEntry returns an entry whose body is in the database.
func (v *vault) heldEntry(id ident.CID) (l ledger.Link, held bool, err error) {
	err = v.read(func(x index) error {
		p := x.get(heldBucket, id.Bytes())
		if p == nil {
			return nil
		}
		rec, ok, err := x.entry(id)
		if err == nil && !ok {
			err = fmt.Errorf("entry %s: %w", id, ErrCorrupt)
		}
		if err != nil {
			return err
		}
		l, err = rec.link()
		l.Body, held = slices.Clone(p), true
		return err
	})
	return l, held, err
}

// Brought returns the segments that an entry introduces, by the body that was checked
// when it came.
func (s *Store) Brought(vault, entry ident.CID) ([]ident.CID, error) {
	v, err := s.vault(vault)
	if err != nil {
		return nil, err
	}
	return v.brought(entry)
}

func (v *vault) brought(entry ident.CID) ([]ident.CID, error) {
	l, held, err := v.heldEntry(entry)
	if err == nil && !held {
		l, _, err = v.dirs.readEntry(entry, v.chain())
	}
	if err != nil {
		return nil, err
	}
	b, err := ledger.ParseSnapshotBody(l.Body)
	if err != nil {
		return nil, nil // another kind: it brings none
	}
	out := make([]ident.CID, len(b.Segments))
	for i, n := range b.Segments {
		out[i] = ident.SumDagCBOR(n.Descriptor)
	}
	return out, nil
}

// Grant returns the newest grant of a device that is enrolled and not revoked.
// Whether it has expired is the caller's question.
func (s *Store) Grant(vault ident.CID, device ident.PublicKey) (ledger.Grant, bool) {
	v, err := s.vault(vault)
	if err != nil {
		return ledger.Grant{}, false
	}
	var g ledger.Grant
	var ok bool
	err = v.read(func(x index) error {
		known := &view{index: x, charter: v.inForce()}
		var revoked bool
		g, ok, revoked = known.Grant(device)
		ok = ok && !revoked
		return known.err
	})
	if err != nil || !ok {
		return ledger.Grant{}, false
	}
	return g, true
}

// Revoked reports whether a device has lost its rights. It is true also when that
// cannot be found out.
func (s *Store) Revoked(vault ident.CID, device ident.PublicKey) bool {
	v, err := s.vault(vault)
	if err != nil {
		return false
	}
	revoked := true
	err = v.read(func(x index) error {
		revoked = x.revoked(device)
		return nil
	})
	return err != nil || revoked
}

// Introduction says where a segment comes from.
type Introduction struct {
	State      ledger.State
	Lane       ident.PublicKey
	Entry      ident.CID
	Number     int64 // in its lane
	Descriptor []byte
}

// Introduced returns what is known of a segment; the zero value if nothing is. It
// costs the same however many segments there are.
func (s *Store) Introduced(vault, segment ident.CID) (Introduction, error) {
	v, err := s.vault(vault)
	if err != nil {
		return Introduction{}, err
	}
	var out Introduction
	err = v.read(func(x index) error {
		state, lane, err := x.state(segment)
		if err != nil || state == ledger.SegmentUnknown {
			return err
		}
		in, _, err := x.introduction(segment)
		out = Introduction{state, lane, in.entry, in.number, slices.Clone(in.descriptor)}
		return err
	})
	return out, err
}
