package member_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
)

// A release of a segment and a new entry that refers to it are never both certified:
// many schedules over real stores of four members, one of whom signs whatever it is
// asked to. HOLDFAST_SEED runs one again.

// duels is a court in which each of some segments is wanted by a release and by an entry.
type duels struct {
	*court
	liar     int // signs whatever it is asked to, by hand
	releases [][]byte
	entries  []ledgertest.Step
	lanes    []*ledgertest.Lane
}

func newDuels(t testing.TB, liar, rounds int) *duels {
	d := &duels{court: newCourt(t, atOnce), liar: liar}
	var targets []ledgertest.Step
	for i := range rounds {
		targets = append(targets, d.add(fmt.Sprint("target ", i), 1))
	}
	d.add("last", 1)
	request := d.ask(ledger.RequestRelease, targets...)
	d.opine(ledger.Approve, request, 0, 1)
	for i, target := range targets {
		l := d.device(fmt.Sprint("duel ", i))
		k := l.Commit("duel", 1)
		own := ledger.Set{Lane: l.Key.Public()}.With(l.Key.Public(), ident.CID{}, ledger.NewSpans(0))
		k.Refs = own.With(d.lane.Key.Public(), target.Entry.CID(), ledger.NewSpans(int64(i))).Full()
		d.entries, d.lanes = append(d.entries, l.Finish(k)), append(d.lanes, l)
		d.releases = append(d.releases, d.vault.Release(request, target.Segments()...))
	}
	return d
}

// duel runs one schedule: votes asked of one court, consents of another, which are the
// same unless a test takes the exclusion away. It returns which of the two are certified.
func duel(t testing.TB, r *rand.Rand, votes, consents *duels, i int) (entry, release bool) {
	given := struct {
		sync.Mutex
		votes, consents map[int]ident.Signed
	}{votes: map[int]ident.Signed{}, consents: map[int]ident.Signed{}}
	step, encoded := votes.entries[i], votes.releases[i]
	var acts []func()
	for m := range votes.stores {
		vote := func() {
			s, err := votes.propose(m, step)
			if m == votes.liar {
				s, err = votes.vault.Members[m].VoteFor(step, ledgertest.Start()), nil
			}
			if err == nil {
				given.Lock()
				defer given.Unlock()
				given.votes[m] = s
			} else if !errors.Is(err, ledger.ErrClosing) {
				t.Errorf("member %d: %v", m, err)
			}
		}
		consent := func() {
			s, err := consents.consent(m, encoded)
			if m == votes.liar {
				s, err = votes.vault.Members[m].ConsentTo(encoded), nil
			}
			if err == nil {
				given.Lock()
				defer given.Unlock()
				given.consents[m] = s
			} else if !errors.Is(err, ledger.ErrNotFree) {
				t.Errorf("member %d: %v", m, err)
			}
		}
		acts = append(acts, vote, consent, vote, consent)
	}
	r.Shuffle(len(acts), func(a, b int) { acts[a], acts[b] = acts[b], acts[a] })
	for len(acts) > 0 {
		var together sync.WaitGroup
		n := min(1+r.IntN(3), len(acts))
		for _, act := range acts[:n] {
			together.Go(act)
		}
		together.Wait()
		acts = acts[n:]
		if r.IntN(40) == 0 {
			m := r.IntN(len(votes.stores))
			votes.restart(m)
		}
	}
	return certified(t, votes, step, given.votes), released(t, votes, encoded, given.consents)
}

// restart ends a member and opens it again.
func (c *court) restart(i int) {
	c.t.Helper()
	if err := c.stores[i].Close(); err != nil {
		c.t.Fatal(err)
	}
	c.stores[i] = open(c.t, c.config(i))
}

// certified makes the certificate of what was voted for, if it can be made, and tells
// every member.
func certified(t testing.TB, d *duels, s ledgertest.Step, votes map[int]ident.Signed) bool {
	var all []ident.Signed
	for _, v := range votes {
		all = append(all, v)
	}
	cert, err := ledger.NewCertificate(all, d.vault.Charter)
	if err != nil {
		return false
	}
	link := ledger.Link{V: 1, Entry: s.Signed, Cert: cert, Body: s.Body}
	for m, store := range d.stores {
		if err := store.Adopt(d.id(), link); err != nil && m != d.liar {
			t.Errorf("member %d adopts: %v", m, err)
		}
	}
	return true
}

func released(t testing.TB, d *duels, release []byte, consents map[int]ident.Signed) bool {
	var all []ident.Signed
	for _, c := range consents {
		all = append(all, c)
	}
	_, _, err := ledger.NewReleaseCertificate(release, all, d.vault.Charter)
	return err == nil
}

func TestReleaseAndReferenceExclude(t *testing.T) {
	s, courts, rounds := newSeed(t), 2, 20
	if testing.Short() {
		courts = 1
	}
	entries, releases := 0, 0
	for c := range courts {
		r := rand.New(rand.NewPCG(s, uint64(c)))
		d := newDuels(t, r.IntN(4), rounds)
		for i := range rounds {
			entry, release := duel(t, r, d, d, i)
			if entry && release {
				t.Fatalf("seed %d, court %d, round %d: both are certified", s, c, i)
			}
			if entry {
				entries++
			}
			if release {
				releases++
			}
		}
	}
	if entries == 0 || releases == 0 {
		t.Errorf("%d entries and %d releases were certified: the schedules show nothing", entries, releases)
	}
}

// The check can fail: with members who consent without regard to their votes, both are
// certified.
func TestExclusionIsNeeded(t *testing.T) {
	s, rounds := newSeed(t), 10
	r := rand.New(rand.NewPCG(s, 0))
	liar := r.IntN(4)
	votes, consents := newDuels(t, liar, rounds), newDuels(t, liar, rounds)
	for i := range rounds {
		if entry, release := duel(t, r, votes, consents, i); entry && release {
			return
		}
	}
	t.Errorf("seed %d: nothing was found without the exclusion", s)
}

// An entry that reports prove certified is voted for also by a member that has
// consented to the release of what it refers to: its quorum has voted, and does not
// consent. Without that vote its writer could stick.
func TestBoundEntryIsVotedFor(t *testing.T) {
	c := newCourt(t, atOnce)
	one := c.add("one", 1)
	c.add("two", 1)
	request := c.ask(ledger.RequestRelease, one)
	c.opine(ledger.Approve, request, 0, 1)
	release := c.vault.Release(request, one.Segments()...)
	if _, err := c.consent(0, release); err != nil {
		t.Fatal(err)
	}
	wants := c.snapshot(c.lane, "wants", 1, 0)
	var votes, reports []ident.Signed
	for m := range c.stores {
		vote, err := c.propose(m, wants)
		if m == 0 {
			wantErr(t, err, ledger.ErrClosing)
			continue
		}
		mustNot(t, err)
		votes = append(votes, vote)
	}
	cert := must(ledger.NewCertificate(votes, c.vault.Charter))
	must(c.stores[1].Certify(c.id(), cert))
	for _, s := range c.stores[1:] {
		reports = append(reports, must(s.Report(c.id(), c.lane.Ask(wants, 1))))
	}
	if _, err := c.stores[0].Propose(c.id(), c.lane.Again(wants, 1, reports...), wants.Signed, wants.Body); err != nil {
		t.Error(err)
	}
	_, err := c.consent(1, release)
	wantErr(t, err, ledger.ErrNotFree)
}
