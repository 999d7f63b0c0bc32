package sim

import "math"

// Interval is an estimate with a range that holds the true value in 95 of 100 such
// runs. Where nothing was seen, Low is 0 and High is all that is known.
type Interval struct {
	Low      float64 `json:"low"`
	Estimate float64 `json:"estimate"`
	High     float64 `json:"high"`
	Method   string  `json:"method"` // one of the names below
}

// How an interval was made.
const (
	Exact  = "exact"                       // nothing, or all, of independent trials
	Wilson = "Wilson"                      // a share of independent trials
	Spread = "t, from the repetitions"     // the mean of independent repetitions
	Beyond = "bound, by what comes before" // the event was not reached; what has to come before it was
)

// alpha is what lies outside of an interval.
const alpha = 0.05

// z cuts alpha off a normal distribution, half at each end.
const z = 1.959963984540054

// Share returns the interval of a chance, of which so many of n independent trials
// were hits. With none or all of them it is exact and one-sided.
func Share(hits, n int) Interval {
	switch {
	case n == 0:
		return Interval{0, 0, 1, Exact}
	case hits == 0:
		return Interval{0, 0, 1 - math.Pow(alpha, 1/float64(n)), Exact}
	case hits == n:
		return Interval{math.Pow(alpha, 1/float64(n)), 1, 1, Exact}
	}
	p, m := float64(hits)/float64(n), float64(n)
	middle := (p + z*z/(2*m)) / (1 + z*z/m)
	half := z / (1 + z*z/m) * math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	return Interval{middle - half, p, middle + half, Wilson}
}

// Mean returns the interval of the mean of independent values that are not negative.
// One value alone says nothing of its range.
func Mean(values []float64) Interval {
	n := float64(len(values))
	if n == 0 {
		return Interval{0, 0, math.Inf(1), Spread}
	}
	sum, squares := 0.0, 0.0
	for _, v := range values {
		sum += v
	}
	mean := sum / n
	if n == 1 {
		return Interval{0, mean, math.Inf(1), Spread}
	}
	for _, v := range values {
		squares += (v - mean) * (v - mean)
	}
	half := student(len(values)-1) * math.Sqrt(squares/(n-1)/n)
	return Interval{max(0, mean-half), mean, mean + half, Spread}
}

// student cuts alpha off Student's distribution, half at each end. The series in
// 1/freedom (Abramowitz and Stegun 26.7.5) is good to two thousandths from 5 on; below
// that stand the values themselves.
func student(freedom int) float64 {
	few := [...]float64{12.706, 4.303, 3.182, 2.776}
	if freedom <= len(few) {
		return few[freedom-1]
	}
	v := float64(freedom)
	z2 := z * z
	return z + z*(z2+1)/(4*v) + z*((5*z2+16)*z2+3)/(96*v*v) + z*(((3*z2+19)*z2+17)*z2-15)/(384*v*v*v)
}

// scale multiplies an interval by a number that is known.
func (i Interval) scale(by float64) Interval {
	return Interval{i.Low * by, i.Estimate * by, i.High * by, i.Method}
}
