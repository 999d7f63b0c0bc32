package node

import (
	"context"
	"embed"
	"math"
	"net/http"
	"strings"
	"time"

	"holdfast/internal/webpage"
	"holdfast/ledger"
)

//go:embed page
var pageFiles embed.FS

// page is the node's web page: what Status says, for a person.
type page struct {
	status func(ctx context.Context) Status
	now    clock
	page   *webpage.Page
}

func newPage(status func(ctx context.Context) Status, now clock) *page {
	return &page{status: status, now: now, page: webpage.Parse(pageFiles, "page/*.html", map[string]any{
		"stateClass": stateClass, "holderClass": holderClass, "marginClass": marginClass, "severityClass": severityClass,
		"short": short, "className": className, "drained": func(d *DrainStatus) float64 { return webpage.Part(d.Of-d.Shards, d.Of) }, "hundredths": func(part float64) float64 { return 100 * part },
		"seconds": func(s float64) string { return webpage.Span(time.Duration(s * float64(time.Second))) },
	})}
}

// ServeHTTP is of http.Handler.
func (p *page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s := p.status(r.Context())
	p.page.Serve(w, shown{Status: s, Up: p.now().Sub(s.Started), Clock: offset(s.Skew), Verdict: judge(s)})
}

// shown is what the page is made of.
type shown struct {
	Status
	Up      time.Duration
	Clock   string
	Verdict sentence
}

// sentence is what stands on top. The class is good, watch (somebody should look) or
// bad (something does not work).
type sentence struct{ Class, Text string }

const (
	classGood  = "good"
	classWatch = "watch"
	classBad   = "bad"
	classStill = "still"
)

// judge says the worst first.
func judge(s Status) sentence {
	var worst Alert
	if len(s.Alerts) > 0 {
		worst = s.Alerts[0]
	}
	said := strings.TrimSuffix(worst.Text, ".") + ". " + worst.Hint
	switch {
	case s.State == StateStopping:
		return sentence{classStill, "The node stops."}
	case worst.Severity == Critical:
		return sentence{classBad, said}
	case s.ClockBad:
		return sentence{classBad, "The clock is " + offset(s.Skew) + " from that of the other nodes. Set it right."}
	case worst.Severity == Warning, worst.Severity == Info:
		return sentence{classWatch, said}
	case s.Peers == 0:
		return sentence{classWatch, "The node sees no other node yet."}
	}
	return sentence{classGood, "The node serves; there is nothing to do."}
}

// offset writes a number of seconds with its sign.
func offset(seconds float64) string {
	if math.Abs(seconds) < 0.001 {
		return "0 ms"
	}
	sign := "+"
	if seconds < 0 {
		sign = "−"
	}
	return sign + webpage.Span(time.Duration(math.Abs(seconds)*float64(time.Second)))
}

// stateClass is how the state of a node or a volume is coloured.
func stateClass(state string) string {
	switch state {
	case StateServing:
		return classGood
	case StatePaused:
		return classBad
	case StateDraining, StateAway:
		return classWatch
	}
	return classStill
}

// holderClass is how the state of a holder is coloured.
func holderClass(state string) string {
	switch ledger.HolderState(state) {
	case ledger.HolderOK:
		return classGood
	case ledger.HolderGone:
		return classBad
	case ledger.HolderAway, ledger.HolderDraining:
		return classStill
	}
	return classWatch
}

// marginClass is how the worst margin of a vault is coloured.
func marginClass(c *CustodyStatus) string {
	switch {
	case c.Worst >= c.Target:
		return classGood
	case c.Worst <= 0:
		return classBad
	}
	return classWatch
}

func severityClass(s Severity) string {
	switch s {
	case Critical:
		return classBad
	case Warning:
		return classWatch
	}
	return classStill
}

// short is a name by its beginning and its end.
func short(name string) string {
	if len(name) <= 16 {
		return name
	}
	return name[:6] + "…" + name[len(name)-6:]
}

// className says in words what a class of traffic is for.
func className(c string) string {
	switch class(c) {
	case classPut:
		return "backups"
	case classGet:
		return "restores"
	case classRepair:
		return "repair"
	case classAudit:
		return "audits"
	}
	return c
}
