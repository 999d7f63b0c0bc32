package vault

import (
	"errors"
	"testing"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
)

// A decision is made by the vote that makes a quorum, and refused by the refusal that
// makes one impossible; neither waits for who is left.
func TestDecisionNeedsAQuorumAndNoMore(t *testing.T) {
	v := ledgertest.NewVault("decide", 4)
	step := v.OwnerLane().Enrol(v.Grant(ledgertest.Key("device"), ledger.Full))
	no := errors.New("no")
	begin := func() (d *decision, stopped *bool) {
		stopped = new(bool)
		s := &Session{charter: v.Charter}
		return &decision{s: s, entry: step.Entry, stop: func() { *stopped = true }, ready: make(chan struct{})}, stopped
	}
	vote := func(d *decision, i int) {
		d.take(answer[ident.Signed]{v.Charter.Members[i], v.Members[i].VoteFor(step, ledgertest.Start()), nil})
	}
	refuse := func(d *decision, i int) { d.take(answer[ident.Signed]{v.Charter.Members[i], ident.Signed{}, no}) }
	decided := func(d *decision) bool {
		select {
		case <-d.ready:
			return true
		default:
			return false
		}
	}

	d, stopped := begin()
	vote(d, 2)
	refuse(d, 0)
	vote(d, 1)
	if decided(d) {
		t.Fatal("decided by two of four")
	}
	vote(d, 3)
	if !decided(d) || d.err != nil || *stopped {
		t.Fatalf("three of four: %v, stopped %v", d.err, *stopped)
	}
	if c, err := ledger.VerifyCertificate(d.cert, v.Charter); err != nil || c.Certifies(step.Entry) != nil || len(c.Votes) != 3 {
		t.Errorf("certificate: %v", err)
	}

	d, stopped = begin()
	refuse(d, 0)
	vote(d, 1)
	refuse(d, 2)
	if !decided(d) || !errors.Is(d.err, ErrNoQuorum) || !errors.Is(d.err, no) || !*stopped {
		t.Errorf("two of four refuse: %v, stopped %v", d.err, *stopped)
	}
	vote(d, 3) // too late: nothing changes
	if d.cert != nil {
		t.Error("a certificate after all")
	}

	// One refuses for good, and another one may: it is waited for, and settles it.
	d, stopped = begin()
	refuse(d, 0)
	no = ledger.ErrCharter
	refuse(d, 1)
	if decided(d) {
		t.Fatal("those who are left are not waited for")
	}
	refuse(d, 3)
	if !decided(d) || !hopeless(d.err, v.Charter) || !*stopped {
		t.Errorf("two of four refuse for good: %v, stopped %v", d.err, *stopped)
	}

	// It does not come: what was said counts.
	d, stopped = begin()
	refuse(d, 0)
	no = errors.New("no")
	refuse(d, 1)
	d.refuse()
	d.refuse()
	if !decided(d) || hopeless(d.err, v.Charter) || !errors.Is(d.err, ErrNoQuorum) || !*stopped {
		t.Errorf("one of four refuses for good: %v, stopped %v", d.err, *stopped)
	}

	// A member that is bound to something else is no reason to wait for ever.
	d, _ = begin()
	no = ledger.ErrAttempt
	vote(d, 0)
	refuse(d, 1)
	if decided(d) || d.patience == nil {
		t.Error("it waits for the others without an end")
	}
	d.refuse()
	var r refused
	if !errors.As(d.err, &r) || r.bound != 1 {
		t.Errorf("bound: %v", d.err)
	}
}
