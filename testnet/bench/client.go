package bench

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

// client is a merchant's machine: a home and a cache of its own for the program.
type client struct {
	program string
	dir     string
}

const (
	exitBelow   = 4 // saved below the target: docs/exit-codes.md
	endPatience = 10 * time.Second
)

func (c client) home() string  { return filepath.Join(c.dir, "home") }
func (c client) cache() string { return filepath.Join(c.dir, "cache") }

// summary holds the fields of the lines that the program's verbs end with.
type summary struct {
	CID           string `json:"cid"`
	ID            string `json:"snapshot_id"`
	Processed     int64  `json:"total_bytes_processed"`
	Added         int64  `json:"data_added"`
	Packed        int64  `json:"data_added_packed"`
	Segments      int64  `json:"segments"`
	BytesRestored int64  `json:"bytes_restored"`
}

// ran is what one command was: what it said, what it cost, and whether it ended
// below the target.
type ran struct {
	summary
	cost
	below bool
}

// cost is what one process took.
type cost struct {
	seconds float64
	cpu     float64
	memory  int64 // peak, bytes; 0 if not known
}

// run runs one command to its end. When the context ends it is interrupted, and
// killed if it does not heed that.
func (c client) run(ctx context.Context, args ...string) (ran, error) {
	cmd := exec.CommandContext(ctx, c.program, append(args, "--json", "--quiet")...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = endPatience
	cmd.Env = append(os.Environ(), "HOLDFAST_HOME="+c.home(), "HOLDFAST_CACHE="+c.cache())
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		return ran{}, fmt.Errorf("run %s: %w", args[0], err)
	}
	peak := watchPeak(cmd.Process.Pid)
	err := cmd.Wait()
	took := time.Since(begun)
	r := ran{summary: readSummary(&out), cost: cost{took.Seconds(), cpuOf(cmd.ProcessState), peak(cmd.ProcessState)}}
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == exitBelow {
		r.below, err = true, nil
	}
	if err != nil {
		return r, fmt.Errorf("run %s: %w: %s", args[0], errors.Join(err, ctx.Err()), strings.TrimSpace(said.String()))
	}
	return r, nil
}

func cpuOf(s *os.ProcessState) float64 { return (s.UserTime() + s.SystemTime()).Seconds() }

// readSummary adds the fields of all lines up.
func readSummary(r io.Reader) (sum summary) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		_ = json.Unmarshal(lines.Bytes(), &sum) // a line of another kind has none of the fields
	}
	return sum
}
