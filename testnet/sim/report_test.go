package sim

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestNines(t *testing.T) {
	for _, c := range []struct {
		i    Interval
		want string
	}{
		{Interval{1e-5, 1e-4, 1e-3, Spread}, "4.0 (3.0 to 5.0)"},
		{Interval{0, 1e-4, 1e-3, Spread}, "about 4.0, at least 3.0"},
		{Interval{0, 1e-9, 1e-6, Beyond}, "at least 6.0"},
		{Interval{0, 0, 0.01, Exact}, "at least 2.0"},
		{Interval{0, 0, 1, Beyond}, "at least 0.0"},
		{Interval{1e-20, 1e-19, 1e-18, Spread}, "12 or more"},
	} {
		if got := c.i.Nines(); got != c.want {
			t.Errorf("%+v: %q, want %q", c.i, got, c.want)
		}
	}
}

// The parts of all years are all years, and their shocks are as they are called.
func TestStrataAreAllYears(t *testing.T) {
	c := filled(t, hostile())
	rng := rand.New(rand.NewPCG(1, 1))
	chances := 0.0
	for i, s := range strata(c) {
		chances += s.chance
		for range 100 {
			n := len(s.draw(rng))
			if want := min(i, 1); i < 3 && n != want || i == 3 && n < 2 {
				t.Fatalf("%s: %d shocks", s.name, n)
			}
		}
	}
	if math.Abs(chances-1) > 1e-9 {
		t.Errorf("chances add up to %v", chances)
	}
	alone := filled(t, quiet(8, c.Code))
	if s := strata(alone); len(s) != 1 || s[0].chance != 1 {
		t.Errorf("without shocks: %+v", s)
	}
}

// However rare or common shocks are, drawing two or more of them ends, and gives as many
// as there should be.
func TestSeveralShocks(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	for _, expected := range []float64{1e-12, 1e-3, 0.5, 4, mostShocks} {
		sum, want := 0, expected*math.Expm1(expected)/beyondOne(expected)
		if expected < 0.01 {
			want = 2
		}
		const n = 20_000
		for range n {
			sum += several(rng, expected)
		}
		if got := float64(sum) / n; math.Abs(got-want) > 0.01*want {
			t.Errorf("%g expected: %.3f drawn on average, want %.3f", expected, got, want)
		}
	}
	if got, want := beyondOne(1e-9), 5e-19; math.Abs(got-want) > 1e-24 {
		t.Errorf("%g, want %g", got, want)
	}
}

// A loss that hardly any repetition came to is a bound, and no number of nines.
func TestRareLossIsBounded(t *testing.T) {
	d := func(last ...float64) descent { return descent{reach: append([]float64{1, 0.5}, last...), years: 100} }
	s := stratum{name: "x", chance: 1}
	got := cause(s, []descent{d(0.01, 0), d(0.02, 0), d(0.01, 1e-5)}).Loss
	if got.Method != Beyond || got.Low != 0 || got.High < 0.02 || got.High > 0.1 {
		t.Errorf("%+v", got)
	}
	got = cause(s, []descent{d(0.01, 2e-5), d(0.02, 0), d(0.01, 1e-5)}).Loss
	if got.Method != Spread || math.Abs(got.Estimate-1e-5) > 1e-12 {
		t.Errorf("%+v", got)
	}
	nothing := descent{reach: []float64{1, 0, 0, 0}, years: 100}
	if got = cause(s, []descent{nothing, nothing}).Loss; got.High != Share(0, 200).High || got.Estimate != 0 {
		t.Errorf("%+v", got)
	}
}

// Bounds add up as they are, ranges as independent ones.
func TestSumOfCauses(t *testing.T) {
	got := sum([]Cause{
		{Chance: 0.5, Loss: Interval{0.1, 0.2, 0.3, Spread}},
		{Chance: 0.5, Loss: Interval{0, 0, 0.02, Beyond}},
	})
	if got.Method != Spread || math.Abs(got.Estimate-0.1) > 1e-12 || math.Abs(got.Low-0.05) > 1e-12 || math.Abs(got.High-0.16) > 1e-12 {
		t.Errorf("%+v", got)
	}
	if got := sum([]Cause{{Chance: 1, Loss: Interval{0, 0, 0.02, Beyond}}}); got.Method != Beyond || got.High != 0.02 {
		t.Errorf("%+v", got)
	}
}
