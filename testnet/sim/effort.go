package sim

import "math/rand/v2"

// effort is how much is played of one stratum in one repetition. Large worlds are slow,
// and take memory.
type effort struct {
	years  int // in which excursions begin
	kept   int // of these excursions
	trials int // for each step further
}

// maxCopied bounds the shards of all worlds that are kept at once.
const maxCopied = 10_000_000

// effortFor is less for years with a common cause: there more is lost at a time, which
// takes longer to be repaired, and of the rarest less has to be known.
func effortFor(w *world, s stratum) effort {
	nodes, copies := len(w.seats), max(10, maxCopied/len(w.shards))
	return effort{
		years:  max(10, min(300, 8_000/nodes)),
		kept:   min(1_000, copies),
		trials: max(10, min(2_000, 80_000/nodes, copies)/s.part),
	}
}

// sample keeps a number of excursions out of all that are offered, each with the same
// chance.
type sample struct {
	most int
	rng  *rand.Rand
	seen int
	kept []excursion
}

// offer takes a copy of an excursion, or does not.
func (s *sample) offer(e excursion) {
	s.seen++
	at := len(s.kept)
	if at == s.most {
		if at = s.rng.IntN(s.seen); at >= s.most {
			return
		}
		s.kept[at] = excursion{e.world.clone(branch(s.rng)), e.segment}
		return
	}
	s.kept = append(s.kept, excursion{e.world.clone(branch(s.rng)), e.segment})
}
