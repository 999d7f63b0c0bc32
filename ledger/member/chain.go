package member

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// A charter comes into force here when its link comes with the acks of a quorum, in the
// order of their numbers, whatever else of the owner's lane is here: the chain says what
// is valid, and the lanes follow it.

// chain returns the charters that are kept, from the first on.
func (x index) chain(chain ledger.Chain) (ledger.Chain, error) {
	err := x.bucket(chartersBucket).ForEach(func(_, p []byte) error {
		l, err := ledger.ParseLink(p)
		if err == nil {
			chain, err = chain.Append(l)
		}
		return err
	})
	if err != nil {
		return chain, fmt.Errorf("read charter %d: %w", chain.Len()+1, err)
	}
	return chain, nil
}

// Successions returns encoded links by which charters came into force, with bodies and
// acks, from a charter's number on: as many as have MaxLinkBytes together, or one.
func (s *Store) Successions(vault ident.CID, from int64) ([][]byte, error) {
	v, err := s.vault(vault)
	if err != nil {
		return nil, err
	}
	var links [][]byte
	err = v.read(func(x index) error {
		total := 0
		c := x.bucket(chartersBucket).Cursor()
		for k, p := c.Seek(number(from)); k != nil; k, p = c.Next() {
			if total += len(p); len(links) > 0 && total > MaxLinkBytes {
				return nil
			}
			links = append(links, bytes.Clone(p))
		}
		return nil
	})
	return links, err
}

// acksOf returns the acks by which an entry brought a charter into force; none for any
// other entry. The entry may have been certified here before they came.
func (v *vault) acksOf(entry ident.CID) []ident.Signed {
	for _, l := range v.chain().Successions() {
		if l.Entry.CID() == entry {
			return l.Acks
		}
	}
	return nil
}

// acknowledge adds acks to the encoded links, of the owner's lane, that brought charters
// into force: whoever pulls the lane goes over with it.
func (v *vault) acknowledge(links [][]byte) error {
	if v.chain().Len() == 1 {
		return nil
	}
	for i, p := range links {
		l, err := ledger.ParseLink(p)
		if err != nil {
			return err
		}
		if l.Acks = v.acksOf(l.Entry.CID()); len(l.Acks) == 0 {
			continue
		}
		if links[i], err = l.Encode(); err != nil {
			return err
		}
	}
	return nil
}

// Chain returns the charters of a vault up to the one in force.
func (s *Store) Chain(vault ident.CID) (ledger.Chain, error) {
	v, err := s.vault(vault)
	if err != nil {
		return ledger.Chain{}, err
	}
	return v.chain(), nil
}

// succeed brings a charter into force if a link does that: this node signs under it from
// now on if the charter names it, and what is above the charter's start in any lane is
// void and taken back. What was in force before is nil, and so is any other link.
func (v *vault) succeed(link ledger.Link) error {
	if len(link.Acks) == 0 {
		return nil
	}
	e, err := ledger.VerifyEntry(link.Entry)
	chain := v.chain()
	if err != nil || e.Charter != chain.Current().CID() {
		return err
	}
	next, err := chain.Append(link)
	if err != nil {
		return err
	}
	encoded, err := link.Encode()
	if err == nil {
		err = v.dirs.writeSuccession(next, encoded)
	}
	if err != nil {
		return fmt.Errorf("keep charter: %w", err)
	}
	var after *constitution
	err = v.changeThen(nil, func(x index) error {
		if after = nil; v.chain().Len() != chain.Len() {
			return nil // another call was faster
		}
		if err := x.put(chartersBucket, number(int64(next.Len())), encoded); err != nil {
			return err
		}
		err := errors.Join(x.prolong(chain.Current().CID(), ledger.Millis(v.store.cfg.Now())), v.takeBackVoid(x, next), x.dropConfirmations(chain.Current(), next.Current()))
		if err != nil {
			return err
		}
		after, err = v.under(x, next)
		return err
	}, func() {
		if after != nil {
			v.now.Store(after)
			v.held.doubt() // how many shards an operator may hold may be another number now
			v.store.keys.used(next.Current())
		}
	})
	if err == nil {
		v.store.cfg.Log.Info("a charter is in force", "vault", v.id, "number", next.Len(), "charter", next.Current().CID())
	}
	return err
}

// takeBackVoid takes the entries of all lanes back that stand where a chain of charters
// does not allow them, and forgets what was promised under the charter before the
// newest: nothing is signed under that any more.
func (v *vault) takeBackVoid(x index, next ledger.Chain) error {
	old := v.inForce().CID()
	lanes, err := x.lanes(old)
	if err != nil {
		return err
	}
	for _, lane := range lanes {
		if err := v.takeBackAbove(x, next.Start(next.Current().CID(), lane)); err != nil {
			return fmt.Errorf("take back void entries of lane %s: %w", lane, err)
		}
	}
	return x.dropCharter(old)
}

// takeBackAbove takes the entries of a lane back that are above a start, or at its height
// and another.
func (v *vault) takeBackAbove(x index, start ledger.LaneStart) error {
	for {
		height, head, err := x.head(start.Lane)
		if err != nil || height < start.Height || height == start.Height && head == start.Entry {
			return err
		}
		u, err := v.undoOf(x, head)
		if err != nil {
			return err
		}
		if err := errors.Join(x.rollBack(u), x.erase(u.entry), x.lower(start.Lane, height-1)); err != nil {
			return err
		}
	}
}

// lower makes the entry at a height the head of its lane again.
func (x index) lower(lane ident.PublicKey, height int64) error {
	if height == 0 {
		return x.bucket(headsBucket).Delete(lane.Bytes())
	}
	id, err := x.at(lane, height)
	if err != nil {
		return err
	}
	return x.putHead(lane, height, id)
}

// erase forgets an entry that can never be certified any more. Its file stays where it
// is, and counts for nothing.
func (x index) erase(e ledger.Entry) error {
	id := e.CID().Bytes()
	for _, name := range []string{entriesBucket, heldBucket, refsBucket, unsettledBucket, tablesBucket} {
		if err := x.bucket(name).Delete(id); err != nil {
			return err
		}
	}
	if bytes.Equal(x.get(bodiesBucket, e.Body.Bytes()), id) {
		return x.bucket(bodiesBucket).Delete(e.Body.Bytes())
	}
	return nil
}

// dropCharter forgets what was promised under a charter, and the entries that were voted
// for under it and never certified.
func (x index) dropCharter(charter ident.CID) error {
	prefix := charter.Bytes()
	var entries []ident.CID
	c := x.bucket(locksBucket).Cursor()
	for k, p := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, p = c.Next() {
		l, err := parseLock(p)
		if err != nil {
			return err
		}
		entries = append(entries, l.entry)
	}
	slices.SortFunc(entries, ident.CID.Compare)
	for _, id := range slices.Compact(entries) {
		if err := x.eraseUncertified(id); err != nil {
			return err
		}
	}
	for _, name := range []string{locksBucket, floorsBucket, proposalsBucket} {
		if err := dropPrefix(x.bucket(name), prefix); err != nil {
			return err
		}
	}
	return nil
}

func (x index) eraseUncertified(id ident.CID) error {
	rec, ok, err := x.entry(id)
	if err != nil || !ok || rec.Certified {
		return err
	}
	l, err := rec.link()
	if err != nil {
		return err
	}
	e, err := ledger.VerifyEntry(l.Entry)
	if err != nil {
		return err
	}
	return x.erase(e)
}
