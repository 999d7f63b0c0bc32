package member_test

import (
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// A release that an earlier charter's members have certified counts at a member of the
// newer one only if it has not voted for an entry that refers to a segment: those who
// consented do not vote any more, so nothing else keeps both from being certified.
func TestReleaseOfAnEarlierCharter(t *testing.T) {
	for _, voted := range []bool{false, true} {
		c := newCourt(t, atOnce)
		one, away := c.snapshot(c.lane, "one", 2), c.stores[3]
		c.run(c.lane, one, 0, 1, 2)
		mustNot(t, away.Adopt(c.id(), must(c.stores[0].Link(c.id(), one.Entry.CID()))))
		c.stores = c.stores[:3]
		request := c.ask(ledger.RequestRelease, one)
		c.opine(ledger.Approve, request, 0, 1)
		cert := c.certify(c.vault.Release(request, one.Segments()[0]), 0, 1, 2)
		asked := must(ledger.VerifyCase(must(c.stores[0].Cases(c.id(), ident.CID{}))[0], c.id()))

		mustNot(t, away.Adopt(c.id(), c.vault.Succeed(c.owner, c.vault.Next(nil), false, c.lane)))
		wants := c.snapshot(c.lane, "wants", 1, 0)
		c.stores = append(c.stores, away)
		if voted {
			if _, err := c.propose(3, wants); err != nil {
				t.Fatal(err)
			}
		}
		wantErr(t, away.Release(c.id(), cert), ledger.ErrUnknownRequest)
		mustNot(t, away.AdoptCase(c.id(), asked))
		if got := c.state(3, request); got != ledger.StateVoid {
			t.Errorf("the request is %s", got)
		}
		if err := away.Release(c.id(), cert); voted {
			wantSegments(t, err, ledger.ErrNotFree, one.Segments()[0])
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		if got := c.state(3, request); got != ledger.StateCertified {
			t.Errorf("the request is %s", got)
		}
		_, err := c.propose(3, wants)
		wantErr(t, err, ledger.ErrClosing)
	}
}

// Nothing is consented to, taken back or confirmed to holders while the charter is
// frozen.
func TestFrozenConsentsToNothing(t *testing.T) {
	c := newCourt(t, atOnce)
	one := c.add("one", 2)
	request := c.ask(ledger.RequestRelease, one)
	c.opine(ledger.Approve, request, 0, 1)
	s := one.Segments()
	release := c.release(request, s[0])
	if _, err := c.stores[0].Freeze(c.id(), c.vault.Next(nil)); err != nil {
		t.Fatal(err)
	}
	_, err := c.consent(0, c.vault.Release(request, s[1]))
	wantErr(t, err, ledger.ErrFrozen)
	_, err = c.stores[0].Undo(c.id(), c.vault.Undo(c.vault.Owner, release))
	wantErr(t, err, ledger.ErrFrozen)
	_, err = c.stores[0].Standing(c.id(), [16]byte{1}, []ident.CID{release})
	wantErr(t, err, ledger.ErrFrozen)
}

// Who freezes the charter for as long as the trash time is has not taken the way back
// away: the time of the freeze does not count.
func TestFreezeDoesNotUseUpTheUndo(t *testing.T) {
	c := newCourt(t, atOnce)
	one := c.add("one", 2)
	request := c.ask(ledger.RequestRelease, one)
	c.opine(ledger.Approve, request, 0, 1)
	release := c.release(request, one.Segments()[0])
	until := c.standing(0, release).Until
	c.wait(6 * day)
	next := c.vault.Next(nil)
	for range 2 { // asked again it is frozen since the first time
		for _, s := range c.stores {
			must(s.Freeze(c.id(), next))
		}
		c.wait(5 * day)
	}
	link := c.vault.Succeed(c.owner, next, false, c.lane)
	for _, s := range c.stores {
		mustNot(t, s.Adopt(c.id(), link))
	}
	if got := c.standing(0, release).Until; got != until+ledger.Millis(ledger.Time(0).Add(10*day)) {
		t.Errorf("it can be taken back until %d, not ten days longer than %d", got, until)
	}
	c.wait(day - time.Millisecond)
	must(c.stores[0].Undo(c.id(), c.vault.Undo(c.vault.Owner, release)))
	c.wait(time.Millisecond)
	_, err := c.stores[1].Undo(c.id(), c.vault.Undo(c.vault.Owner, release))
	wantErr(t, err, ledger.ErrTooLate)
}
