package sim

import (
	"math"
	"time"

	"holdfast/erasure"
)

// Chain is the birth-death chain of one segment whose holders fail independently of
// each other, each at the same rate, and whose lost shards are rebuilt side by side.
// It is the closed form that the simulation is held against; it knows of no common
// cause, no queue and no lack of holders.
type Chain struct {
	Code   erasure.Code
	Rate   float64       // permanent losses of a holder in a year
	Repair time.Duration // mean time from the loss of a shard until it is rebuilt
}

// Rate turns the chance that something happens within a year into a rate a year.
func Rate(chance float64) float64 { return -math.Log1p(-chance) }

// MeanYears returns the mean time until fewer than k shards are left.
//
// SPEC: mean time to loss = sum_i d_i, d_i = 1/f_i + (r_i/f_i) d_{i-1}, with i lost
// shards, f_i = (n-i) lambda, r_i = i/T
func (c Chain) MeanYears() float64 {
	repair := c.Repair.Hours() / hoursOfYear
	sum, before := 0.0, 0.0
	for i := 0; i <= c.Code.N-c.Code.K; i++ {
		fail := float64(c.Code.N-i) * c.Rate
		d := 1 / fail
		if i > 0 {
			d += float64(i) / repair / fail * before
		}
		sum += d
		before = d
	}
	return sum
}

// Annual returns the chance that the segment is lost within a year.
func (c Chain) Annual() float64 { return -math.Expm1(-1 / c.MeanYears()) }

// Abandoned returns the chance that a segment which nobody repairs is lost within so
// many years.
func (c Chain) Abandoned(years float64) float64 {
	return Unreadable(c.Code, -math.Expm1(-c.Rate*years))
}

// Unreadable returns the chance that fewer than k of n holders answer, each of which
// is away with the given chance, whatever the others do.
func Unreadable(code erasure.Code, away float64) float64 {
	sum := 0.0
	for up := range code.K {
		sum += choose(code.N, up) * math.Pow(1-away, float64(up)) * math.Pow(away, float64(code.N-up))
	}
	return sum
}

// choose returns the number of ways to take k of n.
func choose(n, k int) float64 {
	c := 1.0
	for i := range k {
		c *= float64(n-i) / float64(i+1)
	}
	return c
}

// Nines returns how many nines the opposite of a chance has: 3 for 0.001.
func Nines(chance float64) float64 { return -math.Log10(chance) }
