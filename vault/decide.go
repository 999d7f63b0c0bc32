package vault

import (
	"context"
	"slices"
	"sync"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// decision is an entry on its way through both phases. Each member is asked for its
// vote and, as soon as a quorum has voted, is handed the certificate: who is late with
// its vote keeps nobody else waiting.
type decision struct {
	s     *Session
	place ledger.Place
	entry ledger.Entry
	link  ledger.Link // without certificate

	stop context.CancelFunc

	mu          sync.Mutex
	votes       []answer[ident.Signed]
	patience    *time.Timer // with those who are left, when a quorum is impossible or in doubt
	closed      bool
	ready       chan struct{} // closed when what follows is known
	cert        []byte
	certificate ledger.Certificate
	err         error
	acks        []ident.Signed
}

// decide takes an entry through both phases at one attempt. When it comes back without
// an error, a quorum at least has the certificate.
func (s *Session) decide(ctx context.Context, o *offering) (*decision, error) {
	proposal, err := ledger.SignProposal(o.key, ledger.Proposal{Place: o.place(), Entry: o.entry.CID(), Reports: o.reports, Acks: o.acks})
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	d := &decision{s: s, stop: stop, place: o.place(), entry: o.entry, link: o.link, ready: make(chan struct{})}
	quorum := ledger.Quorum(len(s.charter.Members))
	wait := quorumWait{Enough: quorum, Grace: writeGrace, Limit: 2 * writeLimit}
	answers := gather(ctx, s.charter.Members, wait, func(ctx context.Context, m ledger.Member) (struct{}, error) {
		return struct{}{}, d.member(ctx, m, proposal)
	})
	d.refuse() // nobody is left who could change anything
	if d.err != nil {
		return nil, d.err
	}
	if acks := succeeded(answers); acks < quorum {
		return nil, refusal(answers, acks, quorum)
	}
	return d, nil
}

// member takes one member through both phases.
func (d *decision) member(ctx context.Context, m ledger.Member, proposal ident.Signed) error {
	voting, cancel := context.WithTimeout(ctx, writeLimit)
	defer cancel()
	vote, err := d.s.voteOf(voting, m, d.place, proposal, d.link)
	d.take(answer[ident.Signed]{m, vote, err})
	select {
	case <-d.ready:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if d.err != nil {
		return d.err
	}
	return d.certify(ctx, m)
}

// take notes what a member said. The vote that makes a quorum makes the certificate;
// the refusal that makes one impossible ends the decision, unless those who are left
// may show that the entry is hopeless: they are given a moment. So are they when a
// member is bound to something else: the next attempt may do without them.
func (d *decision) take(a answer[ident.Signed]) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return
	}
	d.votes = append(d.votes, a)
	have, members := succeeded(d.votes), len(d.s.charter.Members)
	quorum := ledger.Quorum(members)
	switch {
	case have == quorum:
		var votes []ident.Signed
		for _, v := range d.votes {
			if v.Err == nil {
				votes = append(votes, v.Value)
			}
		}
		d.cert, d.certificate, d.err = ledger.MakeCertificate(votes, d.s.charter)
	case have+members-len(d.votes) >= quorum:
		if slices.ContainsFunc(d.votes, func(a answer[ident.Signed]) bool { return bound(a.Err) }) {
			d.beImpatient()
		}
		return
	case mayBeHopeless(d.votes, members):
		d.beImpatient()
		return
	default:
		d.err = refusal(d.votes, have, quorum)
		d.stop()
	}
	d.close()
}

// beImpatient ends the decision soon. The caller holds the lock.
func (d *decision) beImpatient() {
	if d.patience == nil {
		d.patience = time.AfterFunc(writeGrace, d.refuse)
	}
}

// refuse ends a decision that is still open.
func (d *decision) refuse() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return
	}
	d.err = refusal(d.votes, succeeded(d.votes), ledger.Quorum(len(d.s.charter.Members)))
	d.stop()
	d.close()
}

// close makes what was decided known. The caller holds the lock.
func (d *decision) close() {
	d.closed = true
	if d.patience != nil {
		d.patience.Stop()
	}
	close(d.ready)
}

// certify hands the certificate to one member, and judges its ack. A member that has
// not seen the proposal gets the whole link.
func (d *decision) certify(ctx context.Context, m ledger.Member) error {
	s := d.s
	signed, err := s.member(m).Certify(ctx, s.vault, d.cert)
	if err != nil && ctx.Err() == nil {
		if err := s.bringUp(ctx, m, d.entry.Lane); err != nil {
			return err
		}
		short, err := ledger.Link{Entry: d.link.Entry, Cert: d.cert}.Encode()
		if err != nil {
			return err
		}
		if err := s.member(m).Adopt(ctx, s.vault, short, d.link.Body); err != nil {
			return err
		}
		signed, err = s.member(m).Certify(ctx, s.vault, d.cert)
		if err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	a, err := ledger.VerifyAck(signed, s.charter)
	if err == nil && (a.Operator != m.Operator || a.Entry != d.entry.CID() || a.Place != d.place) {
		err = ErrFork
	}
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.acks = append(d.acks, signed)
	return nil
}
