package sim

import (
	"math"
	"testing"
	"time"

	"holdfast/erasure"
)

const day = 24 * time.Hour

// The values are published, made by another program: nines of one segment's annual
// durability. 2/3 and 3/5 are codes that holdfast refuses; the arithmetic does not
// mind.
func TestChainAgainstPublishedValues(t *testing.T) {
	for _, c := range []struct {
		code    erasure.Code
		a, b, d float64 // AFR 5 %, a day; 10 %, 7 days; 25 %, 7 days
	}{
		{erasure.Code{K: 2, N: 3}, 4.4, 2.9, 2.0},
		{erasure.Code{K: 2, N: 5}, 11.5, 7.8, 6.0},
		{erasure.Code{K: 3, N: 5}, 7.5, 4.9, 3.6},
		{erasure.Code{K: 3, N: 6}, 11.1, 7.3, 5.6},
		{erasure.Code{K: 3, N: 7}, 14.7, 9.7, 7.6},
		{erasure.Code{K: 4, N: 8}, 14.3, 9.3, 7.1},
		{erasure.Code{K: 5, N: 10}, 17.5, 11.4, 8.8},
		{erasure.Code{K: 3, N: 10}, 25.7, 17.3, 13.8},
		{erasure.Code{K: 6, N: 12}, 20.7, 13.4, 10.4},
		{erasure.Code{K: 8, N: 12}, 13.1, 8.2, 6.0},
		{erasure.Code{K: 10, N: 20}, 33.5, 21.7, 16.9},
		{erasure.Code{K: 10, N: 30}, 69.9, 46.4, 37.3},
	} {
		for _, v := range []struct {
			afr    float64
			repair time.Duration
			want   float64
		}{{0.05, day, c.a}, {0.10, 7 * day, c.b}, {0.25, 7 * day, c.d}} {
			got := -math.Log10(1 / (Chain{c.code, Rate(v.afr), v.repair}).MeanYears())
			if math.Abs(got-v.want) > 0.051 {
				t.Errorf("%v, %v a year, repaired in %v: %.2f nines, published %.1f", c.code, v.afr, v.repair, got, v.want)
			}
		}
	}
}

// Ten years without repair, published too.
func TestAbandonedAgainstPublishedValues(t *testing.T) {
	for code, want := range map[erasure.Code]float64{
		{K: 3, N: 6}: 0.18, {K: 3, N: 7}: 0.10, {K: 3, N: 10}: 0.013, {K: 4, N: 12}: 0.016, {K: 10, N: 20}: 0.13, {K: 10, N: 30}: 0.0009,
	} {
		got := Chain{Code: code, Rate: Rate(0.05)}.Abandoned(10)
		if got < want*0.94 || got > want*1.06 {
			t.Errorf("%v: %.4f of segments lost, published %.4f", code, got, want)
		}
	}
}

// Reads that fail where nodes are up 95 % of the time, published too.
func TestUnreadableAgainstPublishedValues(t *testing.T) {
	for code, want := range map[erasure.Code]float64{
		{K: 2, N: 3}: 7e-3, {K: 2, N: 5}: 3e-5, {K: 3, N: 6}: 9e-5, {K: 3, N: 7}: 6e-6, {K: 4, N: 8}: 2e-5, {K: 6, N: 12}: 5e-7, {K: 10, N: 20}: 5e-10,
	} {
		got := Unreadable(code, 0.05)
		if got < want*0.75 || got > want*1.25 {
			t.Errorf("%v: %.2g of reads fail, published %.2g", code, got, want)
		}
	}
}

// Where repair is fast, the chain is its leading term.
//
// SPEC: p ~ k C(n,k) lambda^(m+1) T^m
func TestChainAgainstItsLeadingTerm(t *testing.T) {
	for _, code := range []erasure.Code{{K: 1, N: 2}, {K: 3, N: 7}, {K: 8, N: 20}} {
		m := float64(code.N - code.K)
		lead := float64(code.K) * choose(code.N, code.K) * math.Pow(0.05, m+1) * math.Pow(1.0/hoursOfYear, m)
		got := Chain{code, 0.05, time.Hour}.Annual()
		if got < 0.99*lead || got > 1.01*lead {
			t.Errorf("%v: %g, leading term %g", code, got, lead)
		}
	}
}
