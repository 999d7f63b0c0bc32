package node

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

// Severity says how soon an alert needs somebody.
type Severity string

// The severities, from the least.
const (
	Info     Severity = "info"     // as the operator has asked for; nothing to do
	Warning  Severity = "warning"  // within days
	Critical Severity = "critical" // now: the node does not do its part
)

// Alert is one thing that an operator should know about a node.
type Alert struct {
	Severity Severity  `json:"severity"`
	Category string    `json:"category"` // volume, space, disk, clock, certificate, configuration, network, segments, state
	Text     string    `json:"text"`
	Hint     string    `json:"hint,omitempty"`
	Since    time.Time `json:"since"`

	about string // which of several, where there can be: a volume, or a file's fault
}

// Bounds beyond which an operator is told.
const (
	expiresSoon = 7 * 24 * time.Hour // then it is critical
	spaceLow    = 20                 // one part in so many of what is offered
	aloneFor    = 10 * time.Minute   // a node that has just been started looks for others first
)

// raiseEvery is how often the log is told of new alerts.
const raiseEvery = time.Minute

// alarms remembers since when each alert stands, and which the log has been told of.
type alarms struct {
	mu    sync.Mutex
	since map[string]time.Time
	said  map[string]time.Time
}

// alerts are those of a status, the worst first.
func (n *Node) alerts(s Status) []Alert {
	list := slices.Concat(ofState(s), ofDisk(s), ofCertificate(s, n.now()), ofNetwork(s, n.now(), len(n.config.Bootstrap) > 0), ofSegments(s))
	for _, err := range n.orders.troubles() {
		list = append(list, Alert{Severity: Warning, Category: "configuration", about: err.Error(), Text: err.Error(), Hint: "correct the file; until then the node goes on by what it read before"})
	}
	return n.alarms.date(list, n.now())
}

// date says since when each alert stands. One of the same category and severity about the
// same thing is the same one, although its text has other numbers now.
func (a *alarms) date(list []Alert, now time.Time) []Alert {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.since == nil {
		a.since = map[string]time.Time{}
	}
	standing := map[string]bool{}
	out := make([]Alert, 0, len(list))
	for _, one := range list {
		key := one.key()
		standing[key] = true
		if _, ok := a.since[key]; !ok {
			a.since[key] = now.UTC()
		}
		one.Since = a.since[key]
		out = append(out, one)
	}
	maps.DeleteFunc(a.since, func(key string, _ time.Time) bool { return !standing[key] })
	slices.SortStableFunc(out, func(x, y Alert) int { return cmp.Compare(x.Severity.rank(), y.Severity.rank()) })
	return out
}

func (a Alert) key() string { return a.Category + " " + string(a.Severity) + " " + a.about }

// raise tells the log of alerts that are new.
func (n *Node) raise(ctx context.Context) error {
	for _, one := range n.alarms.fresh(n.look(ctx).Alerts) {
		level := slog.LevelInfo
		switch one.Severity {
		case Critical:
			level = slog.LevelError
		case Warning:
			level = slog.LevelWarn
		}
		n.log.Log(ctx, level, one.Text, "category", one.Category, "hint", one.Hint)
	}
	return nil
}

// fresh returns the alerts that it has not returned since they began.
func (a *alarms) fresh(list []Alert) (out []Alert) {
	a.mu.Lock()
	defer a.mu.Unlock()
	said := map[string]time.Time{}
	for _, one := range list {
		if before, ok := a.said[one.key()]; !ok || !before.Equal(one.Since) {
			out = append(out, one)
		}
		said[one.key()] = one.Since
	}
	a.said = said
	return out
}

func (s Severity) rank() int { return slices.Index([]Severity{Critical, Warning, Info}, s) }

func ofState(s Status) (list []Alert) {
	switch s.State {
	case StatePaused:
		list = append(list, Alert{Severity: Critical, Category: "volume", Text: s.Reason, Hint: "mount the disk again; if it is lost: holdfast node resume --new-volume"})
	case StateDraining:
		list = append(list, Alert{Severity: Info, Category: "state", Text: "the node gives away what it holds, " + s.Reason, Hint: "holdfast node drain --cancel takes it back"})
	case StateAway:
		list = append(list, Alert{Severity: Info, Category: "state", Text: "the node has announced that it is away, " + s.Reason, Hint: "holdfast node resume, when it is back"})
	}
	if s.Doubt != "" {
		list = append(list, Alert{Severity: Critical, Category: "clock", Text: s.Doubt, Hint: "set this machine's clock right; until then the node consents to no deletion and erases nothing"})
	}
	return list
}

func ofDisk(s Status) (list []Alert) {
	for _, v := range s.Volumes {
		if v.Damaged > 0 {
			list = append(list, Alert{Severity: Warning, Category: "disk", about: v.Name, Text: fmt.Sprintf("volume %s has put %d bytes of corrupt shards into quarantine", v.Name, v.Damaged), Hint: "look at the disk's health; what is in quarantine is yours to remove"})
		}
		if v.State == StatePaused && s.State != StatePaused {
			list = append(list, Alert{Severity: Warning, Category: "volume", about: v.Name, Text: fmt.Sprintf("volume %s is paused: %s", v.Name, v.Reason), Hint: "mount its disk again, or: holdfast node volume resume; if the disk is lost for good: holdfast node volume remove --lost"})
		}
		if v.State == StateServing && v.Free < v.Capacity/spaceLow {
			list = append(list, Alert{Severity: Warning, Category: "space", about: v.Name, Text: fmt.Sprintf("volume %s can take %d bytes more of %d", v.Name, v.Free, v.Capacity), Hint: "offer more, or add a volume; a full node keeps and serves what it has"})
		}
	}
	return list
}

func ofCertificate(s Status, now time.Time) []Alert {
	left := s.Expires.Sub(now)
	one := Alert{
		Severity: Warning, Category: "certificate", Text: fmt.Sprintf("the certificate expires on %s", s.Expires.UTC().Format(time.DateOnly)),
		Hint: "holdfast node request, holdfast operator certify, and holdfast node certificate while the node runs",
	}
	switch {
	case left >= RenewBefore:
		return nil
	case left <= 0:
		one.Severity, one.Text = Critical, fmt.Sprintf("the certificate expired on %s: other nodes do not know this one any more", s.Expires.UTC().Format(time.DateOnly))
	case left < expiresSoon:
		one.Severity = Critical
	}
	return []Alert{one}
}

func ofNetwork(s Status, now time.Time, expectsOthers bool) []Alert {
	if s.Peers > 0 || !expectsOthers || now.Sub(s.Started) < aloneFor {
		return nil
	}
	return []Alert{{Severity: Critical, Category: "network", Text: "no other node answers", Hint: "holdfast node doctor says what stands in the way"}}
}
