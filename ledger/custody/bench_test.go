package custody_test

import (
	"encoding/binary"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"testing"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/ledger/custody"
)

const (
	benchSegments = 1_000_000
	benchHolders  = 24
	benchZones    = 6
)

// benchName is the name of segment i, which comes where a hash would.
func benchName(i int) ident.CID {
	var p [8]byte
	binary.BigEndian.PutUint64(p[:], uint64(i))
	return ident.SumDagCBOR(p[:])
}

// filled is a Map of so many segments of 4/8, each with 8 of the holders, which come in the
// order of their numbers, which is none of their names: all at once, or one by one.
func filled(names []ident.CID, fill func(m *custody.Map, all iter.Seq[custody.Segment])) *custody.Map {
	m := custody.New()
	for i := range benchHolders {
		k := key(fmt.Sprint("bench ", i))
		m.Holder(custody.Holder{Node: k, Operator: k, Zone: fmt.Sprint("zone ", i%benchZones)})
	}
	fill(m, func(yield func(custody.Segment) bool) {
		held := make([]int, 8)
		for i, id := range names {
			for j := range held {
				held[j] = (i*5 + j*3) % benchHolders
			}
			if !yield(custody.Segment{CID: id, Code: erasure.Code{K: 4, N: 8}, RowSize: 8 << 20, Held: held}) {
				return
			}
		}
	})
	return m
}

func atOnce(m *custody.Map, all iter.Seq[custody.Segment]) { m.Fill(all) }

func oneByOne(m *custody.Map, all iter.Seq[custody.Segment]) {
	for s := range all {
		m.Add(s)
	}
}

func benchNames(b *testing.B) []ident.CID {
	b.Helper()
	names := make([]ident.CID, benchSegments)
	for i := range names {
		names[i] = benchName(i)
	}
	return names
}

// BenchmarkMap: what is asked of the holders of a million segments, and what they take.
func BenchmarkMap(b *testing.B) {
	names := benchNames(b)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	m := filled(names, oneByOne)
	runtime.GC()
	runtime.ReadMemStats(&after)
	size := float64(after.HeapAlloc-before.HeapAlloc) / benchSegments
	b.Run("fill", func(b *testing.B) {
		for b.Loop() {
			filled(names, atOnce)
		}
	})
	b.Run("add all", func(b *testing.B) {
		for b.Loop() {
			filled(names, oneByOne)
		}
		b.ReportMetric(size, "B/segment")
	})
	sorted := slices.SortedFunc(slices.Values(names), ident.CID.Compare)
	b.Run("add all in order", func(b *testing.B) {
		for b.Loop() {
			filled(sorted, oneByOne)
		}
	})
	loss := m.Loss()
	loss.Zone("zone 1")
	for i := 0; i < benchSegments; i += 100 {
		loss.Shard(names[i], i%8)
	}
	for name, f := range map[string]func(){
		"judge":                func() { m.Judge(nil) },
		"alone":                func() { m.Alone(nil) },
		"judge after a loss":   func() { m.Judge(loss) },
		"withstands":           func() { m.Withstands(nil) },
		"effective":            func() { m.Effective() },
		"law":                  func() { m.Law(benchZones, 16) },
		"expected of all":      func() { m.ExpectedAll() },
		"expected of one":      func() { m.Expected(3) },
		"bucket of one":        func() { m.Bucket(3, 77) },
		"clone and one change": func() { m.Clone().Move(names[7], 0, 1) },
		"all": func() {
			for range m.All() {
			}
		},
		"find 1000": func() {
			for _, id := range names[:1000] {
				m.Find(id)
			}
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f()
			}
		})
	}
}
