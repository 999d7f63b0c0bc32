package bench

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

func tiny(t *testing.T) Config {
	return Config{
		Dir: t.TempDir(), Program: program, Size: 4 << 20, Files: 50, Nodes: 4, Each: 3 * time.Millisecond,
		Progress: func(text string) { t.Log(text) },
	}
}

// TestRun runs all of it with tiny sources. That what came back is what was stored it
// checks itself: see TestNoticesDifferences.
func TestRun(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	c := tiny(t)
	report, err := Run(t.Context(), c)
	must(t, err)
	for _, p := range report.Primitives {
		if p.OneMBps <= 0 || p.AllMBps <= 0 || p.CPUperGB < 0 || p.Copies < 1 || p.What() == "" {
			t.Errorf("%+v", p)
		}
	}
	if len(report.Primitives) != 18 {
		t.Errorf("%d primitives", len(report.Primitives))
	}
	checkRows(t, report.Rows)
	if left, err := filepath.Glob(filepath.Join(c.Dir, "run-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func checkRows(t *testing.T, rows []Row) {
	t.Helper()
	want := []string{
		"file put", "file get", "file first byte, new view", "file first byte, open view", "tree backup", "tree restore",
		"small commit, whole command", "small commit, connected", "file backup of known data", "file backup unchanged",
		"tree backup unchanged", "file backup 1% changed", "tree backup 1% changed", "file get with half dead", "tree restore with half dead",
	}
	var got []string
	for _, r := range rows {
		got = append(got, r.Source+" "+r.Op)
		if r.Seconds.Median <= 0 || r.Bytes <= 0 || r.Files <= 0 || r.Runs != 1 {
			t.Errorf("%+v", r)
		}
		if l := r.Latency; l.Count > 0 && (l.P50 <= 0 || l.P99 < l.P50) || l.Count == 0 && r.MBps.Median <= 0 {
			t.Errorf("%+v", r)
		}
		if Accounted && (r.NodeMem <= 0 || r.Latency.Count == 0 && (r.ClientMem <= 0 || r.ClientCPU <= 0)) {
			t.Errorf("%+v", r)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	for _, r := range rows {
		switch {
		case r.Op == "put" || r.Op == "get" || r.Op == opBackup || r.Op == opRestore:
			if r.FloorRatio() <= 0 || Accounted && r.CPURatio() <= 0 {
				t.Errorf("%s %s: no ratio to the floor", r.Source, r.Op)
			}
		case r.Op == opUnchanged && len(r.Floor.Terms) > 0:
			t.Errorf("%s %s: a floor", r.Source, r.Op)
		}
	}
}

// TestRunsAgain: several runs make one row each, and what a part needs runs with it.
func TestRunsAgain(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	c := tiny(t)
	c.Parts, c.Runs, c.Nodes, c.Size = []Part{Get, Changed}, 2, 2, 1<<20
	report, err := Run(t.Context(), c)
	must(t, err)
	var got []string
	for _, r := range report.Rows {
		got = append(got, r.Op)
		if r.Runs != 2 || r.Source != SourceFile || r.Seconds.Min > r.Seconds.Median || r.Seconds.Median > r.Seconds.Max {
			t.Errorf("%+v", r)
		}
	}
	if want := []string{"put", "get", opKnown, opChanged}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestConfig(t *testing.T) {
	for name, edit := range map[string]func(*Config){
		"no nodes":       func(c *Config) { c.Nodes = 1 },
		"too many nodes": func(c *Config) { c.Nodes = 1 << 20 },
		"no file":        func(c *Config) { c.Size = 0 },
		"no files":       func(c *Config) { c.Files = 0 },
	} {
		c := tiny(t)
		edit(&c)
		if _, err := Run(t.Context(), c); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestInterrupted ends the context at each of the steps: the benchmark ends at once
// and leaves no process.
func TestInterrupted(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	for _, at := range []string{"make a tree", "zstd text", "channel", "start", "file put", "tree backup"} {
		t.Run(at, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			c := tiny(t)
			c.Progress = func(text string) {
				if strings.HasPrefix(text, at) {
					cancel()
				}
			}
			if _, err := Run(ctx, c); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			for _, p := range processesIn(t, c.Dir) {
				t.Errorf("%s is left", p)
			}
		})
	}
}

// processesIn lists the processes whose command line names a folder.
func processesIn(t *testing.T, dir string) (left []string) {
	t.Helper()
	if runtime.GOOS != "linux" {
		return nil
	}
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	must(t, err)
	for _, p := range all {
		if line, err := os.ReadFile(p); err == nil && strings.Contains(string(line), dir) {
			left = append(left, p)
		}
	}
	return left
}
