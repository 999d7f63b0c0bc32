package sim

import (
	"context"
	"errors"
	"math"
	"reflect"
	"testing"
	"time"

	"holdfast/erasure"
	"holdfast/node/repair"
)

// small is a network that is played fast: its excursions are short.
func small() Config {
	c := Defaults()
	c.Nodes, c.Zones, c.Segments, c.Years, c.Runs, c.Seed = 8, 4, 1, 1, 2, 11
	c.Code, c.AFR, c.VersionBug, c.Offline, c.Grace, c.Replace, c.NodeData = erasure.Code{K: 2, N: 4}, 0.1, 0.1, 0, time.Hour, 2*time.Hour, 1<<30
	return c
}

func TestSameSeedSameReport(t *testing.T) {
	run := func(c Config) Report {
		r, err := Run(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		r.Config = Config{} // it has functions
		return r
	}
	a, b := run(small()), run(small())
	if !reflect.DeepEqual(a, b) {
		t.Errorf("one seed, two reports:\n%+v\n%+v", a, b)
	}
	other := small()
	other.Seed++
	if reflect.DeepEqual(a, run(other)) {
		t.Error("another seed made no difference")
	}
}

func TestRefused(t *testing.T) {
	for name, spoil := range map[string]func(*Config){
		"no node":            func(c *Config) { c.Nodes = 0 },
		"more operators":     func(c *Config) { c.Operators = c.Nodes + 1 },
		"more zones":         func(c *Config) { c.Operators, c.Zones = 4, 5 },
		"unlawful code":      func(c *Config) { c.Code = erasure.Code{K: 3, N: 4} },
		"one operator":       func(c *Config) { c.Nodes, c.Zones = 1, 1 },
		"a chance of 1":      func(c *Config) { c.AFR = 1 },
		"not a number":       func(c *Config) { c.Offline = math.NaN() },
		"a negative chance":  func(c *Config) { c.Rot = -0.1 },
		"no time":            func(c *Config) { c.Years = 0 },
		"too much time":      func(c *Config) { c.Years = 1e6 },
		"too many segments":  func(c *Config) { c.Segments = 1 << 20 },
		"too many nodes":     func(c *Config) { c.Nodes, c.Operators, c.Zones = 90_000, 9, 3 },
		"shocks every day":   func(c *Config) { c.ZoneLoss, c.Nodes, c.Zones, c.Admitted = 0.999, 40, 40, 40 },
		"no absence":         func(c *Config) { c.Outage = 0 },
		"a negative rate":    func(c *Config) { c.RepairRate = -1 },
		"segments of a byte": func(c *Config) { c.SegmentSize = 1 },
	} {
		c := small()
		spoil(&c)
		if _, err := Run(t.Context(), c); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := small()
	c.Nodes, c.Runs = 10_000, 50
	c.Progress = func(string) { cancel() }
	if _, err := Run(ctx, c); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// alone is a vault of one segment, with as many operators as it has shards: a lost
// shard is rebuilt as soon as a new node comes, which is a fixed time after the loss.
func alone(code erasure.Code, afr float64, replace time.Duration) Config {
	c := quiet(code.N, code)
	c.AFR, c.Replace, c.Grace, c.NodeData, c.Segments = afr, replace, time.Hour, 1<<20, 1
	return c
}

// Independent losses, seen: as many as the formula says. It takes the time of a repair
// as random, the model knows it; where it is short that makes little difference.
func TestLossesAgainstTheFormula(t *testing.T) {
	c := alone(erasure.Code{K: 2, N: 4}, 0.8, 4*24*time.Hour)
	c.Years, c.Runs, c.Seed = 10, 1000, 99
	all, err := histories(t.Context(), filled(t, c), c.Runs)
	if err != nil {
		t.Fatal(err)
	}
	lost := 0
	for _, h := range all {
		lost += h.lost
	}
	got := Share(lost, len(all))
	want := -math.Expm1(-c.Years / Chain{c.Code, Rate(c.AFR), c.Replace}.MeanYears())
	t.Logf("%d of %d lost, %.4f by the formula", lost, len(all), want)
	if slack := 0.1*want + 1.5*(got.High-got.Low); math.Abs(got.Estimate-want) > slack || lost < 25 {
		t.Errorf("%+v, %.4f by the formula", got, want)
	}
}

// Independent losses that are too rare to be seen.
func TestSplittingAgainstTheFormula(t *testing.T) {
	c := alone(erasure.Code{K: 2, N: 5}, 0.6, 5*24*time.Hour)
	c.Runs = 10
	var r Report
	if err := r.estimate(t.Context(), filled(t, c)); err != nil {
		t.Fatal(err)
	}
	want := Chain{c.Code, Rate(c.AFR), c.Replace}.Annual()
	got := r.Causes[0].Loss
	t.Logf("%.3g (%.3g to %.3g), %.3g by the formula; steps %.3g", got.Estimate, got.Low, got.High, want, r.Causes[0].Steps)
	if half := got.High - got.Estimate; got.Method != Spread || math.Abs(got.Estimate-want) > 2*half+0.15*want || half > want {
		t.Errorf("%+v, %g by the formula", got, want)
	}
}

// Nobody repairs: what is left after years is binomial.
func TestAbandoned(t *testing.T) {
	c := quiet(30, erasure.Code{K: 3, N: 6})
	c.AFR, c.RepairRate, c.Years, c.Runs = 0.05, 0, 10, 60
	all, err := histories(t.Context(), filled(t, c), c.Runs)
	if err != nil {
		t.Fatal(err)
	}
	shares := make([]float64, len(all))
	for i, h := range all {
		shares[i] = float64(h.lost) / float64(c.Segments)
	}
	want := Chain{Code: c.Code, Rate: Rate(c.AFR)}.Abandoned(c.Years)
	if got := Mean(shares); math.Abs(got.Estimate-want) > 2*(got.High-got.Estimate) {
		t.Errorf("%+v lost, %.3f by the formula", got, want)
	}
}

// A bad version alone: a segment is lost if more than n-k of its operators run it.
func TestVersionBugAgainstTheFormula(t *testing.T) {
	c := quiet(8, erasure.Code{K: 4, N: 8})
	c.VersionBug, c.VersionShare, c.Runs, c.NodeData, c.Segments = 0.01, 0.3, 6, 1<<30, 2
	var r Report
	if err := r.estimate(t.Context(), filled(t, c)); err != nil {
		t.Fatal(err)
	}
	want := Unreadable(c.Code, c.VersionShare)
	for _, cause := range r.Causes {
		if got := cause.Loss; cause.Chance == r.Causes[1].Chance && math.Abs(got.Estimate-want) > 2*(got.High-got.Estimate) {
			t.Errorf("%s: %+v, %.4f by the formula", cause.Name, got, want)
		}
	}
}

// Absences alone: segments cannot be read for as long as the binomial formula says.
func TestUnreadableAgainstTheFormula(t *testing.T) {
	c := quiet(16, erasure.Code{K: 4, N: 8})
	c.Offline, c.Outage, c.Grace, c.Years, c.Runs = 0.2, 6*time.Hour, 30*24*time.Hour, 2, 12
	all, err := histories(t.Context(), filled(t, c), c.Runs)
	if err != nil {
		t.Fatal(err)
	}
	var r Report
	r.observe(filled(t, c), all)
	if want := Unreadable(c.Code, c.Offline); math.Abs(r.Unreadable.Estimate-want) > 2*(r.Unreadable.High-r.Unreadable.Estimate) || r.Lost != 0 {
		t.Errorf("%+v, %.3g by the formula", r.Unreadable, want)
	}
}

// lost plays a harsh network as it is changed, and returns how many segments it loses.
func lost(t *testing.T, change func(*Config)) int {
	t.Helper()
	c := quiet(20, erasure.Code{K: 3, N: 6})
	c.AFR, c.OperatorLoss, c.Rot, c.Years, c.Runs, c.Grace, c.Segments = 0.75, 0.2, 0.2, 3, 8, 72*time.Hour, 10
	change(&c)
	all, err := histories(t.Context(), filled(t, c), c.Runs)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, h := range all {
		n += h.lost
	}
	return n
}

// Better care never loses more, but for what chance can explain.
func TestLaws(t *testing.T) {
	weeks := func(n int) time.Duration { return time.Duration(n) * 7 * 24 * time.Hour }
	for name, c := range map[string]struct{ worse, better func(*Config) }{
		"repair rate": {func(c *Config) { c.RepairRate = 1 << 19 }, func(c *Config) { c.RepairRate = 64 << 20 }},
		"grace":       {func(c *Config) { c.Grace = weeks(50) }, func(c *Config) { c.Grace = weeks(10) }},
		"disks":       {func(c *Config) { c.Grace, c.AFR = weeks(20), 0.95 }, func(c *Config) { c.Grace, c.AFR = weeks(20), 0.5 }},
		"code":        {func(c *Config) { c.Grace = weeks(20) }, func(c *Config) { c.Grace, c.Code.K = weeks(20), 2 }},
	} {
		worse, better := lost(t, c.worse), lost(t, c.better)
		t.Logf("%s: %d lost, with better care %d", name, worse, better)
		if float64(better) > float64(worse)+3*math.Sqrt(float64(worse+better)) || worse == 0 {
			t.Errorf("%s: %d lost with better care, %d with worse", name, better, worse)
		}
	}
}

// A planner that does not do its work is seen in the figures.
func TestBrokenPlannerIsNoticed(t *testing.T) {
	good := lost(t, func(c *Config) { c.Runs = 6 })
	for name, broken := range map[string]Planner{
		"repairs nothing": func(v repair.View, limit int) ([]repair.Task, repair.Outlook) {
			_, out := repair.Plan(v, limit)
			return nil, out
		},
		"puts all in one place": func(v repair.View, limit int) ([]repair.Task, repair.Outlook) {
			tasks, out := repair.Plan(v, limit)
			for _, t := range tasks {
				for i := range t.To {
					t.To[i].Node = v.Candidates[0].Node
				}
			}
			return tasks, out
		},
		"forgets what is missing, and waits too long": func(v repair.View, limit int) ([]repair.Task, repair.Outlook) {
			v.Missing, v.Grace = nil, 300*24*time.Hour
			return repair.Plan(v, limit)
		},
	} {
		bad := lost(t, func(c *Config) { c.Runs, c.Plan = 6, broken })
		t.Logf("%s: %d lost, with the program's own planner %d", name, bad, good)
		if float64(bad) < float64(good)+4*math.Sqrt(float64(bad+good)) {
			t.Errorf("%s: %d lost, with the program's own planner %d", name, bad, good)
		}
	}
}
