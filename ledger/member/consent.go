package member

import (
	"bytes"
	"errors"
	"fmt"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// Free returns segments that are free by this member's own arithmetic if a request's
// targets go, whether it has passed or not: at most ledger.MaxTargets, lane by lane
// and by number, behind one. More says that there are others.
func (s *Store) Free(vault, request, after ident.CID) (segments []ident.CID, more bool, err error) {
	v, err := s.vault(vault)
	if err != nil {
		return nil, false, err
	}
	var list []stretch
	err = v.read(func(x index) error {
		c, err := x.gather(request)
		if err != nil {
			return err
		}
		free, err := v.free(x, c.Asked(), ledger.Millis(s.cfg.Now()))
		if err != nil {
			return err
		}
		list, more, err = x.stretches(free, after, ledger.MaxTargets)
		return err
	})
	if err != nil {
		return nil, false, err
	}
	segments, err = v.names(list)
	return segments, more, err
}

// Consent judges a release and returns this member's consent. Before it signs, the
// consent is on the disk with all that is closed by it: from then on this member votes
// for no entry that refers to a segment of the release, unless a quorum undoes it. A
// segment that an entry refers to for which it has voted is not free. The same release
// gets the same consent.
func (s *Store) Consent(vault ident.CID, release []byte) (ident.Signed, error) {
	v, err := s.voting(vault)
	if err != nil {
		return ident.Signed{}, err
	}
	r, err := ledger.ParseRelease(release)
	if err != nil {
		return ident.Signed{}, err
	}
	if r.Vault != v.id || r.Charter != v.inForce().CID() {
		return ident.Signed{}, fmt.Errorf("%w: release under %s", ledger.ErrCharter, r.Charter)
	}
	v.releasing.Lock()
	defer v.releasing.Unlock()
	c := &consenting{vault: v, release: r, encoded: release}
	// The first judgement is remembered as far as it is work, and holds no change up.
	if err := v.read(c.judge); err != nil {
		return ident.Signed{}, err
	}
	if err := v.change(c.judge, c.keep); err != nil {
		return ident.Signed{}, fmt.Errorf("keep consent: %w", err)
	}
	return ledger.SignConsent(c.key, ledger.Consent{
		Vault: v.id, Charter: r.Charter, Release: r.CID(), Operator: s.cfg.Operator, Clock: c.rec.Consented,
	})
}

// consenting is a release on its way to a consent, and what is found out about it.
type consenting struct {
	vault   *vault
	release ledger.Release
	encoded []byte

	key     ident.PrivateKey // of the charter under which it is judged
	rec     releaseRecord
	numbers ledger.Numbers
	given   bool // it was consented to before
}

// judge decides by what this member knows, and writes nothing. It runs in the
// transaction of keep: the vote for an entry and the consent to a release of what it
// refers to exclude each other.
func (c *consenting) judge(x index) error {
	if err := c.vault.checkThawed(x, c.release.Charter); err != nil {
		return err
	}
	v, r, now := c.vault, c.release, c.vault.store.cfg.Now()
	c.key = v.voteKey()
	var known bool
	var err error
	c.rec, known, err = x.releaseOf(r.CID())
	c.given = c.rec.Consented > 0
	switch {
	case err != nil:
		return err
	case c.rec.state() == ledger.ReleaseUndone:
		return fmt.Errorf("%w: the release was taken back", ledger.ErrSettled)
	case c.given:
		return nil
	}
	// SPEC: a member whose clock is in doubt treats everything as locked
	if err := v.store.cfg.Doubt(); err != nil {
		return fmt.Errorf("%w: %w", ledger.ErrClockDoubt, err)
	}
	about, err := x.gather(r.Request)
	if err != nil {
		return err
	}
	if about.Asked().Kind == ledger.RequestCharter {
		return fmt.Errorf("%w: the request is about a charter", ledger.ErrMismatch)
	}
	if err := v.passed(x, about, now); err != nil {
		return err
	}
	if c.numbers, err = v.checkFree(x, about.Asked(), r, ledger.Millis(now)); err != nil {
		return err
	}
	if !known {
		c.rec = releaseRecord{Request: r.Request, Charter: r.Charter, Lanes: lanesOf(c.numbers)}
	}
	c.rec.Consented = ledger.Millis(now)
	return nil
}

// keep writes down the consent, and what is closed by it.
func (c *consenting) keep(x index) error {
	if c.given {
		return nil
	}
	return errors.Join(
		x.putRelease(c.release.CID(), c.rec),
		x.put(listsBucket, c.release.CID().Bytes(), bytes.Clone(c.encoded)),
		x.addNumbers(closingBucket, c.numbers))
}

// checkFree holds that every segment of a release is free by this member's own
// arithmetic, at a time on its clock.
func (v *vault) checkFree(x index, asked ledger.Request, r ledger.Release, now int64) (ledger.Numbers, error) {
	numbers, unknown, err := x.numbersOf(r.Segments)
	if err != nil {
		return nil, err
	}
	if len(unknown) > 0 {
		return nil, notFree(unknown)
	}
	free, err := v.free(x, asked, now)
	if err != nil {
		return nil, err
	}
	if needed := numbers.Minus(free); len(needed) > 0 {
		names, err := x.named(r.Segments, needed)
		if err != nil {
			return nil, err
		}
		return nil, notFree(names)
	}
	return numbers, nil
}

func notFree(segments []ident.CID) error {
	return &ledger.SegmentsError{Err: ledger.ErrNotFree, Segments: segments[:min(len(segments), ledger.MaxNamed)]}
}

// named returns those of some segments whose numbers are in a set, as many as a
// refusal names.
func (x index) named(segments []ident.CID, n ledger.Numbers) ([]ident.CID, error) {
	var out []ident.CID
	for _, s := range segments {
		one, _, err := x.numbersOf([]ident.CID{s})
		if err != nil {
			return nil, err
		}
		if len(n.Common(one)) > 0 {
			out = append(out, s)
		}
		if len(out) == ledger.MaxNamed {
			break
		}
	}
	return out, nil
}
