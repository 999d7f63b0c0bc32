package keep

import (
	"slices"
	"time"
)

// All as a count keeps one snapshot for every period that has one.
const All = -1

// Policy says what stays. Its rules are independent: what one of them keeps, stays.
// Periods are those of the snapshots' own time zone; weeks are ISO 8601's.
type Policy struct {
	Last    int // so many of the newest
	Hourly  int // the newest one of so many hours that have one, and so on
	Daily   int
	Weekly  int
	Monthly int
	Yearly  int
	Within  time.Duration // whatever is not older than that, counted back from the newest
	Tags    [][]string    // whatever has all the tags of one of the lists
}

// Empty reports whether the policy has no rule. It would keep nothing, which nobody
// means.
func (p Policy) Empty() bool {
	counts := [...]int{p.Last, p.Hourly, p.Daily, p.Weekly, p.Monthly, p.Yearly}
	return counts == [len(counts)]int{} && p.Within <= 0 && len(p.Tags) == 0
}

// Snapshot is what the rules look at.
type Snapshot struct {
	ID      string
	Time    time.Time // that the members' clocks gave it
	Host    string
	Paths   []string
	Tags    []string
	Partial bool // a checkpoint of a backup
}

// Decision says why a snapshot stays. It goes if there is no reason.
type Decision struct {
	Snapshot
	Reasons []string
}

// Stays reports whether there is a reason to keep the snapshot.
func (d Decision) Stays() bool { return len(d.Reasons) > 0 }

// Apply judges the snapshots of one group and returns them newest first.
//
// Only complete ones are counted: a checkpoint never takes the place of a finished
// backup. One that is newer than every complete snapshot stays, because the same
// backup goes on from it. And a policy never empties a group: the newest complete
// snapshot stays, whatever the rules say. Whoever wants it gone names it.
func (p Policy) Apply(group []Snapshot) []Decision {
	out := make([]Decision, len(group))
	for i, s := range newestFirst(group) {
		out[i].Snapshot = s
	}
	var complete []*Decision
	for i := range out {
		d := &out[i]
		switch {
		case !d.Partial:
			complete = append(complete, d)
		case len(complete) == 0:
			d.because("a backup that is not finished")
		}
		p.keepTagged(d)
	}
	p.keepWithin(out)
	for _, rule := range p.rules() {
		rule.keep(complete)
	}
	if len(complete) > 0 && !slices.ContainsFunc(complete, func(d *Decision) bool { return d.Stays() }) {
		complete[0].because("the last one that is left")
	}
	return out
}

func (d *Decision) because(reason string) { d.Reasons = append(d.Reasons, reason) }

func newestFirst(group []Snapshot) []Snapshot {
	sorted := slices.Clone(group)
	slices.SortStableFunc(sorted, func(a, b Snapshot) int { return b.Time.Compare(a.Time) })
	return sorted
}

func (p Policy) keepTagged(d *Decision) {
	for _, list := range p.Tags {
		missing := func(tag string) bool { return !slices.Contains(d.Tags, tag) }
		if len(list) > 0 && !slices.ContainsFunc(list, missing) {
			d.because("has the tag")
			return
		}
	}
}

func (p Policy) keepWithin(newestFirst []Decision) {
	if p.Within <= 0 || len(newestFirst) == 0 {
		return
	}
	from := newestFirst[0].Time.Add(-p.Within)
	for i := range newestFirst {
		if !newestFirst[i].Time.Before(from) {
			newestFirst[i].because("recent enough")
		}
	}
}
