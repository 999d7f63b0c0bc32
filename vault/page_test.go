package vault

import (
	"context"
	"fmt"
	"testing"

	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
)

// page makes so many links of a lane, as a member hands them out, and lets a test change
// one of them before it is encoded.
func (c *cachedLane) page(n int, change func(i int, l *ledger.Link)) [][]byte {
	c.t.Helper()
	var page [][]byte
	for i := range n {
		step := c.lane.Snapshot(fmt.Sprint("page ", i), 1)
		l := c.vault.Link(step)
		l.Body = nil
		if change != nil {
			change(i, &l)
		}
		p, err := l.Encode()
		if err != nil {
			c.t.Fatal(err)
		}
		page = append(page, p)
		c.lane.Advance(step)
	}
	return page
}

// forge makes a certificate one that nobody signed.
func forge(l *ledger.Link) { l.Cert[len(l.Cert)-1] ^= 1 }

func (c *cachedLane) takePage(s *Session, page [][]byte) error {
	return s.takePage(c.t.Context(), c.lane.Key.Public(), page, &c.vault.Charter.Members[0])
}

// A page is verified by its newest certificate. When its entries were certified is known
// only once their own have been.
func TestPageIsVerifiedByItsNewestCertificate(t *testing.T) {
	c := newCachedLane(t, 0)
	s := c.open()
	if err := c.takePage(s, c.page(2*summaryEvery, nil)); err != nil {
		t.Fatal(err)
	}
	c.close(s)
	c.remove(bodyName)
	s = c.open()
	defer c.close(s)
	links := s.history.lanes[c.lane.Key.Public()]
	last := len(links) - 1
	if len(links) != 2*summaryEvery || links[last].Time.IsZero() {
		t.Fatalf("%d links", len(links))
	}
	for i := range links[:last] {
		if !links[i].Time.IsZero() {
			t.Errorf("link %d has a time that nobody has proved", i)
		}
		l := links[i]
		if err := s.proveTime(t.Context(), &l); err != nil || !l.Time.Equal(ledgertest.Start()) || !s.history.lanes[c.lane.Key.Public()][i].Time.Equal(l.Time) {
			t.Errorf("link %d: %v, %v", i, l.Time, err)
		}
	}
}

// A member that lies about when something was certified is found out when somebody asks.
func TestTimesAreNotHearsay(t *testing.T) {
	c := newCachedLane(t, 0)
	s := c.open()
	defer c.close(s)
	page := c.page(3, func(i int, l *ledger.Link) {
		if i == 1 {
			forge(l)
		}
	})
	if err := c.takePage(s, page); err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel() // no member can be asked for a better one
	l := s.history.lanes[c.lane.Key.Public()][1]
	if err := s.proveTime(gone, &l); err == nil || !l.Time.IsZero() {
		t.Errorf("a certificate that nobody signed says %v", l.Time)
	}
}

// What does not hang together is taken as far as its own certificates prove it.
func TestPageThatDoesNotHangTogether(t *testing.T) {
	other := ledgertest.NewVault("history", 2).Lane(ledgertest.Key("device"))
	strange := other.Snapshot("strange", 1)
	for name, test := range map[string]struct {
		change func(i int, l *ledger.Link)
		height int64
	}{
		"the newest certificate is forged": {func(i int, l *ledger.Link) {
			if i == 4 {
				forge(l)
			}
		}, 4},
		"an entry of another history": {func(i int, l *ledger.Link) {
			if i == 2 {
				l.Entry = strange.Signed
			}
		}, 2},
		"a certificate is missing at the end": {func(i int, l *ledger.Link) {
			if i == 4 {
				l.Cert = nil
			}
		}, 4},
	} {
		c := newCachedLane(t, 0)
		s := c.open()
		err := c.takePage(s, c.page(5, test.change))
		if err == nil || s.history.height(c.lane.Key.Public()) != test.height {
			t.Errorf("%s: height %d, %v", name, s.history.height(c.lane.Key.Public()), err)
		}
		c.close(s)
	}
}

// BenchmarkPage verifies 1,024 links of a vault with eight members, as a page and one by
// one.
func BenchmarkPage(b *testing.B) {
	for _, whole := range []bool{true, false} {
		b.Run(fmt.Sprintf("page=%v", whole), func(b *testing.B) {
			c := newCachedLane(b, 0)
			s := c.open()
			defer c.close(s)
			page := c.page(1024, nil)
			for b.Loop() {
				s.history.lanes[c.lane.Key.Public()] = nil
				var err error
				if whole {
					_, err = s.verifyPage(c.lane.Key.Public(), page)
				} else {
					for _, p := range page {
						if _, bad := s.verifyLink(p); bad != nil {
							err = bad
						}
					}
				}
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/1024, "µs/link")
		})
	}
}
