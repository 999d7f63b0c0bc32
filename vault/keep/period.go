package keep

import "time"

// period names what a moment falls into: two moments have the same number if they are
// in the same hour, day, and so on.
type period func(time.Time) int64

func hour(t time.Time) int64  { return day(t)*100 + int64(t.Hour()) }
func day(t time.Time) int64   { return month(t)*100 + int64(t.Day()) }
func month(t time.Time) int64 { return int64(t.Year())*100 + int64(t.Month()) }
func year(t time.Time) int64  { return int64(t.Year()) }

func week(t time.Time) int64 {
	year, week := t.ISOWeek()
	return int64(year)*100 + int64(week)
}

// rule keeps the newest snapshot of each of count periods.
type rule struct {
	count  int
	period period // nil: every snapshot is a period of its own
	reason string
}

func (p Policy) rules() []rule {
	return []rule{
		{p.Last, nil, "one of the last"},
		{p.Hourly, hour, "the newest of its hour"},
		{p.Daily, day, "the newest of its day"},
		{p.Weekly, week, "the newest of its week"},
		{p.Monthly, month, "the newest of its month"},
		{p.Yearly, year, "the newest of its year"},
	}
}

// keep gives the rule's reason to what it keeps of complete snapshots, newest first.
// While the rule has not found all its periods, the oldest snapshot stays too: so a
// young vault keeps what will be the newest of its period one day.
func (r rule) keep(newestFirst []*Decision) {
	left, last := r.count, int64(0)
	for i, d := range newestFirst {
		number := int64(i + 1)
		if r.period != nil {
			number = r.period(d.Time)
		}
		fresh := i == 0 || number != last
		if left == 0 || !fresh && i < len(newestFirst)-1 {
			continue
		}
		if last = number; fresh {
			d.because(r.reason)
		} else {
			d.because("the oldest so far")
		}
		if left > 0 {
			left--
		}
	}
}
