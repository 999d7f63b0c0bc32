package member_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
	"holdfast/ledger/member"
)

// A member that was away takes in lanes, releases and cases, and is where the others
// are, however old the request is by then.
func TestCatchUpOfReleases(t *testing.T) {
	for _, late := range []time.Duration{0, 100 * day} {
		c := newCourt(t, atOnce)
		one, two := c.snapshot(c.lane, "one", 2), ledgertest.Step{}
		c.run(c.lane, one, 0, 1, 2)
		two = c.snapshot(c.lane, "two", 1, 1)
		c.run(c.lane, two, 0, 1, 2)
		away := c.stores[3]
		c.stores = c.stores[:3]
		request := c.ask(ledger.RequestRelease, one)
		c.opine(ledger.Approve, request, 0, 1)
		release := c.release(request, one.Segments()[0])
		c.wait(late)
		for height := int64(1); height <= 2; height++ {
			for _, p := range must(c.stores[0].Links(c.id(), c.lane.Key.Public(), height, 1)) {
				l := must(ledger.ParseLink(p))
				whole := must(c.stores[0].Link(c.id(), l.Entry.CID()))
				mustNot(t, away.Adopt(c.id(), whole))
			}
		}
		for _, r := range must(c.stores[0].Released(c.id(), 1, 100)) {
			for range 2 {
				mustNot(t, away.Release(c.id(), r.Cert))
			}
		}
		for _, p := range must(c.stores[0].Cases(c.id(), ident.CID{})) {
			mustNot(t, away.AdoptCase(c.id(), must(ledger.VerifyCase(p, c.id()))))
		}
		c.stores = append(c.stores, away)
		if got := c.state(3, request); got != ledger.StateCertified {
			t.Errorf("%v late: %s", late, got)
		}
		if got := c.standing(3, release).State; got != ledger.ReleaseCertified {
			t.Errorf("%v late: release %d", late, got)
		}
		_, err := c.propose(3, c.snapshot(c.lane, "three", 1, 0))
		wantErr(t, err, ledger.ErrClosing)
		if got := c.free(3, request); len(got) != 0 {
			t.Errorf("%v late: free are %v", late, got)
		}
	}
}

// After the database is lost, requests, opinions and certificates come back from the
// files. Cooling-off begins again, and the key signs nothing more.
func TestRebuildOfReleases(t *testing.T) {
	c := newCourt(t, func(ch *ledger.Charter) { ch.Retention = 0 })
	one, two := c.add("one", 2), c.add("two", 2)
	done, undone := c.ask(ledger.RequestRelease, one), c.ask(ledger.RequestRelease, two)
	for _, r := range []ident.CID{done, undone} {
		c.opine(ledger.Approve, r, 0, 1)
	}
	c.wait(14 * day)
	stands := c.release(done, one.Segments()...)
	back := c.release(undone, two.Segments()...)
	cert := undoing(c, back)
	for _, s := range c.stores {
		mustNot(t, s.Undone(c.id(), cert))
	}
	third := c.ask(ledger.RequestRelease, two)
	c.opine(ledger.Approve, third, 1, 2)
	c.wait(13 * day)
	mustNot(t, c.stores[3].Close())
	mustNot(t, os.Remove(filepath.Join(c.dirs[3], "member.db")))
	found, err := member.Rebuild(c.config(3))
	if err != nil || found.Requests != 3 || found.Releases != 2 || len(found.Skipped) != 0 {
		t.Fatal(found, err)
	}
	c.stores[3] = open(t, c.config(3))
	for request, want := range map[ident.CID]ledger.CaseState{
		done: ledger.StateCertified, undone: ledger.StateUndone, third: ledger.StateCooling,
	} {
		if got := c.state(3, request); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	c.wait(2 * day)
	if got := [2]ledger.CaseState{c.state(0, third), c.state(3, third)}; got != [2]ledger.CaseState{ledger.StatePassed, ledger.StateCooling} {
		t.Errorf("states %v", got)
	}
	list := must(c.stores[3].Released(c.id(), 1, 10))
	if len(list) != 2 || list[0].Undo != nil && list[1].Undo != nil {
		t.Errorf("%d releases", len(list))
	}
	_, err = c.stores[3].Standing(c.id(), [16]byte{1}, []ident.CID{stands})
	wantErr(t, err, member.ErrForgotten)
	_, err = c.consent(3, c.vault.Release(third))
	wantErr(t, err, member.ErrForgotten)
}

// Requests are bounded: the open ones, and those that came to nothing, which are
// remembered for as long as they could come again and not for ever.
func TestRequestsAreBounded(t *testing.T) {
	c := newCourt(t)
	one := c.add("one", 1)
	s := c.stores[0]
	ask := func(tag string) (ident.CID, error) {
		r := c.vault.DraftRequest(ledger.RequestRelease, one.Entry.CID())
		r.Reason, r.Clock = tag, ledger.Millis(c.now())
		request := must(ledger.SignRequest(c.vault.Owner, r))
		return request.CID(), s.Request(c.id(), request, ident.Signed{})
	}
	first, err := ask("first")
	mustNot(t, err)
	veto := c.vault.Opinion(ledgertest.GuardianKey(0), ledger.Veto, first)
	mustNot(t, s.Opine(c.id(), ledger.Veto, veto))
	for i := range ledger.MaxOpen {
		_, err := ask(fmt.Sprint(i))
		mustNot(t, err)
	}
	_, err = ask("one too many")
	wantErr(t, err, member.ErrFull)
	files := filepath.Join(c.dirs[0], c.id().Hex(), "request")
	if n := len(must(os.ReadDir(files))); n != ledger.MaxOpen+2 {
		t.Errorf("%d files", n)
	}
	c.wait(ledger.RequestLife + time.Hour)
	_, err = ask("later")
	mustNot(t, err)
	if got := c.state(0, first); got != ledger.StateVetoed {
		t.Errorf("the vetoed one is %s", got)
	}
	c.wait(ledger.RequestLife)
	_, err = ask("much later")
	mustNot(t, err)
	if got := c.state(0, first); got != "unknown" {
		t.Errorf("the vetoed one is %s", got)
	}
	if n := len(must(os.ReadDir(files))); n != 2 {
		t.Errorf("%d files are left", n)
	}
	// What was vetoed cannot come back without its veto.
	r := c.vault.DraftRequest(ledger.RequestRelease, one.Entry.CID())
	r.Reason = "first"
	err = s.Request(c.id(), must(ledger.SignRequest(c.vault.Owner, r)), ident.Signed{})
	wantErr(t, err, ledger.ErrSettled)
}

// Pages of cases follow each other, the newest first.
func TestPagesOfCases(t *testing.T) {
	c := newCourt(t)
	one := c.add("one", 1)
	var want []ident.CID
	for i := range 5 {
		r := c.vault.DraftRequest(ledger.RequestRelease, one.Entry.CID())
		r.Reason = fmt.Sprint(i)
		c.wait(time.Second)
		request := must(ledger.SignRequest(c.vault.Owner, r))
		mustNot(t, c.stores[0].Request(c.id(), request, ident.Signed{}))
		want = append([]ident.CID{request.CID()}, want...)
	}
	var got []ident.CID
	for after := (ident.CID{}); ; after = got[len(got)-1] {
		page := must(c.stores[0].Cases(c.id(), after))
		if len(page) == 0 {
			break
		}
		got = append(got, must(ledger.VerifyCase(page[0], c.id())).Asked().CID())
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// A device that is revoked takes what it asked for with it.
func TestRequestOfARevokedDevice(t *testing.T) {
	c := newCourt(t, atOnce)
	one := c.add("one", 1)
	full := ledgertest.Key("full device")
	c.run(c.owner, c.owner.Enrol(c.vault.Grant(full, ledger.Full)))
	request := c.vault.Request(full, ledger.RequestRelease, one.Entry.CID())
	for _, s := range c.stores {
		mustNot(t, s.Request(c.id(), request, ident.Signed{}))
	}
	c.opine(ledger.Approve, request.CID(), 0, 1)
	c.wantState(request.CID(), ledger.StatePassed)
	c.run(c.owner, c.owner.Revoke(full.Public()))
	c.wantState(request.CID(), ledger.StateVoid)
	_, err := c.consent(0, c.vault.Release(request.CID(), one.Segments()...))
	if !errors.Is(err, ledger.ErrSettled) {
		t.Error(err)
	}
}
