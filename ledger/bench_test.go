package ledger_test

import (
	"fmt"
	"testing"

	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
)

// large is a commit of so many segments with code 4/8.
func large(segments int) (*ledgertest.Vault, *ledgertest.Lane, ledgertest.Step) {
	v := ledgertest.NewVault("large", 8)
	l := v.Lane(ledgertest.Key("large device"))
	return v, l, l.Snapshot("large", segments)
}

// The time grows with the body, not faster.
func BenchmarkReadEffect(b *testing.B) {
	for _, segments := range []int{100, 1000, 10000} {
		v, _, s := large(segments)
		b.Run(fmt.Sprintf("%dkB", len(s.Body)/1000), func(b *testing.B) {
			b.SetBytes(int64(len(s.Body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ledger.ReadEffect(v.Charter, s.Entry, s.Body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCheckProposal(b *testing.B) {
	for _, segments := range []int{1, 100, 10000} {
		v, l, s := large(segments)
		m := newMemory(v.Charter)
		m.grants[l.Key.Public()] = ledger.Grant{Rights: ledger.Append}
		p := s.Propose()
		b.Run(fmt.Sprintf("%dkB", len(s.Body)/1000), func(b *testing.B) {
			b.SetBytes(int64(len(s.Body)))
			for b.Loop() {
				if _, err := ledger.CheckProposal(m, p, s.Entry, s.Body, ledgertest.Start()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerifyCertificate(b *testing.B) {
	for _, n := range []int{4, 13} {
		v, s := certified(n)
		p := v.Certificate(s)
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			for b.Loop() {
				if _, err := ledger.VerifyCertificate(p, v.Charter); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// The arithmetic of a release in a vault of a million segments and ten thousand
// snapshots: spans, not CIDs.
func BenchmarkFree(b *testing.B) {
	const lanes, snapshots, each = 10, 1000, 100
	introduced, closing := ledger.Numbers{}, ledger.Numbers{}
	var sets []ledger.Set
	for l := range lanes {
		lane := ledgertest.Key(fmt.Sprint("lane ", l)).Public()
		introduced.Add(lane, ledger.Spans{{First: 0, Count: snapshots * each}})
		closing.Add(lane, ledger.Spans{{First: 0, Count: each}})
		for s := range snapshots {
			set := ledger.Set{Lane: lane, Lanes: []ledger.LaneSet{{Lane: lane}}}
			for back := range min(s, 10) { // some of what came before, and all of its own
				set.Lanes[0].Numbers = append(set.Lanes[0].Numbers, ledger.Span{First: int64((s - min(s, 10) + back) * each), Count: each / 2})
			}
			set.Lanes[0].Numbers = append(set.Lanes[0].Numbers, ledger.Span{First: int64(s * each), Count: each})
			sets = append(sets, set)
		}
	}
	b.Run("free", func(b *testing.B) {
		for b.Loop() {
			needed := ledger.Numbers{}
			for _, s := range sets[each:] {
				needed.AddSet(s)
			}
			if ledger.Free(introduced, needed, nil).Count() == 0 {
				b.Fatal("nothing is free")
			}
		}
	})
	b.Run("closing", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			closing.In(sets[i%len(sets)])
		}
	})
}
