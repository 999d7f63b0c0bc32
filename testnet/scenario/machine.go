package scenario

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Machine is a merchant's machine: the program, with a home and a cache of its own.
type Machine struct {
	Program string
	Dir     string // home and cache are in it
}

// Home and Cache are what HOLDFAST_HOME and HOLDFAST_CACHE name.
func (m Machine) Home() string  { return filepath.Join(m.Dir, "home") }
func (m Machine) Cache() string { return filepath.Join(m.Dir, "cache") }

// Status is a status line of the program.
type Status struct {
	Done   int64 `json:"bytes_done"`
	Placed int64 `json:"bytes_placed"`
}

// Durability is what a backup says of the segments that it needs.
type Durability struct {
	K         int `json:"k"`
	N         int `json:"n"`
	MinShards int `json:"min_shards"`
	Operators int `json:"operators"`

	Missing int64 `json:"missing"` // shards that nobody has got
}

// Listed is a snapshot as `snapshots` lists it.
type Listed struct {
	ID      string   `json:"id"`
	Paths   []string `json:"paths"`
	Partial bool     `json:"partial"`
}

// Wrong is a shard that a check has found missing or wrong.
type Wrong struct {
	Segment string `json:"segment"`
	Shard   int    `json:"shard"`
	Name    string `json:"operator"`
	Reason  string `json:"reason"`
}

// Report is what one run of the program has said: the fields of its JSON lines that
// scenarios look at, and the code it ended with.
type Report struct {
	Snapshot   string     `json:"snapshot_id"`
	Durability Durability `json:"durability"`
	Complete   bool       `json:"complete"`
	Members    int        `json:"members"`
	Acked      int        `json:"members_acked"`
	Freshness  string     `json:"freshness"`
	Request    string     `json:"request"`  // of a release
	State      string     `json:"state"`    // of that
	Segments   int        `json:"segments"` // that a release lets go, or that there are

	// Of a status: shards that there should be, and that are there; what the worst segment
	// has above k.
	Shards  int `json:"shards"`
	Present int `json:"present"`
	Margin  int `json:"margin"`

	Listed []Listed      `json:"-"`
	Wrong  []Wrong       `json:"-"`
	Code   int           `json:"-"` // -1: ended by a signal
	Said   string        `json:"-"` // what it wrote to standard error
	Took   time.Duration `json:"-"`
}

// Was reports whether the run ended with one of these codes.
func (r Report) Was(codes ...int) bool {
	for _, c := range codes {
		if r.Code == c {
			return true
		}
	}
	return false
}

func (r Report) String() string {
	return fmt.Sprintf("exit %d after %v: %s", r.Code, r.Took.Round(10*time.Millisecond), strings.TrimSpace(r.Said))
}

// Call says how to run the program.
type Call struct {
	Args   []string
	Stdin  io.Reader    // none if nil
	Stdout io.Writer    // raw output, for a command that does not print JSON lines
	Status func(Status) // told of each status line, by the goroutine that waits
}

// waitLimit is how long a program may take to end after it was interrupted.
const waitLimit = 30 * time.Second

// Run runs the program to its end. Its failure is no error: see Report.Code.
func (m Machine) Run(ctx context.Context, args ...string) (Report, error) {
	return m.Do(ctx, Call{Args: args})
}

// Do is Run with more to say.
func (m Machine) Do(ctx context.Context, c Call) (Report, error) {
	r, err := m.Start(ctx, c)
	if err != nil {
		return Report{}, err
	}
	return r.Wait()
}

// Running is a program that runs. The caller calls Wait.
type Running struct {
	call  Call
	ctx   context.Context
	cmd   *exec.Cmd
	lines io.Reader // nil if the output goes elsewhere
	said  bytes.Buffer
	began time.Time
}

// Start starts the program.
func (m Machine) Start(ctx context.Context, c Call) (*Running, error) {
	r := &Running{call: c, ctx: ctx, began: time.Now()}
	args := c.Args
	if c.Stdout == nil {
		args = append(args[:len(args):len(args)], "--json")
	}
	r.cmd = exec.CommandContext(ctx, m.Program, args...)
	r.cmd.Cancel = func() error { return r.cmd.Process.Signal(os.Interrupt) }
	r.cmd.WaitDelay = waitLimit
	r.cmd.Env = append(os.Environ(), "HOLDFAST_HOME="+m.Home(), "HOLDFAST_CACHE="+m.Cache())
	r.cmd.Stdin, r.cmd.Stdout, r.cmd.Stderr = c.Stdin, c.Stdout, &r.said
	if c.Stdout == nil {
		var err error
		if r.lines, err = r.cmd.StdoutPipe(); err != nil {
			return nil, fmt.Errorf("run holdfast %s: %w", c.Args[0], err)
		}
	}
	if err := r.cmd.Start(); err != nil {
		return nil, fmt.Errorf("run holdfast %s: %w", c.Args[0], err)
	}
	return r, nil
}

// Kill ends the program as kill -9 does. It may have ended already.
func (r *Running) Kill() error {
	if err := r.cmd.Process.Kill(); !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// Wait returns what the program has said when it has ended.
func (r *Running) Wait() (Report, error) {
	var out Report
	if r.lines != nil {
		out.read(r.lines, r.call.Status)
	}
	err := r.cmd.Wait()
	out.Code, out.Said, out.Took = r.cmd.ProcessState.ExitCode(), r.said.String(), time.Since(r.began)
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) || r.ctx.Err() != nil {
		return out, errors.Join(fmt.Errorf("holdfast %s: %v", r.call.Args[0], out), err, r.ctx.Err())
	}
	return out, nil
}

// read reads JSON lines to their end.
func (r *Report) read(from io.Reader, status func(Status)) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var kind struct {
			Type string `json:"message_type"`
		}
		if json.Unmarshal(lines.Bytes(), &kind) != nil {
			continue // cut short by a kill
		}
		switch kind.Type {
		case "status":
			var s Status
			if json.Unmarshal(lines.Bytes(), &s) == nil && status != nil {
				status(s)
			}
		case "snapshot":
			var s Listed
			if json.Unmarshal(lines.Bytes(), &s) == nil {
				r.Listed = append(r.Listed, s)
			}
		case "error":
			var w Wrong
			if json.Unmarshal(lines.Bytes(), &w) == nil && w.Segment != "" {
				r.Wrong = append(r.Wrong, w)
			}
		default:
			json.Unmarshal(lines.Bytes(), r) // fields of other kinds stay as they are
		}
	}
	io.Copy(io.Discard, from)
}
