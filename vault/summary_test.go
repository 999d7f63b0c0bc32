package vault

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
	"holdfast/vault/index"
)

// cachedLane is a machine with the ledger of a vault in its cache: an enrolment, and
// snapshots of two segments each.
type cachedLane struct {
	t       testing.TB
	home    Home
	profile Profile
	vault   *ledgertest.Vault
	lane    *ledgertest.Lane
}

func newCachedLane(t testing.TB, snapshots int) *cachedLane {
	t.Helper()
	v := ledgertest.NewVault("history", 2)
	key := ledgertest.Key("device")
	c := &cachedLane{t: t, vault: v, lane: v.Lane(key), home: Home{Dir: t.TempDir(), Cache: t.TempDir()}}
	c.profile = Profile{Name: "shop", Vault: v.ID(), Charter: v.Signed, Grant: v.Grant(key, ledger.Full), Device: key}
	s := c.open()
	owner := v.OwnerLane()
	c.take(s, owner, owner.Enrol(c.profile.Grant))
	for i := range snapshots {
		c.take(s, c.lane, c.lane.Snapshot(fmt.Sprint(i), 2))
	}
	c.close(s)
	return c
}

func (c *cachedLane) open() *Session {
	c.t.Helper()
	s, err := c.home.connect(context.Background(), c.profile, Options{Now: ledgertest.Start})
	if err != nil {
		c.t.Fatal(err)
	}
	return s
}

func (c *cachedLane) close(s *Session) {
	c.t.Helper()
	if err := s.Close(); err != nil {
		c.t.Fatal(err)
	}
}

// take adds a step to a session's history as if a member had handed it out, and has
// its body read.
func (c *cachedLane) take(s *Session, l *ledgertest.Lane, step ledgertest.Step) {
	c.t.Helper()
	whole := c.vault.Link(step)
	s.history.keepBody(Link{Entry: step.Entry}, whole.Body)
	whole.Body = nil
	p, err := whole.Encode()
	if err != nil {
		c.t.Fatal(err)
	}
	if err := s.takeIn(c.t.Context(), p, &c.vault.Charter.Members[0]); err != nil {
		c.t.Fatal(err)
	}
	if step.Entry.Kind == ledger.KindSnapshot {
		head, _ := s.history.head(l.Key.Public())
		if _, err := s.introducedBy(c.t.Context(), head, l.Count); err != nil {
			c.t.Fatal(err)
		}
	}
	l.Advance(step)
}

func (c *cachedLane) remove(name string) {
	c.t.Helper()
	if err := os.RemoveAll(filepath.Join(c.home.cacheDir(c.vault.ID()), name)); err != nil {
		c.t.Fatal(err)
	}
}

// same compares two histories, clocks included, by the form of links that both have.
func (c *cachedLane) same(got, want *history) {
	c.t.Helper()
	light := func(h *history) map[ident.PublicKey][]string {
		out := map[ident.PublicKey][]string{}
		for lane, links := range h.lanes {
			for _, l := range links {
				e := l.Entry
				out[lane] = append(out[lane], fmt.Sprint(l.CID, e.Vault, e.Charter, e.Lane, e.Height, e.Prev, e.Kind, e.Source, e.Body, e.Clock, l.Time.UnixMilli()))
			}
		}
		return out
	}
	if !reflect.DeepEqual(light(got), light(want)) {
		c.t.Errorf("links differ: %d lanes, %d", len(got.lanes), len(want.lanes))
	}
	if !reflect.DeepEqual(got.grants, want.grants) || !reflect.DeepEqual(got.gone, want.gone) || !reflect.DeepEqual(got.signed, want.signed) {
		c.t.Errorf("grants %v, %v", got.grants, want.grants)
	}
	segments := func(h *history) map[ident.CID][]index.Segment {
		out := map[ident.CID][]index.Segment{}
		for _, links := range h.lanes {
			for _, l := range links {
				if segs, ok := h.introduced.get(l); ok {
					out[l.CID] = segs
				}
			}
		}
		return out
	}
	if got, want := segments(got), segments(want); !reflect.DeepEqual(got, want) {
		c.t.Errorf("%d entries with their segments, want %d", len(got), len(want))
	}
}

// A vault with a long history is opened without reading an entry or a body: with all
// of these files gone, everything is there, and the segments have their numbers.
func TestOpeningReadsNoBodies(t *testing.T) {
	const snapshots = 2000
	c := newCachedLane(t, snapshots)
	before := c.open()
	c.close(before)
	c.remove(bodyName)
	c.remove(laneName)
	begun := time.Now()
	s := c.open()
	t.Logf("opened in %v", time.Since(begun))
	defer c.close(s)
	c.same(s.history, before.history)
	if n := s.history.height(c.lane.Key.Public()); n != snapshots {
		t.Fatalf("height %d", n)
	}
	for _, l := range s.history.lanes[c.lane.Key.Public()] {
		segs, err := s.introducedBy(t.Context(), l, -1)
		if err != nil || len(segs) != 2 || segs[0].Number != 2*(l.Entry.Height-1) || !segs[1].Meta || len(segs[0].Nodes) != 2 {
			t.Fatalf("entry %d: %+v, %v", l.Entry.Height, segs, err)
		}
	}
}

// What came after the summary is taken from its own file, and only that.
func TestOpeningReadsWhatIsNew(t *testing.T) {
	c := newCachedLane(t, 2*summaryEvery)
	c.remove(laneName)
	s := c.open()
	c.take(s, c.lane, c.lane.Snapshot("new", 2))
	c.close(s)
	again := c.open()
	defer c.close(again)
	if n := again.history.height(c.lane.Key.Public()); n != 2*summaryEvery+1 {
		t.Errorf("height %d", n)
	}
}

// A summary that is damaged, or another device's, is not believed: the entries are
// verified one by one.
func TestSummaryIsAuthenticated(t *testing.T) {
	c := newCachedLane(t, 2*summaryEvery)
	path := filepath.Join(c.home.cacheDir(c.vault.ID()), summaryName)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := c.open()
	c.close(want)
	check := func(what string) {
		t.Helper()
		s := c.open()
		defer func() { // not written again: the next case brings its own
			s.history.unwritten = 0
			c.close(s)
		}()
		if err := s.readSummary(); err == nil {
			t.Errorf("%s: believed", what)
		}
		if n := s.history.height(c.lane.Key.Public()); n != 2*summaryEvery {
			t.Errorf("%s: height %d", what, n)
		}
	}
	for at := 0; at < len(good); at += 97 {
		bad := append([]byte{}, good...)
		bad[at] ^= 1
		writeCache(path, bad)
		check(fmt.Sprintf("byte %d", at))
	}
	writeCache(path, good[:len(good)/2])
	check("cut off")
	writeCache(path, nil)
	check("empty")
	writeCache(path, good)
	c.profile.Device = ledgertest.Key("another device")
	check("another device")
}

// BenchmarkOpen opens a vault with 2,000 snapshots in one lane.
func BenchmarkOpen(b *testing.B) {
	c := newCachedLane(b, 2000)
	for b.Loop() {
		c.close(c.open())
	}
}
