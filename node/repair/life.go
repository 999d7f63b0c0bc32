package repair

import "time"

// failure is how long a holder lasts on average, in the order of segments: a quarter of
// all nodes is lost, or leaves, in a year. What it is does not change the order.
const failure = 4 * 365 * 24 * time.Hour

// life returns how long a segment is expected to remain readable if nothing is
// repaired: with live shards whose holders fail independently, at rate r each. One that
// leaves serves until its shards are elsewhere, and counts like others.
//
// SPEC: order by expected remaining life 1/(k*r) + ... + 1/(live*r)
func life(live, k int) time.Duration {
	var sum time.Duration
	for j := k; j <= live; j++ {
		sum += failure / time.Duration(j)
	}
	return sum
}
