package sim

import (
	"math/rand/v2"
	"time"

	"holdfast/internal/ident"
)

const (
	hoursOfYear = 365 * 24
	year        = hoursOfYear * time.Hour
	never       = 150 * year // past every history; any two times still have a sum
)

// generator returns the random numbers of one history. Histories of one seed and
// different numbers are independent.
func generator(seed, history uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, history)) }

// wait draws how long something takes to happen that happens at a rate, given a year.
func wait(rng *rand.Rand, rate float64) time.Duration {
	if rate <= 0 {
		return never
	}
	return time.Duration(min(rng.ExpFloat64()/rate, never.Hours()/hoursOfYear) * float64(year))
}

// between draws a time below most.
func between(rng *rand.Rand, most time.Duration) time.Duration {
	return time.Duration(rng.Float64() * float64(most))
}

// count draws how often something happens that is expected so often.
func count(rng *rand.Rand, expected float64) int {
	n := 0
	for t := rng.ExpFloat64(); t < expected; t += rng.ExpFloat64() {
		n++
	}
	return n
}

// digest draws what stands for a key or the name of a segment: placement and repair
// compare them and hash them, and nobody signs.
func digest(rng *rand.Rand) (d [ident.HashSize]byte) {
	for i := 0; i < len(d); i += 8 {
		v := rng.Uint64()
		for j := range 8 {
			d[i+j] = byte(v >> (8 * j))
		}
	}
	return d
}
