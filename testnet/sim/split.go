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
// others have come so far. What comes to lack several shards at a stroke has come that far
// without being gone on from: it is counted with its weight, and the others' trials are not
// spent on it. The sum of the weights of those that are lost is the expected number of
// losses, without bias; no run of any length would show it. Repetitions, each from the
// beginning, tell how far it can be trusted.

// descent is one repetition.
type descent struct {
	// reach is how often in a year a segment comes to lack 1, 2, ... shards more than in
	// all of an excursion before; the last of them is how often it is lost. reach[0] is 1.
	reach []float64
	years int // in which excursions could begin
}

// smallest is the number of losses a year below which nothing is followed any further:
// other causes than those that are played here decide then.
const smallest = 1e-13

// excursion is a world in which a certain segment lacks shards.
type excursion struct {
	world   *world
	segment int
	weight  float64 // how often in a year a segment has one that it stands for
}

// gone is how many shards the segment lacks.
func (e excursion) gone() int { return e.world.state[e.segment].gone }

// descend plays years of one stratum, which begin in one of the given worlds, and what
// comes of the excursions in them.
func descend(ctx context.Context, from []*world, s stratum, rng *rand.Rand) (descent, error) {
	effort := effortFor(from[0], s)
	top := from[0].n() - from[0].k() + 1
	d := descent{reach: make([]float64, top+1), years: effort.years}
	d.reach[0] = 1
	begun := newSample(effort, top, rng)
	segments := 0
	for range effort.years {
		w := from[rng.IntN(len(from))].anew(s, rng)
		segments += len(w.state) - w.tally.lost
		if err := w.excursions(ctx, begun); err != nil {
			return d, err
		}
	}
	if segments == 0 {
		return d, nil
	}
	entries := begun.weighed(1 / float64(segments))
	for level := 1; level <= top; level++ {
		var err error
		if entries, err = goOn(ctx, entries, level, effort.trials, rng); err != nil {
			return d, err
		}
		d.reach[level] = weight(entries)
		if d.reach[level]*s.chance < smallest {
			break
		}
	}
	return d, nil
}

// weight adds up what excursions stand for.
func weight(all []excursion) (sum float64) {
	for _, e := range all {
		sum += e.weight
	}
	return sum
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
			into.offer(w, s)
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

// goOn returns the excursions in which the segment comes to lack so many shards. Some
// lack them already. Of the others, so many trials go on until they do, or the segment is
// whole again, or the year is over: each excursion has as many of them as its weight asks
// for, to within one, and they share all the weight.
func goOn(ctx context.Context, entries []excursion, level, trials int, rng *rand.Rand) (reached []excursion, err error) {
	var others []excursion
	for _, e := range entries {
		if e.gone() >= level {
			reached = append(reached, e)
		} else {
			others = append(others, e)
		}
	}
	each := weight(others) / float64(trials)
	next, sum := rng.Float64()*each, 0.0
	for _, e := range others {
		for sum += e.weight; next < sum; next += each {
			c := excursion{e.world.clone(branch(rng)), e.segment, each}
			if err := c.world.run(ctx, c.world.end, func() bool { return c.gone() == 0 || c.gone() >= level }); err != nil {
				return nil, err
			}
			if c.gone() >= level {
				reached = append(reached, c)
			}
		}
	}
	return reached, nil
}

// branch begins another sequence of random numbers.
func branch(rng *rand.Rand) *rand.Rand { return rand.New(rand.NewPCG(rng.Uint64(), rng.Uint64())) }
