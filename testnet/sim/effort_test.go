package sim

import (
	"math"
	"testing"

	"holdfast/erasure"
)

// Whatever is kept stands for all that was seen, by the number of shards with which it
// began.
func TestSampleKeepsItsWeight(t *testing.T) {
	c := filled(t, hostile())
	w, err := begin(c, 0, generator(1, 0))
	if err != nil {
		t.Fatal(err)
	}
	s := newSample(effort{kept: 8}, c.Code.N-c.Code.K+1, generator(1, 1))
	want := map[int]float64{}
	for i := range 300 {
		w.state[0].gone = 1 + i%3*2 // 1, 3 and 5: lost
		s.offer(w, 0)
		want[w.state[0].gone]++
	}
	got, kept := map[int]float64{}, map[int]int{}
	for _, e := range s.weighed(0.5) {
		got[e.gone()] += 2 * e.weight
		kept[e.gone()]++
	}
	if kept[1] != 8 || kept[3] != 2 || kept[5] != 1 {
		t.Errorf("kept, by shards: %v", kept)
	}
	for gone, n := range want {
		if math.Abs(got[gone]-n) > 1e-9 {
			t.Errorf("excursions by shards weigh %v, want %v", got, want)
		}
	}
}

// Trials are made from each excursion as often as its weight asks for, and share the
// weight; what has come so far already goes through as it is.
func TestTrialsShareTheWeight(t *testing.T) {
	c := quiet(8, erasure.Code{K: 2, N: 8})
	c.AFR, c.RepairRate = 0.999, 0 // it takes no luck to lose the next shard
	w, err := begin(filled(t, c), 0, generator(1, 0))
	if err != nil {
		t.Fatal(err)
	}
	w.end = 50 * year
	entry := func(segment, gone int, weight float64) excursion {
		w := w.clone(generator(2, uint64(segment)))
		for row := range gone {
			w.harm(segment*c.Code.N+row, ruined)
		}
		return excursion{w, segment, weight}
	}
	for seed := range uint64(20) {
		reached, err := goOn(t.Context(), []excursion{entry(0, 1, 6.5), entry(1, 2, 3), entry(2, 1, 1.5)}, 2, 8, generator(3, seed))
		if err != nil {
			t.Fatal(err)
		}
		from := map[int]int{}
		for _, e := range reached {
			from[e.segment]++
		}
		if len(reached) != 9 || from[1] != 1 || from[0] < 6 || from[0] > 7 || math.Abs(weight(reached)-11) > 1e-9 {
			t.Fatalf("%d reached, by entry %v, of weight %v", len(reached), from, weight(reached))
		}
	}
}
