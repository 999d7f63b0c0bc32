package sim

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestShare(t *testing.T) {
	for _, c := range []struct {
		hits, n         int
		low, high       float64
		method          string
		lowTol, highTol float64
	}{
		{0, 10, 0, 0.2589, Exact, 0, 1e-4}, // 1 - 0.05^(1/10)
		{0, 1000, 0, 0.002991, Exact, 0, 1e-6},
		{10, 10, 0.7411, 1, Exact, 1e-4, 0},
		{1, 10, 0.0179, 0.4042, Wilson, 1e-4, 1e-4}, // published
		{81, 263, 0.2553, 0.3662, Wilson, 1e-4, 1e-4},
	} {
		got := Share(c.hits, c.n)
		if got.Method != c.method || math.Abs(got.Low-c.low) > c.lowTol || math.Abs(got.High-c.high) > c.highTol {
			t.Errorf("%d of %d: %+v, want %v to %v", c.hits, c.n, got, c.low, c.high)
		}
	}
	if got := Share(0, 0); got.Low != 0 || got.High != 1 {
		t.Errorf("no trial says nothing, got %+v", got)
	}
}

func TestStudent(t *testing.T) {
	for freedom, want := range map[int]float64{1: 12.706, 4: 2.776, 5: 2.571, 9: 2.262, 19: 2.093, 100: 1.984} {
		if got := student(freedom); math.Abs(got-want) > 4e-3 {
			t.Errorf("%d degrees of freedom: %.4f, want %.3f", freedom, got, want)
		}
	}
}

// An interval holds the true value about as often as it says.
func TestIntervalsCover(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const trials, n, chance = 4000, 200, 0.03
	share, mean := 0, 0
	for range trials {
		hits := 0
		values := make([]float64, 8)
		for range n {
			if rng.Float64() < chance {
				hits++
			}
		}
		for i := range values {
			values[i] = 5 + rng.NormFloat64()
		}
		if i := Share(hits, n); i.Low <= chance && chance <= i.High {
			share++
		}
		if i := Mean(values); i.Low <= 5 && 5 <= i.High {
			mean++
		}
	}
	for name, held := range map[string]int{"Share": share, "Mean": mean} {
		if got := float64(held) / trials; got < 0.93 || got > 0.98 {
			t.Errorf("%s: %.3f of the intervals hold the true value", name, got)
		}
	}
}

func TestMeanOfOneSaysNothingOfItsRange(t *testing.T) {
	if got := Mean([]float64{3}); got.Low != 0 || !math.IsInf(got.High, 1) {
		t.Errorf("%+v", got)
	}
}
