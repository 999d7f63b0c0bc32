package vault

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/seal"
)

// Change is what to change in a vault's charter. Every change gives the members new
// vote keys; the zero value changes nothing else.
type Change struct {
	Replace map[ident.PublicKey]ident.PublicKey // operators of members, and who takes their place
	Add     []ident.PublicKey                   // operators who become members
	Remove  []ident.PublicKey                   // operators who are members no more
	Admit   []ident.PublicKey                   // operators whose nodes may hold shards
	Renew   bool                                // change the vote keys even if nothing else changes
	Rotate  bool                                // new data goes to the vault's next identity
	Alter   func(*ledger.Charter) error         // whatever else; it may be called again, and must be the same; nil for nothing

	Request     ident.CID // goes on with the successor that this request names; zero for none
	RequestOnly bool      // a change that has to wait is asked for and not tried
	Reason      string    // for people, in a request
}

// Changed is what came of a change.
type Changed struct {
	Charter ledger.Charter // in force now
	Done    bool           // the change is in force, or there was nothing to change
	Request ident.CID      // of a change that waits; zero for one that need not
	Lowers  []string       // why it has to wait
}

// What can become of a change, besides that it is in force.
var (
	// ErrWaits says that a change has been asked for and has not passed yet.
	ErrWaits = errors.New("the change waits")
	// ErrUnguarded says that a change lowers protection and can never pass, because the
	// vault has no guardians.
	ErrUnguarded = errors.New("without guardians no protection is lowered")
	// ErrNoMember says that somebody is named as a member who is none.
	ErrNoMember = errors.New("not a member of the vault")
)

// maxRounds bounds how often one call begins a change again because the owner's lane has
// moved under it.
const maxRounds = 4

// Change changes the vault's charter: it makes a successor, has a quorum of the members
// freeze the charter in force, and makes the successor final. One that lowers protection
// is asked for first, and the same call completes it when it has passed: before that it
// returns ErrWaits, or the reason for which it never will. Every step may be repeated:
// after a crash the same call goes on.
func (s *Session) Change(ctx context.Context, e seal.Entropy, c Change) (Changed, error) {
	if err := s.beginOwner(ctx, e); err != nil {
		return Changed{}, err
	}
	out, err := s.change(ctx, e, c)
	out.Charter = s.charter
	if err != nil {
		return out, fmt.Errorf("change charter: %w", err)
	}
	return out, nil
}

func (s *Session) change(ctx context.Context, e seal.Entropy, c Change) (Changed, error) {
	p, err := s.prepareChange(ctx, e, c)
	if err != nil || p.signed.IsZero() {
		return Changed{Done: err == nil, Request: p.request, Lowers: p.lowers}, err
	}
	out := Changed{Request: p.request, Lowers: p.lowers}
	if c.RequestOnly && p.waits {
		return out, nil
	}
	if err := s.admitMembers(ctx, p.next); err != nil {
		return out, err
	}
	if err := s.enact(ctx, e.OwnerKey(), p); err != nil {
		return out, p.explain(err)
	}
	out.Done = true
	return out, s.settleIn(ctx, e)
}

// planned is a successor on its way.
type planned struct {
	signed  ident.Signed // zero if there is nothing to change
	next    ledger.Charter
	waits   bool
	lowers  []string
	request ident.CID // that it waits for
}

// explain says that members who refuse to freeze have only not waited long enough.
func (p planned) explain(err error) error {
	if p.waits && (errors.Is(err, ledger.ErrNotPassed) || errors.Is(err, ledger.ErrLowers)) && !errors.Is(err, ledger.ErrVetoed) && !errors.Is(err, ledger.ErrSettled) {
		return fmt.Errorf("%w: request %.8s: %w", ErrWaits, p.request.Hex(), err)
	}
	return err
}

// prepareChange makes the successor, or finds the one that was asked for before.
func (s *Session) prepareChange(ctx context.Context, e seal.Entropy, c Change) (planned, error) {
	next, err := s.successor(ctx, e, c)
	if err != nil {
		return planned{}, err
	}
	same, err := alike(next, s.charter)
	if err != nil || same && !c.Renew && c.Request.IsZero() {
		return planned{}, err
	}
	p := planned{next: next, lowers: s.lowers(next)}
	if p.waits, err = ledger.CheckLowering(s.chain.Base(), s.charter, next); errors.Is(err, ledger.ErrForbidden) {
		return p, fmt.Errorf("%w: %s", ErrUnguarded, strings.Join(p.lowers, "; "))
	}
	if err != nil {
		return p, err
	}
	if p.waits || c.Request.Defined() {
		found, err := s.asked(ctx, c.Request, next)
		if err != nil {
			return p, err
		}
		if !found.signed.IsZero() {
			return found, nil
		}
	}
	if err := s.askKeys(ctx, &p.next); err != nil {
		return p, err
	}
	if p.signed, err = ledger.SignCharter(e.OwnerKey(), p.next); err != nil {
		return p, err
	}
	if p.next, err = ledger.VerifyNextCharter(p.signed, s.charter); err != nil {
		return p, err
	}
	if p.waits {
		p.request, err = s.askForChange(ctx, e.OwnerKey(), p.signed, c.Reason)
	}
	return p, err
}

// lowers says for people why a successor has to wait.
func (s *Session) lowers(next ledger.Charter) []string {
	why := ledger.Lowers(s.chain.Base(), s.charter, next)
	if ledger.Appoints(s.charter, next) {
		why = append(why, "the first guardians are appointed")
	}
	return why
}

// enact takes a successor through freeze, votes and acks. When the owner's lane moves
// meanwhile it begins again.
func (s *Session) enact(ctx context.Context, owner ident.PrivateKey, p planned) error {
	var failed error
	for range maxRounds {
		freezes, err := s.freeze(ctx, p.signed)
		if err != nil {
			return errors.Join(failed, err)
		}
		body, err := ledger.CharterBody{Charter: p.signed, Freezes: freezes, Waited: p.waits}.Encode()
		if err != nil {
			return err
		}
		_, failed = s.append(ctx, owner, ledger.Entry{Kind: ledger.KindCharter}, body)
		if s.charter.CID() == p.next.CID() {
			s.settle()
			return nil
		}
		if ctx.Err() != nil || failed == nil || s.charter.CID() != p.next.Prev {
			break
		}
		if _, err := s.Sync(ctx); err != nil {
			return errors.Join(failed, err)
		}
	}
	if failed == nil {
		failed = ErrOvertaken
	}
	return failed
}

// settleIn does what a charter in force needs on this machine, at its new members, and
// at the devices that read: they are given its identity.
func (s *Session) settleIn(ctx context.Context, e seal.Entropy) error {
	if r := s.Rights(); r.CanRead() && int64(len(s.profile.Identities)) != s.charter.Identity {
		if err := s.profile.takeKeys(e, s.charter, r); err != nil {
			return err
		}
		if err := s.home.Save(s.profile); err != nil {
			return err
		}
	}
	if err := s.admitMembers(ctx, s.charter); err != nil {
		s.warn("a new member is not ready yet, and catches up by itself: %v", err)
	}
	if _, err := s.Sync(ctx); err != nil {
		return err
	}
	_, err := s.renewReaders(ctx, e)
	return err
}

// rotate makes the vault's next identity the recipient of new data.
func rotate(e seal.Entropy, c *ledger.Charter) error {
	id, err := e.Identity(c.Salt[:], uint64(c.Identity+1))
	if err != nil {
		return err
	}
	c.Identity, c.Recipient = c.Identity+1, id.Recipient().String()
	return nil
}
