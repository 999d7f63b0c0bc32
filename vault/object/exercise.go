package object

import (
	"math/rand/v2"
	"slices"
)

// exerciseEvery is one out of how many healthy whole reads uses parity rows.
const exerciseEvery = 16

// exercise puts parity rows in place of some data rows of a healthy read, now and then,
// so that decoding is done every day and not for the first time on the worst one: what a
// holder of parity sends, and what the writer made of it, is seen long before it is
// needed. The data rows that give way stand first among the spares. It returns both
// lists, copies if it did so, and whether it did. A read that lacks a holder, or
// mistrusts one, decodes anyway and is left alone; and so is one without parity.
func (r *Reader) exercise(t *target, first, spare []int, healthy bool) (rows, others []int, done bool) {
	parity := t.n() - t.k()
	if !healthy || parity == 0 || r.cfg.Random(exerciseEvery) != 0 {
		return first, spare, false
	}
	count := 1 + r.cfg.Random(min(parity, t.k()))
	from := rotated(spare, r.cfg.Random(parity))
	start := r.cfg.Random(t.k())
	rows = slices.Clone(first)
	for i := range count {
		slot := (start + i) % t.k()
		others = append(others, first[slot])
		rows[slot] = from[i]
	}
	return rows, append(others, from[count:]...), true
}

// rotated returns a copy of rows that begins at the i-th.
func rotated(rows []int, i int) []int {
	return append(slices.Clone(rows[i:]), rows[:i]...)
}

// anyNumber is the random source of a reader that was given none.
func anyNumber(n int) int { return rand.IntN(n) }
