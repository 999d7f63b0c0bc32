package node

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
)

// machine is a clock that can jump, beside one that cannot.
type machine struct {
	wall   time.Time
	passed time.Duration
	count  int           // other nodes
	skew   time.Duration // their median less ours
}

func (m *machine) pass(d time.Duration) {
	m.wall = m.wall.Add(d)
	m.passed += d
}

// on begins to watch as a node does that is started on the machine.
func (m *machine) on(t *testing.T, dir string) *clockWatch {
	t.Helper()
	w, err := newClockWatch(dir, func() time.Time { return m.wall }, func() (int, time.Duration) { return m.count, m.skew })
	must(t, err)
	w.read = func() (time.Time, time.Duration) { return m.wall, m.passed }
	w.wall, w.passed = w.read()
	return w
}

func TestClockDoubt(t *testing.T) {
	for name, c := range map[string]struct {
		happens func(m *machine, w *clockWatch)
		doubt   bool
	}{
		"nothing":              {func(*machine, *clockWatch) {}, false},
		"a year passes":        {func(m *machine, _ *clockWatch) { m.pass(365 * 24 * time.Hour) }, false},
		"a jump of 9 minutes":  {func(m *machine, _ *clockWatch) { m.wall = m.wall.Add(9 * time.Minute) }, false},
		"a jump of 11 minutes": {func(m *machine, _ *clockWatch) { m.wall = m.wall.Add(11 * time.Minute) }, true},
		"a jump back":          {func(m *machine, _ *clockWatch) { m.wall = m.wall.Add(-11 * time.Minute) }, true},
		"a jump of 15 days":    {func(m *machine, _ *clockWatch) { m.wall = m.wall.Add(15 * 24 * time.Hour) }, true},
		"a jump and back": {func(m *machine, w *clockWatch) {
			m.wall = m.wall.Add(time.Hour)
			_ = w.doubt()
			m.wall = m.wall.Add(-time.Hour)
		}, false},
		"many jumps of a minute": {func(m *machine, w *clockWatch) {
			repeat(20, func() { m.pass(time.Hour); m.wall = m.wall.Add(time.Minute); _ = w.doubt() })
		}, true},
		"a clock that is set right": {func(m *machine, w *clockWatch) {
			repeat(20_000, func() { m.pass(30 * time.Second); m.wall = m.wall.Add(900 * time.Millisecond); _ = w.doubt() })
		}, false},
		"others are 9 minutes ahead":     {func(m *machine, _ *clockWatch) { m.count, m.skew = 3, 9*time.Minute }, false},
		"others are 11 minutes ahead":    {func(m *machine, _ *clockWatch) { m.count, m.skew = 3, 11*time.Minute }, true},
		"others are an hour behind":      {func(m *machine, _ *clockWatch) { m.count, m.skew = 1, -time.Hour }, true},
		"nobody is there to compare":     {func(m *machine, _ *clockWatch) { m.skew = time.Hour }, false},
		"a jump with which others agree": {func(m *machine, _ *clockWatch) { m.count, m.wall = 3, m.wall.Add(15*24*time.Hour) }, true},
	} {
		m := &machine{wall: ledgertest.Start()}
		w := m.on(t, t.TempDir())
		c.happens(m, w)
		if err := w.doubt(); (err != nil) != c.doubt || err != nil && !errors.Is(err, ledger.ErrClockDoubt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func repeat(n int, f func()) {
	for range n {
		f()
	}
}

// A clock that is behind what it was before the node was started, until it is there
// again; a time in doubt is not remembered.
func TestClockAgainstTheLastRun(t *testing.T) {
	dir := t.TempDir()
	m := &machine{wall: ledgertest.Start()}
	must(t, m.on(t, dir).remember())
	m.wall = m.wall.Add(-time.Hour)
	w := m.on(t, dir)
	err := w.doubt()
	if err == nil || !strings.Contains(err.Error(), filepath.Join(dir, clockName)) {
		t.Error(err)
	}
	must(t, w.remember())
	m.pass(time.Hour)
	if err := w.doubt(); err != nil {
		t.Error("caught up:", err)
	}
	m.wall = m.wall.Add(24 * time.Hour)
	must(t, w.remember())
	m.wall = m.wall.Add(-24 * time.Hour)
	if err := m.on(t, dir).doubt(); err != nil {
		t.Error("a jump was remembered:", err)
	}
	for _, text := range []string{"", "never", "2027"} {
		must(t, os.WriteFile(filepath.Join(dir, clockName), []byte(text), 0o600))
		if err := m.on(t, dir).doubt(); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	must(t, os.WriteFile(filepath.Join(dir, clockName), []byte(strings.Repeat("1", clockLimit+1)), 0o600))
	if _, err := newClockWatch(dir, time.Now, nil); err == nil {
		t.Error("a file that is too long is read")
	}
}

// A node in doubt says so, and consents to nothing.
func TestNodeInDoubt(t *testing.T) {
	dir := newNode(t, "one")
	must(t, os.WriteFile(filepath.Join(dir, clockName), []byte(ledgertest.Start().Add(time.Hour).Format(time.RFC3339)), 0o600))
	n := start(t, dir, ledgertest.Start)
	until(t, "ready", func() bool { return Ready(t.Context(), dir) == nil })
	s, err := Ask(t.Context(), dir)
	if err != nil || !strings.Contains(s.Doubt, "in doubt") || s.Budget != LeastBudget {
		t.Errorf("%+v, %v", s, err)
	}
	addr, err := AdminAddr(dir)
	must(t, err)
	if _, body := get(t, addr, "/metrics", addr); !strings.Contains(body, "holdfast_clock_doubt 1") || !strings.Contains(body, `holdfast_volume_trash_bytes{volume="main"} 0`) {
		t.Error("no metric says so")
	}
	if err := n.released.doubt(); !errors.Is(err, ledger.ErrClockDoubt) {
		t.Error(err)
	}
}
