package sim

import (
	"context"
	"math/rand/v2"
)

// This file holds the method for what is too rare to be seen: multilevel splitting with
// fixed effort. A segment is lost step by step. From time to time it comes to lack a
// shard, which mostly ends with its being whole again; such an excursion begins so often
// in a year. How likely it is that one which has come to lack so many shards goes on to
// lack one more is measured by going on, again and again, from the states in which
// others have come so far. The product is the expected number of losses, without bias;
// no run of any length would show it. Repetitions, each from the beginning, tell how far
// it can be trusted.

// descent is one repetition.
type descent struct {
	// reach is how often in a year a segment comes to lack 1, 2, ... shards more than in
	// all of an excursion before; the last of them is how often it is lost. reach[0] is 1.
	reach []float64
	years int // in which excursions could begin
}

// lost is how often a segment is lost in a year: its chance, where that is small.
func (d descent) lost() float64 { return d.reach[len(d.reach)-1] }

// smallest is the number of losses a year below which nothing is followed any further:
// other causes than those that are played here decide then.
const smallest = 1e-13

// excursion is a world in which a certain segment lacks shards.
type excursion struct {
	world   *world
	segment int
}

// descend plays years of one stratum, which begin in one of the given worlds, and what
// comes of the excursions in them.
func descend(ctx context.Context, from []*world, s stratum, rng *rand.Rand) (descent, error) {
	effort := effortFor(from[0], s)
	top := from[0].n() - from[0].k() + 1
	d := descent{reach: make([]float64, top+1), years: effort.years}
	d.reach[0] = 1
	begun := sample{most: effort.kept, rng: rng}
	segments := 0
	for range effort.years {
		w := from[rng.IntN(len(from))].anew(s, rng)
		segments += len(w.state) - w.tally.lost
		if err := w.excursions(ctx, &begun); err != nil {
			return d, err
		}
	}
	if segments == 0 || begun.seen == 0 {
		return d, nil
	}
	d.reach[1] = float64(begun.seen) / float64(segments)
	entries := begun.kept
	for level := 2; level <= top; level++ {
		next, err := goOn(ctx, entries, level, effort.trials, rng)
		if err != nil {
			return d, err
		}
		d.reach[level] = d.reach[level-1] * float64(len(next)) / float64(effort.trials)
		if entries = next; d.reach[level]*s.chance < smallest {
			break
		}
	}
	return d, nil
}

// anew is a world at the beginning of a year of a stratum.
func (w *world) anew(s stratum, rng *rand.Rand) *world {
	c := w.clone(branch(rng))
	c.end = c.now + year
	c.expect(s.draw(rng))
	return c
}

// excursions plays a year and samples the excursions that begin in it. Those that have
// begun before count as if they began with the year.
func (w *world) excursions(ctx context.Context, into *sample) error {
	w.watch = true
	for s, st := range w.state {
		if st.gone > 0 && !st.lost {
			w.begun = append(w.begun, s)
		}
	}
	for {
		begun := w.begun
		w.begun, w.watch = nil, false
		for _, s := range begun {
			into.offer(excursion{w, s})
		}
		w.watch = true
		if w.now >= w.end {
			return nil
		}
		if err := w.run(ctx, w.end, func() bool { return len(w.begun) > 0 }); err != nil {
			return err
		}
	}
}

// goOn goes on from each of the entries in turn, until there were enough trials, and
// returns those in which the segment came to lack so many shards before it was whole
// again, or the year was over.
func goOn(ctx context.Context, entries []excursion, level, trials int, rng *rand.Rand) (reached []excursion, err error) {
	for i := range trials {
		e := entries[i%len(entries)]
		w := e.world.clone(branch(rng))
		st := &w.state[e.segment]
		if st.gone < level {
			if err := w.run(ctx, w.end, func() bool { return st.gone == 0 || st.gone >= level }); err != nil {
				return nil, err
			}
		}
		if st.gone >= level {
			reached = append(reached, excursion{w, e.segment})
		}
	}
	return reached, nil
}

// branch begins another sequence of random numbers.
func branch(rng *rand.Rand) *rand.Rand { return rand.New(rand.NewPCG(rng.Uint64(), rng.Uint64())) }
