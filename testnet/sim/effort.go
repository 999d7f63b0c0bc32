package sim

import "math/rand/v2"

// effort is how much is played of one stratum in one repetition. Large worlds are slow,
// and take memory.
type effort struct {
	years  int // in which excursions begin
	kept   int // of those that begin with one shard; a quarter of it of each that begin with more
	trials int // for each step further
}

// maxCopied bounds the shards of all worlds that are kept at once.
const maxCopied = 10_000_000

// effortFor has more years and fewer trials where a common cause takes many shards of a
// segment at a stroke: there it matters how many, and little what comes after.
func effortFor(w *world, s stratum) effort {
	nodes, copies := len(w.seats), max(10, maxCopied/len(w.shards))
	years, trials := min(300, 8_000/nodes), min(2_000, 80_000/nodes, copies)
	if s.hits {
		years, trials = min(1_600, 64_000/nodes), trials/20
	}
	return effort{years: max(10, years), kept: min(1_000, copies), trials: max(10, trials)}
}

// sample keeps a number of excursions out of all that are offered. Those that begin with
// the same number of lacking shards have the same chance.
type sample struct {
	rng    *rand.Rand
	begins []begins // by the number of shards, and the last one for a loss
}

// begins are the excursions that begin with one number of shards.
type begins struct {
	most int
	seen int
	kept []excursion
}

// newSample makes one of excursions that end with a loss when so many shards are lacking.
func newSample(e effort, top int, rng *rand.Rand) *sample {
	s := &sample{rng: rng, begins: make([]begins, top+1)}
	for gone := range s.begins {
		s.begins[gone].most = max(e.kept/4, 1)
	}
	s.begins[1].most = e.kept
	s.begins[top].most = 1 // nothing comes after it
	return s
}

// offer takes a copy of an excursion, or does not.
func (s *sample) offer(w *world, segment int) {
	b := &s.begins[min(w.state[segment].gone, len(s.begins)-1)]
	b.seen++
	at := len(b.kept)
	if at < b.most {
		b.kept = append(b.kept, excursion{})
	} else if at = s.rng.IntN(b.seen); at >= b.most {
		return
	}
	b.kept[at] = excursion{world: w.clone(branch(s.rng)), segment: segment}
}

// weighed returns what was kept, each with the weight of all that it stands for, of which
// one has the weight given.
func (s *sample) weighed(one float64) (all []excursion) {
	for _, b := range s.begins {
		for _, e := range b.kept {
			e.weight = one * float64(b.seen) / float64(len(b.kept))
			all = append(all, e)
		}
	}
	return all
}
