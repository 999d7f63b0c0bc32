package index

import (
	"fmt"
	"testing"

	"holdfast/seal"
)

func BenchmarkPlaces(b *testing.B) {
	x := reopen(b, config(b))
	must(b, x.AddCommit(cid("entry"), lane(1), cid("meta"), part("data", 0, 50_000)))
	i := 0
	for b.Loop() {
		i++
		if _, err := x.Places(seal.KindData, chunk(i%50_000)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOwn looks chunks up as an unchanged run does, one by one and many at once.
func BenchmarkOwn(b *testing.B) {
	const chunks, many = 50_000, 256
	x := reopen(b, config(b))
	must(b, x.AddCommit(cid("entry"), lane(1), cid("meta"), part("data", 0, 2*chunks)))
	ids := make([]seal.ChunkID, many)
	for i := range ids {
		ids[i] = chunk(2 * (i * 7919 % chunks))
	}
	perChunk := func(b *testing.B) {
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/many, "ns/chunk")
	}
	b.Run("one", func(b *testing.B) {
		for b.Loop() {
			for _, id := range ids {
				if _, ok := x.Own(seal.KindData, id, lane(1)); !ok {
					b.Fatal("not found")
				}
			}
		}
		perChunk(b)
	})
	b.Run("all", func(b *testing.B) {
		for b.Loop() {
			if p := x.OwnAll(seal.KindData, ids, lane(1)); !p[many-1].Segment.Defined() {
				b.Fatal("not found")
			}
		}
		perChunk(b)
	})
}

func BenchmarkAddCommit(b *testing.B) {
	x := reopen(b, config(b))
	i := 0
	for b.Loop() {
		e := fmt.Sprint(i)
		must(b, x.AddCommit(cid(e), lane(1), cid("m"+e), part(e, i*10_000, i*10_000+10_000)))
		i++
	}
}
