package member_test

import (
	"fmt"
	"testing"

	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
)

// A vote and an ack, with their flushes, for bodies of several sizes.
func BenchmarkProposeCertify(b *testing.B) {
	for _, segments := range []int{1, 100, 2000} {
		b.Run(fmt.Sprintf("segments=%d", segments), func(b *testing.B) {
			w := newWorld(b, 4)
			lane := w.device("laptop")
			for i := 0; b.Loop(); i++ {
				b.StopTimer()
				step := lane.Snapshot(fmt.Sprint(i), segments)
				cert := w.vault.Certificate(step)
				b.SetBytes(int64(len(step.Body)))
				b.StartTimer()
				if _, err := w.propose(0, step); err != nil {
					b.Fatal(err)
				}
				if _, err := w.stores[0].Certify(w.id(), cert); err != nil {
					b.Fatal(err)
				}
				lane.Advance(step)
			}
		})
	}
}

// The cost does not depend on how many segments there are.
func BenchmarkIntroduced(b *testing.B) {
	for _, segments := range []int{10, 5000} {
		b.Run(fmt.Sprintf("of=%d", segments), func(b *testing.B) {
			w := newWorld(b, 2)
			lane := w.vault.Lane(ledgertest.Key("laptop"))
			if err := w.stores[0].Adopt(w.id(), w.vault.Link(w.owner.Enrol(w.vault.Grant(lane.Key, ledger.Append)))); err != nil {
				b.Fatal(err)
			}
			step := lane.Snapshot("all", segments)
			if err := w.stores[0].Adopt(w.id(), w.vault.Link(step)); err != nil {
				b.Fatal(err)
			}
			all := namesOf(step)
			last := all[len(all)-1]
			for b.Loop() {
				if in, err := w.stores[0].Introduced(w.id(), last); err != nil || in.State != ledger.SegmentCertified {
					b.Fatal(in, err)
				}
			}
		})
	}
}

// What a consent, and a proposal while something is closing, cost by the number of
// segments that there are: it is the number of entries and of spans that counts.
func BenchmarkConsent(b *testing.B) {
	for _, segments := range []int{1_000, 16_000} {
		b.Run(fmt.Sprintf("segments=%d", segments), func(b *testing.B) {
			c := newCourt(b, atOnce)
			var targets []ledgertest.Step
			for i := range 16 {
				targets = append(targets, c.add(fmt.Sprint(i), segments/16))
			}
			request := c.ask(ledger.RequestRelease, targets[:8]...)
			c.opine(ledger.Approve, request, 0, 1)
			all := c.free(0, request)
			for i := 0; b.Loop(); i++ {
				if _, err := c.consent(0, c.vault.Release(request, all[i%len(all)], all[(i+1)%len(all)])); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
