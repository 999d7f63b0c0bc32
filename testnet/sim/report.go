package sim

import (
	"fmt"
	"math"
	"time"
)

// Report is what a simulation comes to. All of it depends on the configuration alone.
type Report struct {
	Config   Config // completed
	Vaults   int    // the network is divided into
	Played   int    // histories of a vault, shocks and all, of Years each
	Segments int    // of all of them

	// What was seen in those histories. Segments that are lost together are not
	// independent of each other; vaults are, but for what hits all.
	Lost       int      // segments
	VaultsHurt int      // vaults that lost any
	VaultLoss  Interval // chance that a vault loses any of its segments in all these years
	Worst      int      // lowest margin: shards that a segment had beyond k; below 0 if one was lost
	Traffic    Interval // bytes read and written for repair, a node and day
	Rebuilt    int      // shards
	Needless   int      // of these, of holders that came back
	Unreadable Interval // share of the time that a segment cannot be read, though not lost

	// What is too rare to be seen: chances of one year, of one segment.
	Causes []Cause
	Annual Interval // of all causes together

	// The closed formula for the last of the causes.
	Formula       float64
	FormulaRepair time.Duration // what it takes for the time of a repair
	Away          float64       // share of time that a segment cannot be read, by the binomial formula
}

// Cause is a class of years.
type Cause struct {
	Name   string
	Chance float64   // that a year is one
	Loss   Interval  // chance that a segment is lost in such a year
	Steps  []float64 // how often in such a year a segment comes to lack 1, 2, ... shards; the first is 1
}

// Part is what a cause adds to the chance that a segment is lost in a year.
func (c Cause) Part() Interval { return c.Loss.scale(c.Chance) }

// observe adds up histories of whole networks, one after another.
func (r *Report) observe(c *Config, all []history) {
	worst := 0
	var traffic, dark []float64 // of vaults
	for _, h := range all {
		r.Lost += h.lost
		r.Rebuilt += h.rebuilt
		r.Needless += h.needless
		worst = max(worst, h.worst)
		if h.lost > 0 {
			r.VaultsHurt++
		}
		traffic = append(traffic, h.traffic/float64(h.nodes)/(h.years*365))
		dark = append(dark, h.dark/(h.years*float64(c.Segments)))
	}
	r.Played, r.Segments = len(all), len(all)*c.Segments
	r.VaultLoss = Share(r.VaultsHurt, len(all))
	r.Worst = c.Code.N - c.Code.K - worst
	r.Traffic, r.Unreadable = Mean(traffic), Mean(dark)
}

// Nines says for people how many nines the opposite of a chance has, and what is known
// of that: no more than an interval supports, and never more than twelve.
func (i Interval) Nines() string {
	const most = 12
	least := Nines(i.High)
	switch {
	case least >= most:
		return "12 or more"
	case i.Method == Beyond || i.Method == Exact && i.Low == 0 || i.Estimate <= 0:
		return fmt.Sprintf("at least %.1f", max(0, least))
	case i.Low <= 0:
		return fmt.Sprintf("about %.1f, at least %.1f", Nines(i.Estimate), max(0, least))
	}
	return fmt.Sprintf("%.1f (%.1f to %.1f)", Nines(i.Estimate), max(0, least), Nines(i.Low))
}

// cause turns the repetitions of one stratum into a cause.
func cause(s stratum, all []descent) Cause {
	c := Cause{Name: s.name, Chance: s.chance}
	top := len(all[0].reach) - 1
	for level := range top + 1 {
		c.Steps = append(c.Steps, Mean(reaches(all, level)).Estimate)
	}
	if c.Loss = Mean(reaches(all, top)); often(all, top) {
		c.Loss = Interval{min(c.Loss.Low, 1), min(c.Loss.Estimate, 1), min(c.Loss.High, 1), Spread}
	} else {
		c.Loss = Interval{0, min(c.Loss.Estimate, 1), bound(all), Beyond}
	}
	return c
}

// often reports whether half of the repetitions came so far.
func often(all []descent, level int) bool {
	hit := 0
	for _, d := range all {
		if d.reach[level] > 0 {
			hit++
		}
	}
	return 2*hit >= len(all)
}

func reaches(all []descent, level int) (out []float64) {
	for _, d := range all {
		out = append(out, d.reach[level])
	}
	return out
}

// bound is what the chance of a loss is below, where too few repetitions came to one: a
// segment that is lost has lacked fewer shards before. It is the upper end for the most
// shards that one lacked in half of the repetitions; if none lacked any, what so many
// years say in which nothing happened.
func bound(all []descent) float64 {
	years := 0
	for _, d := range all {
		years += d.years
	}
	least := 1.0
	for level := range all[0].reach {
		switch {
		case level > 0 && often(all, level):
			least = min(least, Mean(reaches(all, level)).High)
		case level == 1 && Mean(reaches(all, level)).Estimate == 0:
			least = Share(0, years).High
		}
	}
	return least
}

// sum adds the parts of independent causes up. Ranges add up as those of independent
// values do; bounds add up as they are.
func sum(causes []Cause) Interval {
	out := Interval{Method: Spread}
	low, high, bounds := 0.0, 0.0, 0.0
	for _, c := range causes {
		p := c.Part()
		out.Estimate += p.Estimate
		if p.Method == Beyond {
			bounds += p.High
			low += p.Estimate * p.Estimate
			continue
		}
		low += (p.Estimate - p.Low) * (p.Estimate - p.Low)
		high += (p.High - p.Estimate) * (p.High - p.Estimate)
	}
	out.Low = max(0, out.Estimate-math.Sqrt(low))
	out.High = min(1, out.Estimate+math.Sqrt(high)+bounds)
	if out.Estimate == 0 || bounds > out.Estimate {
		out.Method = Beyond
	}
	return out
}
