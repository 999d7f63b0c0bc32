package member_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
	"holdfast/ledger/member"
)

const day = 24 * time.Hour

// court is a world of four members in which requests are made. Their clocks go
// together, from ledgertest.Start on.
type court struct {
	*world
	passed atomic.Int64 // since then, ns
	doubt  error
	lane   *ledgertest.Lane
}

// newCourt makes a vault with three guardians, of whom two must approve, 14 days of
// cooling-off, 30 of retention and 7 of trash, unless the charter is changed.
func newCourt(t testing.TB, change ...func(*ledger.Charter)) *court {
	t.Helper()
	v := ledgertest.NewVault("court", 4).Change("court", func(c *ledger.Charter) {
		ledgertest.Guardians(3, 2)(c)
		for _, f := range change {
			f(c)
		}
	})
	c := &court{world: &world{t: t, vault: v}}
	c.owner = v.OwnerLane()
	for i := range v.Members {
		c.dirs = append(c.dirs, t.TempDir())
		c.stores = append(c.stores, open(t, c.config(i)))
		if _, err := c.stores[i].Accept(v.Signed); err != nil {
			t.Fatal(err)
		}
		watch(t, c.stores[i])
	}
	c.lane = c.device("court device")
	return c
}

// atOnce makes all waiting end at once.
func atOnce(c *ledger.Charter) {
	c.Retention, c.Cooling = 0, 0
}

func (c *court) config(i int) member.Config {
	cfg := config(c.dirs[i], c.vault, i)
	cfg.Now, cfg.Doubt = c.now, func() error { return c.doubt }
	return cfg
}

func (c *court) now() time.Time { return ledgertest.Start().Add(time.Duration(c.passed.Load())) }

func (c *court) wait(d time.Duration) { c.passed.Add(int64(d)) }

// snapshot drafts an entry that brings segments and refers to those and to some of its
// lane from before, with receipts of now.
func (c *court) snapshot(l *ledgertest.Lane, tag string, brings int, needs ...int64) ledgertest.Step {
	k := l.Commit(tag, brings)
	k.Source = [16]byte{1}
	for i := range k.Receipts {
		k.Receipts[i].Time = ledger.Millis(c.now())
		k.Receipts[i].Until = ledger.Millis(c.now().Add(8 * day))
	}
	numbers := ledger.NewSpans(needs...)
	if brings > 0 {
		numbers = numbers.Union(ledger.Spans{{First: l.Count, Count: int64(brings)}})
	}
	k.Refs = ledger.Set{Lane: l.Key.Public()}.With(l.Key.Public(), ident.CID{}, numbers).Full()
	return l.Finish(k)
}

// add certifies such an entry, and returns it.
func (c *court) add(tag string, brings int, needs ...int64) ledgertest.Step {
	c.t.Helper()
	s := c.snapshot(c.lane, tag, brings, needs...)
	c.run(c.lane, s)
	return s
}

// ask makes a request at every member, and has it approved by guardians.
func (c *court) ask(kind ledger.RequestKind, targets ...ledgertest.Step) ident.CID {
	c.t.Helper()
	r := c.vault.DraftRequest(kind, names(targets)...)
	r.Clock = ledger.Millis(c.now())
	request := must(ledger.SignRequest(c.vault.Owner, r))
	for _, s := range c.stores {
		if err := s.Request(c.id(), request, ident.Signed{}); err != nil {
			c.t.Fatal(err)
		}
	}
	return request.CID()
}

func names(steps []ledgertest.Step) []ident.CID {
	var out []ident.CID
	for _, s := range steps {
		out = append(out, s.Entry.CID())
	}
	return out
}

// opine brings opinions of guardians to every member.
func (c *court) opine(stance ledger.Stance, request ident.CID, guardians ...int) {
	c.t.Helper()
	for _, g := range guardians {
		o := c.vault.Opinion(ledgertest.GuardianKey(g), stance, request)
		for _, s := range c.stores {
			if err := s.Opine(c.id(), stance, o); err != nil {
				c.t.Fatal(err)
			}
		}
	}
}

// free returns what a member finds free.
func (c *court) free(i int, request ident.CID) []ident.CID {
	c.t.Helper()
	var all []ident.CID
	var after ident.CID
	for {
		page, more, err := c.stores[i].Free(c.id(), request, after)
		if err != nil {
			c.t.Fatal(err)
		}
		all = append(all, page...)
		if !more {
			return all
		}
		after = page[len(page)-1]
	}
}

// consent asks a member.
func (c *court) consent(i int, release []byte) (ident.Signed, error) {
	s, err := c.stores[i].Consent(c.id(), release)
	if err == nil {
		_, err = ledger.VerifyConsent(s, c.vault.Charter, ident.SumDagCBOR(release))
	}
	return s, err
}

// certify has a release consented to by some members and returns its certificate.
func (c *court) certify(release []byte, members ...int) []byte {
	c.t.Helper()
	var consents []ident.Signed
	for _, i := range members {
		s, err := c.consent(i, release)
		if err != nil {
			c.t.Fatalf("member %d: %v", i, err)
		}
		consents = append(consents, s)
	}
	cert, _, err := ledger.NewReleaseCertificate(release, consents, c.vault.Charter)
	if err != nil {
		c.t.Fatal(err)
	}
	return cert
}

// release has segments released by the first three members, and tells all of it.
func (c *court) release(request ident.CID, segments ...ident.CID) ident.CID {
	c.t.Helper()
	release := c.vault.Release(request, segments...)
	c.tell(c.certify(release, 0, 1, 2))
	return ident.SumDagCBOR(release)
}

func (c *court) tell(cert []byte) {
	c.t.Helper()
	for _, s := range c.stores {
		if err := s.Release(c.id(), cert); err != nil {
			c.t.Fatal(err)
		}
	}
}

// standing asks a member about one release.
func (c *court) standing(i int, release ident.CID) ledger.ReleaseStanding {
	c.t.Helper()
	nonce := [16]byte{byte(i), 5}
	signed, err := c.stores[i].Standing(c.id(), nonce, []ident.CID{release})
	if err != nil {
		c.t.Fatal(err)
	}
	a, err := ledger.VerifyStanding(signed, c.vault.Charter, c.vault.Charter.Members[i], nonce, []ident.CID{release})
	if err != nil {
		c.t.Fatal(err)
	}
	return a.States[0]
}

// state returns what a member says of a request.
func (c *court) state(i int, request ident.CID) ledger.CaseState {
	c.t.Helper()
	for _, p := range must(c.stores[i].Cases(c.id(), ident.CID{})) {
		k, err := ledger.VerifyCase(p, c.id())
		if err != nil {
			c.t.Fatal(err)
		}
		if k.Asked().CID() == request {
			return k.State
		}
	}
	return "unknown"
}

func (c *court) wantState(request ident.CID, want ledger.CaseState) {
	c.t.Helper()
	for i := range c.stores {
		if got := c.state(i, request); got != want {
			c.t.Errorf("member %d: %s, want %s", i, got, want)
		}
	}
}

// wantSegments wants a refusal that names segments.
func wantSegments(t testing.TB, err, want error, segments ...ident.CID) {
	t.Helper()
	var named *ledger.SegmentsError
	if !errors.As(err, &named) || named.Err != want || len(named.Segments) != len(segments) {
		t.Fatalf("%v, want %v of %d segments", err, want, len(segments))
	}
	for i, s := range segments {
		if named.Segments[i] != s {
			t.Fatalf("segment %s, want %s", named.Segments[i], s)
		}
	}
}
