package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
)

func testApp() (a *app, out, err *bytes.Buffer) {
	out, err = new(bytes.Buffer), new(bytes.Buffer)
	return &app{in: strings.NewReader(""), out: out, err: err}, out, err
}

// lines reads JSON lines.
func lines(t *testing.T, b *bytes.Buffer) (all []map[string]any) {
	t.Helper()
	for line := range strings.Lines(b.String()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if fields["v"] != float64(jsonVersion) || fields["message_type"] == nil {
			t.Errorf("%q has no version or type", line)
		}
		all = append(all, fields)
	}
	return all
}

// An error is two lines for a person, and one for a machine; each on standard error.
func TestFail(t *testing.T) {
	cause := withHint(errors.New("two\nlines"), exitFull, "make room")
	a, out, stderr := testApp()
	if code := a.fail(cause); code != exitFull.code {
		t.Error(code)
	}
	if got := stderr.String(); got != "error: two; lines\nhint: make room\n" || out.Len() > 0 {
		t.Errorf("%q, %q", got, out)
	}
	a, out, stderr = testApp()
	a.json = true
	if code := a.fail(cause); code != exitFull.code || out.Len() > 0 {
		t.Error(code, out)
	}
	got := lines(t, stderr)
	detail, _ := got[0]["error"].(map[string]any)
	if len(got) != 1 || got[0]["message_type"] != "exit_error" || got[0]["code"] != float64(15) || detail["code"] != "E_FULL" || detail["class"] != "temporary" || detail["hint"] != "make room" {
		t.Errorf("%v", got)
	}
	a, _, stderr = testApp()
	a.reported = true
	if code := a.fail(cause); code != exitFull.code || stderr.Len() > 0 {
		t.Errorf("said again: %d, %q", code, stderr)
	}
}

// Whatever is wrong with a command line is a usage error, and an interruption is one
// of its own.
func TestExecuteRefusals(t *testing.T) {
	for _, line := range []string{"frobnicate", "node frobnicate", "node run --bogus", "node run extra --dir x", "testnet break --dir x kill", "node run --dir"} {
		a, out, stderr := testApp()
		if code := execute(t.Context(), strings.Fields(line), a); code != exitUsage.code || out.Len() > 0 || !strings.HasPrefix(stderr.String(), "error: ") || strings.Count(stderr.String(), "\n") != 2 {
			t.Errorf("%s: %d, %q, %q", line, code, out, stderr)
		}
	}
	if e := explain(interrupted{context.Canceled}); e.exit != exitInterrupted {
		t.Error(e)
	}
}

// Every command has an example and a short line of help.
func TestHelp(t *testing.T) {
	a, _, _ := testApp()
	todo := newRoot(a).Commands()
	for len(todo) > 0 {
		c := todo[0]
		todo = append(todo[1:], c.Commands()...)
		if c.Short == "" || c.Example == "" {
			t.Errorf("%s has no help or no example", c.CommandPath())
		}
	}
}

func TestProgress(t *testing.T) {
	var done, total atomic.Int64
	done.Store(512 << 10)
	total.Store(1 << 20)
	stages := []stage{{"read", done.Load, total.Load}, {"place", done.Load, func() int64 { return 0 }}}
	a, out, stderr := testApp()
	p := a.watch(t.Context(), stages, func() map[string]any { return map[string]any{"files_done": 3} })
	p.show() // into a pipe
	p.close()
	if got := stderr.String(); !strings.HasPrefix(got, "holdfast: read  50%  512 KiB / 1.00 MiB") || strings.Contains(got, "\x1b") || out.Len() > 0 {
		t.Errorf("%q, %q", got, out)
	}
	a, out, stderr = testApp()
	a.json = true
	p = a.watch(t.Context(), stages, func() map[string]any { return map[string]any{"files_done": 3} })
	p.stop()
	p.wait.Wait()
	p.show()
	p.close()
	got := lines(t, out)
	if len(got) != 1 || got[0]["percent_done"] != 0.5 || got[0]["bytes_placed"] != float64(512<<10) || got[0]["files_done"] != float64(3) || got[0]["stage"] != "read" || stderr.Len() > 0 {
		t.Errorf("%v, %q", got, stderr)
	}
	bar := p.bar(stages[0])
	if !strings.Contains(bar, "[############------------]  50%") {
		t.Errorf("%q", bar)
	}
	done.Store(5 << 20) // more than was expected
	if bar := p.bar(stages[0]); !strings.Contains(bar, "100%") {
		t.Errorf("%q", bar)
	}
}
