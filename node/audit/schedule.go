package audit

import (
	"encoding/binary"
	"math/rand/v2"
	"time"

	"holdfast/internal/ident"
)

// This file holds the arithmetic of the schedule; docs/custody.md derives it.
//
// SPEC: all members together ask each holder about 200 groups a day and vault. The seed
// of a round is BLAKE3(newest head || nonce || holder). 459 samples find a loss of 1 %
// with 99 %: 2.3 days.

// Defaults of the schedule.
const (
	DefaultEvery     = 2 * time.Hour
	DefaultSamples   = 200 // groups a day, of each holder and vault, by all members together
	DefaultInventory = 24 * time.Hour
	DefaultRepair    = 24 * time.Hour
)

// Patience is how long a holder has for one answer: half a minute, or less where rounds
// follow each other quickly, so that one that hangs does not hold up what is found of
// the others.
func Patience(every time.Duration) time.Duration {
	return min(max(every, 2*time.Second), 30*time.Second)
}

// SamplesForOnePercent is how many groups, drawn at random, find with 99 % that one in
// a hundred is lost: the least t for which 1-0.99^t is at least 0.99.
const SamplesForOnePercent = 459

// alertShare is how many challenges beyond the usual ones a round asks at most: a round
// of all members together stays below what a holder answers in a minute.
const alertShare = 64

// share returns how many groups one member asks of one holder in one round, on the
// average, in millionths: its part of the day's samples, spread over the day's rounds.
func share(samples, members int, every time.Duration) int64 {
	others := max(members-1, 1)
	daily := (samples + others - 1) / others
	return int64(float64(daily) * million * (float64(every) / float64(day)))
}

// draw makes a number of groups of an average: the fraction decides by lot.
func draw(average int64, random *rand.Rand) int {
	n := average / million
	if random.Int64N(million) < average%million {
		n++
	}
	return int(n)
}

// seed makes the seed of a round with one holder. Nobody knows it before: the nonce is
// the auditor's own, and the head shows when it was drawn.
func seed(head ident.CID, nonce [32]byte, holder ident.PublicKey) [32]byte {
	return ident.SumRaw(append(append(head.Bytes(), nonce[:]...), holder.Bytes()...)).Hash()
}

// randomOf is the source of a round's draws.
func randomOf(seed [32]byte) *rand.Rand { return rand.New(rand.NewChaCha8(seed)) }

// due spreads inventories: a holder's is due every so often, and not for all holders
// in the same round. The first is due at once.
func due(last, now int64, every time.Duration, node ident.PublicKey) bool {
	if last == 0 {
		return true
	}
	early := int64(binary.BigEndian.Uint16(node[:2])) * (every.Milliseconds() / 16) >> 16
	return now-last >= every.Milliseconds()-early || now < last
}
