package vault

import (
	"context"
	"errors"
	"fmt"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p/ledgerrpc"
)

// What can become of an entry that is offered, besides that it is final or that too few
// members answer.
var (
	// ErrOvertaken says that another entry of this lane, which an interrupted run had
	// offered, came first: it is final now, and the next run goes on behind it.
	ErrOvertaken = errors.New("an entry of an interrupted run came first")
	// ErrGivenUp says that too many members refuse the entry for good, and that it will
	// never be final: another one may be made at its height.
	ErrGivenUp = errors.New("the entry is refused for good")
)

const (
	// maxAttempts bounds how many attempts one call makes at a height.
	maxAttempts = 8
	// attemptStep bounds how far one member's word, which is not proved, moves the next
	// attempt: one that lies must not use up a lane's attempts.
	attemptStep = 1024
)

// offering is an entry on its way to be final, over as many attempts as it takes. At
// the next attempt it may have become another entry: the one to which reports of a
// quorum bind the lane.
type offering struct {
	s       *Session
	key     ident.PrivateKey
	entry   ledger.Entry
	link    ledger.Link // without certificate
	attempt int64
	reports []ident.Signed // of a quorum, above attempt 0
	acks    []ident.Signed // that prove the entry below final; none unless they are asked for
	floor   int64          // highest that a member has named
}

// newOffering begins where this session has left the height, if it gave up an entry there.
func (s *Session) newOffering(key ident.PrivateKey, e ledger.Entry, signed ident.Signed, body []byte) *offering {
	o := &offering{s: s, key: key, entry: e, link: ledger.Link{V: 1, Entry: signed, Body: body}, acks: s.proofs[e.Prev]}
	if b, ok := s.begun[e.Lane]; ok && b.height == e.Height {
		o.attempt, o.reports = b.attempt, b.reports
		delete(s.begun, e.Lane)
	}
	return o
}

// begunHeight is an attempt for which reports leave the writer free, and at which
// nothing was proposed.
type begunHeight struct {
	height, attempt int64
	reports         []ident.Signed
}

func (o *offering) place() ledger.Place {
	return ledger.Place{Vault: o.s.vault, Charter: o.s.charter.CID(), Lane: o.entry.Lane, Height: o.entry.Height, Attempt: o.attempt}
}

// run makes the entry final, or the one to which reports bind it. Each step is one of
// the two round trips of an append, until a quorum of the members that are up agrees.
func (o *offering) run(ctx context.Context) (*decision, error) {
	for range maxAttempts {
		d, err := o.s.decide(ctx, o)
		if err == nil {
			return d, nil
		}
		var r refused
		switch {
		case ctx.Err() != nil || !errors.As(err, &r):
			return nil, err
		case r.undecided > 0 && len(o.acks) == 0:
			if o.acks, err = o.prove(ctx, err); err != nil {
				return nil, err
			}
			continue
		case r.bound == 0 && !hopeless(err, o.s.charter):
			return nil, err
		}
		o.floor = max(o.floor, r.floor)
		free, failed := o.next(ctx)
		switch {
		case hopeless(failed, o.s.charter):
			return nil, fmt.Errorf("%w: %w: %w", ErrGivenUp, err, failed)
		case failed != nil:
			return nil, fmt.Errorf("%w; and the next attempt: %w", err, failed)
		case free && r.bound == 0:
			o.s.begun[o.entry.Lane] = begunHeight{o.entry.Height, o.attempt, o.reports}
			return nil, fmt.Errorf("%w: %w", ErrGivenUp, err)
		}
	}
	return nil, fmt.Errorf("%w after %d attempts", ErrNoQuorum, maxAttempts)
}

// next goes on to a later attempt: it collects reports of a quorum, and becomes the
// entry to which they bind it. Free says that they bind it to none.
func (o *offering) next(ctx context.Context) (free bool, err error) {
	var reports []ledger.Report
	for range maxAttempts {
		o.attempt = max(o.attempt, min(o.floor, o.attempt+attemptStep)) + 1
		var answers []answer[report]
		if answers, err = o.collect(ctx); err == nil {
			o.reports, reports = nil, nil
			for _, a := range answers {
				if a.Err == nil {
					o.reports, reports = append(o.reports, a.Value.signed), append(reports, a.Value.report)
				}
			}
			break
		}
		var r refused
		if !errors.As(err, &r) || r.floor <= o.attempt || ctx.Err() != nil {
			return false, err
		}
		o.floor = r.floor
	}
	if err != nil {
		return false, err
	}
	entry, bound := ledger.Bound(reports)
	if !bound || entry == o.entry.CID() {
		return !bound, nil
	}
	return false, o.become(ctx, entry, reports)
}

// report is a member's report, as it signed it and as it was verified.
type report struct {
	signed ident.Signed
	report ledger.Report
}

// collect asks all members for their reports at the place, until a quorum has answered.
func (o *offering) collect(ctx context.Context) ([]answer[report], error) {
	s, at := o.s, o.place()
	question, err := ledger.SignAttempt(o.key, ledger.Attempt{Place: at})
	if err != nil {
		return nil, err
	}
	quorum := s.charter.Quorum()
	wait := quorumWait{Enough: quorum, Limit: writeLimit}
	answers := gather(ctx, s.charter.Members, wait, func(ctx context.Context, m ledger.Member) (report, error) {
		signed, err := s.member(m).Report(ctx, s.vault, question)
		if errors.Is(err, ledger.ErrBehind) {
			if err = s.bringUp(ctx, m, at.Lane); err == nil {
				signed, err = s.member(m).Report(ctx, s.vault, question)
			}
		}
		if err != nil {
			return report{}, err
		}
		r, err := ledger.VerifyReport(signed, s.charter)
		if err == nil && (r.Operator != m.Operator || r.Place != at) {
			err = ErrFork
		}
		return report{signed, r}, err
	})
	if have := succeeded(answers); have < quorum {
		return nil, refusal(answers, have, quorum)
	}
	return answers, nil
}

// become fetches the entry to which reports bind the lane from a member that has its
// certificate, and makes it what is offered.
func (o *offering) become(ctx context.Context, entry ident.CID, reports []ledger.Report) error {
	var failed error
	for _, r := range reports {
		c, ok := r.Certificate()
		m, known := o.s.charter.Member(r.Operator)
		if !ok || !known || c.Entry != entry {
			continue
		}
		link, err := o.s.lockedEntry(ctx, m, entry)
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		e, err := ledger.VerifyEntry(link.Entry)
		if err != nil || e.Lane != o.entry.Lane || e.Height != o.entry.Height {
			failed = errors.Join(failed, ErrFork, err)
			continue
		}
		link.Cert = nil
		o.entry, o.link = e, link
		return nil
	}
	return fmt.Errorf("fetch entry %.8s: %w: %w", entry.Hex(), ErrNetwork, failed)
}

// prove returns acks of a quorum for the entry below, at one place: members say that
// they do not know whether it is decided. They are given again for the certificate that
// is here, or for one of a later attempt.
func (o *offering) prove(ctx context.Context, why error) ([]ident.Signed, error) {
	s := o.s
	below, ok := s.history.head(o.entry.Lane)
	if !ok || below.CID != o.entry.Prev {
		return nil, why
	}
	link, err := s.wholeLink(ctx, below)
	if err != nil {
		return nil, err
	}
	p := &offering{s: s, key: o.key, entry: below.Entry, link: ledger.Link{V: 1, Entry: link.Entry, Body: link.Body}}
	if d, err := p.again(ctx, link.Cert); err == nil {
		return d.acks, nil
	}
	if _, err := p.next(ctx); err != nil {
		return nil, fmt.Errorf("prove entry %.8s: %w", below.CID.Hex(), err)
	}
	if p.entry.CID() != below.CID {
		return nil, fmt.Errorf("prove entry %.8s: %w: entry %.8s has taken its place", below.CID.Hex(), ErrFork, p.entry.CID().Hex())
	}
	d, err := p.run(ctx)
	if err != nil {
		return nil, fmt.Errorf("prove entry %.8s: %w", below.CID.Hex(), err)
	}
	s.proofs[below.CID] = d.acks
	return d.acks, nil
}

// wholeLink returns an entry of the history with its certificate and its body.
func (s *Session) wholeLink(ctx context.Context, l Link) (ledger.Link, error) {
	p, err := s.encodedLink(ctx, l)
	if err != nil {
		return ledger.Link{}, err
	}
	link, err := ledger.ParseLink(p)
	if err != nil {
		return link, err
	}
	link.Body, err = s.Body(ctx, l)
	return link, err
}

// again hands out a certificate that there is already, for the acks.
func (o *offering) again(ctx context.Context, cert []byte) (*decision, error) {
	c, err := ledger.VerifyCertificate(cert, o.s.charter)
	if err != nil {
		return nil, err
	}
	o.attempt = c.Attempt
	d := &decision{s: o.s, entry: o.entry, link: o.link, place: o.place(), cert: cert, certificate: c}
	quorum := o.s.charter.Quorum()
	answers := gather(ctx, o.s.charter.Members, quorumWait{Enough: quorum, Limit: writeLimit}, func(ctx context.Context, m ledger.Member) (struct{}, error) {
		return struct{}{}, d.certify(ctx, m)
	})
	if have := succeeded(answers); have < quorum {
		return nil, refusal(answers, have, quorum)
	}
	return d, nil
}

// floorOf returns the floor that a member's refusal names, 0 for none.
func floorOf(err error) int64 {
	var at *ledgerrpc.HeadError
	if !errors.Is(err, ledger.ErrAttempt) || !errors.As(err, &at) {
		return 0
	}
	return at.Floor
}
