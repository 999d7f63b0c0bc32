package member_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
	"holdfast/ledger/member"
)

// The whole way of a release: nobody consents before its time, only what no snapshot
// needs goes, and from then on nobody votes for an entry that refers to it.
func TestRelease(t *testing.T) {
	c := newCourt(t)
	one := c.add("one", 2)
	two := c.add("two", 1, 1)
	c.add("three", 1, 1, 2)
	first := one.Segments()[0]
	request := c.ask(ledger.RequestRelease, one)
	release := c.vault.Release(request, first)
	for _, step := range []struct {
		do    func()
		state ledger.CaseState
		want  error
	}{
		{func() {}, ledger.StateRequested, ledger.ErrNotPassed},
		{func() { c.opine(ledger.Approve, request, 2) }, ledger.StateRequested, ledger.ErrNotPassed},
		{func() { c.wait(day); c.opine(ledger.Approve, request, 0) }, ledger.StateCooling, ledger.ErrNotPassed},
		{func() { c.wait(14*day - time.Second) }, ledger.StateCooling, ledger.ErrNotPassed},
		{func() { c.wait(time.Second) }, ledger.StateRetained, ledger.ErrRetention},
		{func() { c.wait(15*day - time.Second) }, ledger.StateRetained, ledger.ErrRetention},
		{func() { c.wait(time.Second * 4) }, ledger.StatePassed, nil},
	} {
		step.do()
		c.wantState(request, step.state)
		_, err := c.consent(3, release)
		if !errors.Is(err, step.want) {
			t.Fatalf("%s: %v, want %v", step.state, err, step.want)
		}
	}
	for i := range c.stores {
		if got := c.free(i, request); !slices.Equal(got, []ident.CID{first}) {
			t.Fatalf("member %d finds free %v", i, got)
		}
	}
	_, err := c.consent(0, c.vault.Release(request, first, one.Segments()[1], two.Segments()[0]))
	wantSegments(t, err, ledger.ErrNotFree, sortedNames(one.Segments()[1], two.Segments()[0])...)
	_, err = c.consent(0, c.vault.Release(request, ident.SumDagCBOR([]byte("nobody's"))))
	wantSegments(t, err, ledger.ErrNotFree, ident.SumDagCBOR([]byte("nobody's")))

	again := c.snapshot(c.lane, "again", 1, 0, 1)
	if got := c.standing(3, ident.SumDagCBOR(release)).State; got != ledger.ReleaseConsented {
		t.Errorf("state %d, want consented", got)
	}
	_, err = c.propose(3, again)
	wantSegments(t, err, ledger.ErrClosing, first)
	if _, err := c.propose(0, again); err != nil { // has not consented, and votes
		t.Fatal(err)
	}
	_, err = c.consent(0, release)
	wantSegments(t, err, ledger.ErrNotFree, first) // and does not consent any more

	c.tell(c.certify(release, 1, 2, 3))
	c.wantState(request, ledger.StateCertified)
	for i := range c.stores {
		if got := c.free(i, request); len(got) != 0 {
			t.Errorf("member %d finds free %v after the release", i, got)
		}
		s := c.standing(i, ident.SumDagCBOR(release))
		if s.State != ledger.ReleaseCertified || s.Until != ledger.Millis(c.now().Add(7*day)) {
			t.Errorf("member %d says %+v", i, s)
		}
		other := c.snapshot(c.lane, fmt.Sprint("other ", i), 1, 0)
		if _, err := c.propose(i, other); !errors.Is(err, ledger.ErrClosing) && !errors.Is(err, member.ErrLocked) {
			t.Errorf("member %d: %v", i, err)
		}
	}
}

func sortedNames(names ...ident.CID) []ident.CID {
	slices.SortFunc(names, ident.CID.Compare)
	return names
}

// A release can be taken back until its trash time is over on a member's clock, and
// then everything is as before.
func TestUndo(t *testing.T) {
	c := newCourt(t, atOnce)
	one := c.add("one", 2)
	c.add("two", 1, 1)
	request := c.ask(ledger.RequestRelease, one)
	c.opine(ledger.Approve, request, 0, 1)
	first := one.Segments()[0]
	release := c.release(request, first)
	undo := c.vault.Undo(ledgertest.GuardianKey(2), release)

	_, err := c.stores[0].Undo(c.id(), c.vault.Undo(ledgertest.Key("court device"), release))
	wantErr(t, err, ledger.ErrForbidden)
	_, err = c.stores[0].Undo(c.id(), c.vault.Undo(c.vault.Owner, request))
	wantErr(t, err, ledger.ErrUnknownRequest)
	c.wait(7*day - time.Millisecond)
	var words []ident.Signed
	for _, s := range c.stores[:3] {
		words = append(words, must(s.Undo(c.id(), undo)))
	}
	if got := c.standing(0, release).State; got != ledger.ReleaseUndone {
		t.Errorf("state %d, want undone as soon as it was said", got)
	}
	c.wait(time.Millisecond)
	_, err = c.stores[3].Undo(c.id(), undo)
	wantErr(t, err, ledger.ErrTooLate)
	if again := must(c.stores[0].Undo(c.id(), undo)); again.Signature != words[0].Signature {
		t.Error("another word for the same release")
	}
	_, err = c.propose(3, c.snapshot(c.lane, "early", 1, 0, 1))
	wantErr(t, err, ledger.ErrClosing)

	cert, _, err := ledger.NewUndoCertificate(release, words, c.vault.Charter)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range c.stores {
		for range 2 {
			if err := s.Undone(c.id(), cert); err != nil {
				t.Fatal(err)
			}
		}
	}
	c.wantState(request, ledger.StateUndone)
	_, err = c.consent(3, c.vault.Release(request, first))
	wantErr(t, err, ledger.ErrSettled)
	for i := range c.stores {
		if got := c.standing(i, release).State; got != ledger.ReleaseUndone {
			t.Errorf("member %d says %d", i, got)
		}
		list := must(c.stores[i].Released(c.id(), 1, 10))
		if len(list) != 1 || list[0].Undo == nil || list[0].Seq != 2 {
			t.Errorf("member %d serves %d releases", i, len(list))
		}
	}
	c.add("again", 1, 0, 1, 2)
}

// What two releases close stays closed when one of them is undone.
func TestUndoOfOneOfTwo(t *testing.T) {
	c := newCourt(t, atOnce)
	one := c.add("one", 3)
	request := c.ask(ledger.RequestRelease, one)
	c.opine(ledger.Approve, request, 0, 1)
	s := one.Segments()
	both := c.vault.Release(request, s[0], s[1])
	other := c.vault.Release(request, s[1], s[2])
	certs := [][]byte{c.certify(both, 0, 1, 2), c.certify(other, 0, 1, 2)}
	c.tell(certs[0])
	c.tell(certs[1])
	release := ident.SumDagCBOR(both)
	undone, _, err := ledger.NewUndoCertificate(release, c.vault.Undone(release, 3), c.vault.Charter)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range c.stores {
		if err := s.Undone(c.id(), undone); err != nil {
			t.Fatal(err)
		}
	}
	_, err = c.propose(0, c.snapshot(c.lane, "second", 1, 1))
	wantErr(t, err, ledger.ErrClosing)
	if _, err := c.propose(0, c.snapshot(c.lane, "first", 1, 0)); err != nil {
		t.Error(err)
	}
}

// A snapshot that another request forgets counts for the arithmetic only once that
// cannot be taken back any more.
func TestForgottenOnlyForGood(t *testing.T) {
	c := newCourt(t, atOnce)
	one := c.add("one", 2)
	two := c.add("two", 1, 1)
	c.add("three", 1)
	a, b := c.ask(ledger.RequestRelease, one), c.ask(ledger.RequestRelease, two)
	c.opine(ledger.Approve, a, 0, 1)
	c.opine(ledger.Approve, b, 0, 1)
	c.release(a, one.Segments()[0])
	shared := one.Segments()[1]
	if got := c.free(0, b); slices.Contains(got, shared) {
		t.Fatal("what the first request may get back is free")
	}
	c.wait(7 * day)
	if got := c.free(0, b); !slices.Contains(got, shared) || len(got) != 2 {
		t.Fatalf("free are %v", got)
	}
	c.release(b, c.free(0, b)...)
}

// An entry without segments of its own to free is forgotten by a release of none.
func TestEmptyRelease(t *testing.T) {
	c := newCourt(t, atOnce)
	one := c.add("one", 1)
	c.add("two", 1, 0)
	request := c.ask(ledger.RequestRelease, one)
	c.opine(ledger.Approve, request, 0, 1)
	if got := c.free(0, request); len(got) != 0 {
		t.Fatalf("free are %v", got)
	}
	c.release(request)
	c.wantState(request, ledger.StateCertified)
}

// Routine expiry needs nobody's approval, and counts newer complete snapshots of the
// same lane and source that stay.
func TestExpiry(t *testing.T) {
	c := newCourt(t, atOnce, func(ch *ledger.Charter) { ch.Expiry = ledger.Expiry{After: 24 * 3600, Newer: 2} })
	var steps []ledgertest.Step
	for i := range 5 {
		steps = append(steps, c.add(fmt.Sprint(i), 1))
	}
	c.wait(day + 4*time.Second)
	early := c.ask(ledger.RequestExpiry, steps[1], steps[2], steps[3])
	c.wantState(early, ledger.StateRetained)
	request := c.ask(ledger.RequestExpiry, steps[0], steps[1], steps[2])
	c.wantState(request, ledger.StatePassed)
	c.release(request, c.free(0, request)...)
	if got := c.free(0, request); len(got) != 0 {
		t.Errorf("free are %v", got)
	}
}

// One row for each reason not to take a request, an opinion or a release.
func TestRefusals(t *testing.T) {
	c := newCourt(t, atOnce)
	one := c.add("one", 1)
	full := ledgertest.Key("full device")
	c.run(c.owner, c.owner.Enrol(c.vault.Grant(full, ledger.Full)))
	s, id := c.stores[0], c.id()
	draft := func(change func(*ledger.Request)) ident.Signed {
		r := c.vault.DraftRequest(ledger.RequestRelease, one.Entry.CID())
		change(&r)
		return must(ledger.SignRequest(c.vault.Owner, r))
	}
	ask := func(r ident.Signed) error { return s.Request(id, r, ident.Signed{}) }
	month := int64(30 * day / time.Millisecond)
	request := c.ask(ledger.RequestRelease, one)
	c.opine(ledger.Approve, request, 0, 1)
	vetoed := draft(func(r *ledger.Request) { r.Reason = "vetoed" })
	mustNot(t, ask(vetoed))
	c2 := c.vault.Opinion(ledgertest.GuardianKey(2), ledger.Veto, vetoed.CID())
	mustNot(t, s.Opine(id, ledger.Veto, c2))
	mustNot(t, s.Opine(id, ledger.Veto, c2))
	for name, row := range map[string]struct{ err, want error }{
		"another vault":       {ask(draft(func(r *ledger.Request) { r.Vault = one.Entry.CID() })), ledger.ErrMismatch},
		"another charter":     {ask(draft(func(r *ledger.Request) { r.Charter = one.Entry.CID() })), ledger.ErrCharter},
		"clock ahead":         {ask(draft(func(r *ledger.Request) { r.Clock += 12 * month })), ledger.ErrSettled},
		"too old":             {ask(draft(func(r *ledger.Request) { r.Clock -= 4 * month })), ledger.ErrSettled},
		"append device":       {ask(c.vault.Request(c.lane.Key, ledger.RequestRelease, one.Entry.CID())), ledger.ErrForbidden},
		"stranger":            {ask(c.vault.Request(ledgertest.Key("stranger"), ledger.RequestRelease, one.Entry.CID())), ledger.ErrForbidden},
		"full device":         {ask(c.vault.Request(full, ledger.RequestRelease, one.Entry.CID())), nil},
		"unknown vault":       {s.Request(one.Entry.CID(), vetoed, ident.Signed{}), member.ErrUnknownVault},
		"no successor":        {ask(draft(func(r *ledger.Request) { r.Kind, r.Targets, r.Successor = ledger.RequestCharter, nil, id })), nil},
		"opinion of nothing":  {s.Opine(id, ledger.Approve, c.vault.Opinion(ledgertest.GuardianKey(0), ledger.Approve, id)), ledger.ErrUnknownRequest},
		"owner approves":      {s.Opine(id, ledger.Approve, c.vault.Opinion(c.vault.Owner, ledger.Approve, request)), ledger.ErrForbidden},
		"owner vetoes":        {s.Opine(id, ledger.Veto, c.vault.Opinion(c.vault.Owner, ledger.Veto, request)), ledger.ErrForbidden},
		"veto as an approval": {s.Opine(id, ledger.Approve, c2), ident.ErrSignature},
		"release of nothing":  {second(s.Consent(id, c.vault.Release(id))), ledger.ErrUnknownRequest},
		"release of a vetoed": {second(s.Consent(id, c.vault.Release(vetoed.CID()))), ledger.ErrVetoed},
		"free of nothing":     {third(s.Free(id, id, ident.CID{})), ledger.ErrUnknownRequest},
		"cases after nothing": {second(s.Cases(id, id)), ledger.ErrUnknownRequest},
		"undone of nothing":   {s.Undone(id, undoing(c, id)), ledger.ErrUnknownRequest},
		"too few consents":    {s.Release(id, few(c, c.vault.Release(request))), ledger.ErrNoQuorum},
	} {
		if name == "no successor" {
			if row.err == nil {
				t.Error("a request about a charter without it")
			}
			continue
		}
		if !errors.Is(row.err, row.want) || row.want == nil && row.err != nil {
			t.Errorf("%s: %v, want %v", name, row.err, row.want)
		}
	}
	c.doubt = errors.New("it has jumped")
	_, err := c.consent(0, c.vault.Release(request, one.Segments()[0]))
	wantErr(t, err, ledger.ErrClockDoubt)
	c.doubt = nil
	release := c.release(request, one.Segments()[0])
	c.doubt = errors.New("it has jumped")
	_, err = s.Undo(id, c.vault.Undo(c.vault.Owner, release))
	wantErr(t, err, ledger.ErrClockDoubt)
	if got := c.standing(0, release).Until; got != ledger.Never {
		t.Errorf("a clock in doubt tells of a time: %d", got)
	}
}

func mustNot(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func third[T, U any](_ T, _ U, err error) error { return err }

func undoing(c *court, release ident.CID) []byte {
	p, _, err := ledger.NewUndoCertificate(release, c.vault.Undone(release, 3), c.vault.Charter)
	return must(p, err)
}

// few is a certificate with one consent too few.
func few(c *court, release []byte) []byte {
	whole, _, err := ledger.NewReleaseCertificate(release, c.vault.Consents(release, 3), c.vault.Charter)
	must(whole, err)
	k := ledger.ReleaseCertificate{V: 1, Release: release, Consents: c.vault.Consents(release, 2)}
	return wire.MustEncode(k)
}
