package member

import (
	"fmt"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// Propose judges a proposal and returns this member's vote. Before it signs, the
// entry with its body and the lock are on the disk: in the database, by one
// transaction, or a large body in a file.
// The same proposal gets the same vote, whenever it is repeated; another entry at a
// place that is locked is ErrLocked. What is refused because of where the lane
// stands is a *StateError.
func (s *Store) Propose(vault ident.CID, proposal, entry ident.Signed, body []byte) (ident.Signed, error) {
	v, err := s.voting(vault)
	if err != nil {
		return ident.Signed{}, err
	}
	p, err := ledger.VerifyProposal(proposal)
	if err != nil {
		return ident.Signed{}, err
	}
	e, err := ledger.VerifyEntry(entry)
	if err != nil {
		return ident.Signed{}, err
	}
	if p.Vault != v.id || p.Charter != v.charter.CID() {
		return ident.Signed{}, fmt.Errorf("%w: %s", ledger.ErrCharter, p.Charter)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	r := request{p, e, entry, body}
	l, err := v.vote(r)
	if err != nil {
		return ident.Signed{}, v.explain(p.Lane, err)
	}
	return ledger.SignVote(s.cfg.Vote, ledger.Vote{Place: p.Place, Entry: l.entry, Operator: s.cfg.Operator, Clock: l.clock})
}

// request is a proposal whose signatures are verified.
type request struct {
	proposal ledger.Proposal
	entry    ledger.Entry
	signed   ident.Signed // the entry
	body     []byte
}

// vote returns the lock that a vote may be signed for. It is on the disk.
func (v *vault) vote(r request) (lock, error) {
	held, known, err := v.held(r.proposal)
	if err != nil || known {
		return held, err
	}
	eff, count, err := v.check(r)
	if err != nil {
		return lock{}, err
	}
	link := ledger.Link{Entry: r.signed, Body: r.body}
	size := int64(0)
	if len(r.body) > maxHeld {
		if size, err = v.dirs.writeEntry(r.entry.CID(), link); err != nil {
			return lock{}, fmt.Errorf("keep entry: %w", err)
		}
	}
	l := lock{r.entry.CID(), ledger.Millis(v.store.cfg.Now())}
	err = v.write(func(x index) error {
		if err := x.putLock(r.proposal.Place, l); err != nil {
			return err
		}
		if size == 0 {
			if err := x.put(heldBucket, l.entry.Bytes(), r.body); err != nil {
				return err
			}
		}
		return x.putLink(r.entry, link, eff, record{Count: count, Size: size})
	})
	if err != nil {
		return lock{}, fmt.Errorf("lock entry: %w", err)
	}
	return l, nil
}

// held returns the lock of a proposal that was voted for before. A lock on another
// entry is ErrLocked, unless the lane is above it.
func (v *vault) held(p ledger.Proposal) (lock, bool, error) {
	var l lock
	var known bool
	err := v.read(func(x index) error {
		var err error
		l, known, err = x.lockAt(p.Place)
		if err != nil || !known || l.entry == p.Entry {
			return err
		}
		known = false
		height, _, err := x.head(p.Lane)
		if err == nil && p.Height > height {
			err = fmt.Errorf("%w: entry %s", ErrLocked, l.entry)
		}
		return err
	})
	return l, known, err
}

// check judges a proposal by the ledger's rules and this member's limits. It returns
// how many segments the lane will have introduced.
func (v *vault) check(r request) (ledger.Effect, int64, error) {
	var eff ledger.Effect
	var before int64
	err := v.read(func(x index) error {
		known := &view{index: x, charter: v.charter, lane: r.entry.Lane, certs: &v.store.certs}
		var err error
		eff, err = ledger.CheckProposal(known, r.proposal, r.entry, r.body, v.store.cfg.Now())
		before, _ = known.Numbered(r.entry.Lane, r.entry.Prev)
		if known.err != nil {
			return known.err
		}
		if err != nil {
			return err
		}
		return v.checkLimits(x, eff)
	})
	return eff, before + int64(len(eff.Segments)), err
}

func (v *vault) checkLimits(x index, eff ledger.Effect) error {
	if n := x.number(aboutEntries); n >= int64(v.store.cfg.MaxEntries) {
		return fmt.Errorf("%w: %d entries", ErrFull, n)
	}
	if eff.Enrolled.IsZero() || x.get(grantsBucket, eff.Grant.Device.Bytes()) != nil {
		return nil
	}
	if n := x.bucket(grantsBucket).Stats().KeyN; n >= MaxDevices {
		return fmt.Errorf("%w: %d devices", ErrFull, n)
	}
	return nil
}
