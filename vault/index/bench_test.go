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

func BenchmarkAddCommit(b *testing.B) {
	x := reopen(b, config(b))
	i := 0
	for b.Loop() {
		e := fmt.Sprint(i)
		must(b, x.AddCommit(cid(e), lane(1), cid("m"+e), part(e, i*10_000, i*10_000+10_000)))
		i++
	}
}
