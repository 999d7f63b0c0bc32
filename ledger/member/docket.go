package member

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
)

// Request keeps a request, and with one of kind charter its signed successor. What is
// known already is kept as it is. It is on the disk when Request returns nil.
func (s *Store) Request(vault ident.CID, request, successor ident.Signed) error {
	v, err := s.vault(vault)
	if err != nil {
		return err
	}
	r, err := ledger.VerifyRequest(request, v.id)
	if err != nil {
		return err
	}
	v.releasing.Lock()
	defer v.releasing.Unlock()
	now := s.cfg.Now()
	known := false
	err = v.read(func(x index) error {
		known = x.get(casesBucket, r.CID().Bytes()) != nil
		if known {
			return nil
		}
		return v.checkRequest(x, r, successor, now)
	})
	if err != nil || known {
		return err
	}
	if err := v.dirs.writeRequest(request, successor); err != nil {
		return fmt.Errorf("keep request: %w", err)
	}
	rec := caseRecord{Request: request, Successor: successor, First: ledger.Millis(now)}
	if err := v.write(func(x index) error { return errors.Join(x.putCase(rec), x.forget(r.CID())) }); err != nil {
		return fmt.Errorf("keep request: %w", err)
	}
	return v.prune(now)
}

// checkRequest decides whether a request is taken. One that a certified release names
// is, however old: that is how a member catches up.
func (v *vault) checkRequest(x index, r ledger.Request, successor ident.Signed, now time.Time) error {
	stand, undone, err := x.releasesOf(r.CID())
	if err != nil || len(stand)+len(undone) > 0 {
		return err
	}
	ch := v.inForce()
	if r.Charter != ch.CID() {
		return v.checkPastRequest(x, r)
	}
	known := &view{index: x, charter: ch}
	if err := ledger.CheckAsker(known, r, now); err != nil || known.err != nil {
		return errors.Join(err, known.err)
	}
	switch clock := ledger.Time(r.Clock); {
	case clock.After(now.Add(ledger.ClockSkew)):
		return fmt.Errorf("%w: its clock is ahead of this member's", ledger.ErrSettled)
	case now.After(clock.Add(ledger.RequestLife)):
		return fmt.Errorf("%w: it is too old", ledger.ErrSettled)
	}
	if r.Kind == ledger.RequestCharter {
		if _, err := ledger.VerifyNextCharter(successor, ch); err != nil {
			return err
		}
		if successor.CID() != r.Successor {
			return fmt.Errorf("request: %w: successor %s", ledger.ErrMismatch, successor.CID())
		}
	}
	return v.checkRoom(x, now)
}

// checkPastRequest decides whether a request of an earlier charter is taken. It is void,
// and is kept for a while because its release may come: that is judged by its targets.
func (v *vault) checkPastRequest(x index, r ledger.Request) error {
	ch, err := v.charterOf(r.Charter)
	if err == nil && r.By != ch.Owner && x.get(grantsBucket, r.By.Bytes()) == nil {
		err = fmt.Errorf("%w: %s never was a device of the vault", ledger.ErrForbidden, r.By)
	}
	return err
}

// Opine keeps an approval or a veto of a request that is known here: the first one of
// each key. It is on the disk when Opine returns nil.
func (s *Store) Opine(vault ident.CID, stance ledger.Stance, opinion ident.Signed) error {
	v, err := s.vault(vault)
	if err != nil {
		return err
	}
	about, err := ledger.ReadOpinion(opinion, stance)
	if err != nil {
		return err
	}
	v.releasing.Lock()
	defer v.releasing.Unlock()
	now := s.cfg.Now()
	known := false
	var key []byte
	err = v.read(func(x index) error {
		c, err := x.gather(about.Request)
		if err != nil {
			return err
		}
		o, err := ledger.VerifyOpinion(opinion, stance, c.Asked())
		if err != nil {
			return err
		}
		key = opinionKey(about.Request, stance, o.By)
		known = x.get(opinionsBucket, key) != nil
		if known {
			return nil
		}
		return v.checkOpinion(x, c, stance, o, now)
	})
	if err != nil || known {
		return err
	}
	if err := v.dirs.writeOpinion(stance, opinion); err != nil {
		return fmt.Errorf("keep opinion: %w", err)
	}
	if err := v.write(func(x index) error { return v.opine(x, about.Request, key, opinion, now) }); err != nil {
		return fmt.Errorf("keep opinion: %w", err)
	}
	return nil
}

func (v *vault) checkOpinion(x index, c ledger.Case, stance ledger.Stance, o ledger.Opinion, now time.Time) error {
	if c.Asked().Charter != v.inForce().CID() {
		return fmt.Errorf("%w: another charter is in force", ledger.ErrSettled)
	}
	known := &view{index: x, charter: v.inForce()}
	if err := ledger.CheckVoice(known, stance, o.By, now); err != nil || known.err != nil {
		return errors.Join(err, known.err)
	}
	if len(c.Approvals) >= ledger.MaxOpinions || len(c.Vetoes) >= ledger.MaxOpinions {
		return fmt.Errorf("%w: opinions", ErrFull)
	}
	return nil
}

// opine writes an opinion down, and when there were first enough of them.
func (v *vault) opine(x index, request ident.CID, key []byte, opinion ident.Signed, now time.Time) error {
	p, err := wire.Encode(opinion)
	if err != nil {
		return err
	}
	if err := x.put(opinionsBucket, key, p); err != nil {
		return err
	}
	c, err := x.gather(request)
	if err != nil || c.Approved != 0 || len(v.inForce().Guardians) == 0 || !c.ApprovedBy(v.inForce()) {
		return err
	}
	rec, err := x.caseOf(request)
	if err != nil {
		return err
	}
	rec.Approved = ledger.Millis(now)
	return x.putCase(rec)
}

// AdoptCase takes in what another member says of a request: how a member that was away
// catches up. Releases come first, so that an old request is known by its certificate.
// What is not taken of the opinions is no error: they may be of another time.
func (s *Store) AdoptCase(vault ident.CID, c ledger.Case) error {
	if err := s.Request(vault, c.Request, c.Successor); err != nil {
		return err
	}
	for stance, list := range opinionsOf(c) {
		for _, o := range list {
			if err := s.Opine(vault, stance, o); err != nil {
				s.cfg.Log.Debug("opinion is not taken", "vault", vault, "error", err)
			}
		}
	}
	return nil
}

const (
	// MaxCases is how many cases are returned at once.
	MaxCases = 256
	// MaxCaseBytes is how long they are together, if there is more than one.
	MaxCaseBytes = 8 << 20
)

// Cases returns encoded cases, the newest first, from the one after a request on; the
// undefined CID asks for the newest. None means that there are no more.
func (s *Store) Cases(vault, after ident.CID) ([][]byte, error) {
	v, err := s.vault(vault)
	if err != nil {
		return nil, err
	}
	var out [][]byte
	err = v.read(func(x index) error {
		order, err := x.newestFirst(after)
		if err != nil {
			return err
		}
		total := 0
		for _, id := range order[:min(len(order), MaxCases)] {
			p, err := v.tell(x, id)
			if err != nil {
				return err
			}
			if total += len(p); len(out) > 0 && total > MaxCaseBytes {
				return nil
			}
			out = append(out, p)
		}
		return nil
	})
	return out, err
}

// tell encodes a case with this member's view of it.
func (v *vault) tell(x index, request ident.CID) ([]byte, error) {
	c, err := x.gather(request)
	if err != nil {
		return nil, err
	}
	if c.State, c.Why, err = v.judge(x, c, v.store.cfg.Now()); err != nil {
		return nil, err
	}
	if len(c.Releases) > 0 && c.State != ledger.StateUndone {
		if c.State != ledger.StatePassed {
			c.Why = fmt.Sprintf("nothing more is released: %s: %s", c.State, c.Why)
		}
		c.State = ledger.StateCertified
	}
	return c.Encode()
}

// newestFirst sorts requests by first sight, and then by name.
func (x index) newestFirst(after ident.CID) ([]ident.CID, error) {
	type seen struct {
		id    ident.CID
		first int64
	}
	ids, err := x.requests()
	if err != nil {
		return nil, err
	}
	var list []seen
	for _, id := range ids {
		r, err := x.caseOf(id)
		if err != nil {
			return nil, err
		}
		list = append(list, seen{id, r.First})
	}
	slices.SortFunc(list, func(a, b seen) int { return cmp.Or(cmp.Compare(b.first, a.first), a.id.Compare(b.id)) })
	ids = ids[:0]
	for _, l := range list {
		ids = append(ids, l.id)
	}
	if !after.Defined() {
		return ids, nil
	}
	i := slices.Index(ids, after)
	if i < 0 {
		return nil, fmt.Errorf("%w: %s", ledger.ErrUnknownRequest, after)
	}
	return ids[i+1:], nil
}
