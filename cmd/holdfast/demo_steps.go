package main

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
	"sync/atomic"

	"holdfast/testnet"
	"holdfast/vault/guardian"
)

// The machines of the story: each is a home of its own for the same program.
const (
	oldMachine = "machine-1"
	newMachine = "machine-2"
)

func (s *story) start(ctx context.Context) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	s.network, err = testnet.Up(ctx, testnet.Config{
		Dir: filepath.Join(s.dir, "net"), Nodes: demoNodes, Network: "test-demo", Program: program, Attached: true,
	})
	if err != nil {
		return err
	}
	s.program = filepath.Join(s.dir, "net", "bin", "holdfast")
	s.note("%d processes, found through their own DHT from one address", demoNodes)
	return nil
}

func (s *story) kit() string { return filepath.Join(s.dir, "paper", "kit.txt") }

func (s *story) create(ctx context.Context) error {
	if err := os.Mkdir(filepath.Dir(s.kit()), 0o700); err != nil {
		return err
	}
	args := []string{"vault", "create", demoVault, "--bootstrap", s.network.BootstrapFile(), "--kit", s.kit(), "--threshold", "2", "--yes"}
	for _, name := range guardianNames() {
		args = append(args, "--guardian", guardian.PublicPath(s.guardianKey(name)))
	}
	sum, err := s.call(ctx, oldMachine, nil, args...)
	s.vaultID = sum.Vault
	return err
}

func (s *story) backUp(ctx context.Context) error {
	sum, err := s.call(ctx, oldMachine, s.bars("read", "place"), "backup", s.source)
	if err != nil && sum.ID == "" {
		return err
	}
	s.note("snapshot %.8s: %d files, %s; %s stored after compression", sum.ID, sum.Files, formatSize(sum.Bytes), formatSize(sum.Stored))
	s.note("each segment has %d shards on %d operators; any %d rebuild it", sum.Durability.N, sum.Durability.Operators, sum.Durability.K)
	return nil
}

// restoreUnderFire wipes two nodes once the restore has begun to write.
func (s *story) restoreUnderFire(ctx context.Context) error {
	var begun atomic.Bool
	wiped := make(chan error, 1)
	fire := make(chan struct{})
	go func() {
		select {
		case <-fire:
		case <-ctx.Done():
		}
		wiped <- s.wipe(ctx, "node-1", "node-2")
	}()
	light := func(st demoStatus) {
		if st.BytesDone > 0 && begun.CompareAndSwap(false, true) {
			close(fire)
		}
	}
	_, err := s.callWatched(ctx, oldMachine, light, "restore", "latest", "--target", filepath.Join(s.dir, "during"))
	if begun.CompareAndSwap(false, true) {
		close(fire) // the restore was quicker than its first status line
	}
	if err := errors.Join(err, <-wiped); err != nil {
		return err
	}
	c, err := s.compare(ctx, "during")
	if err != nil {
		return err
	}
	s.note("node-1 and node-2 have lost everything; the restore did not notice: %d files, %s identical", c.Files, formatSize(c.Bytes))
	return removeAll(filepath.Join(s.dir, "during"))
}

func (s *story) wipe(ctx context.Context, names ...string) error {
	for _, name := range names {
		if _, err := s.network.Break(ctx, testnet.Wipe, name); err != nil {
			return err
		}
	}
	return nil
}

func (s *story) killTwo(ctx context.Context) error {
	for _, op := range []string{"operator=op-3", "operator=op-4"} {
		if _, err := s.network.Break(ctx, testnet.Kill, op); err != nil {
			return err
		}
	}
	s.note("4 of 8 operators have nothing left or answer no more")
	return nil
}

func (s *story) loseMachine(context.Context) error {
	s.note("keys, profile, cache and the 24 words are gone; what is left is three people")
	return errors.Join(removeAll(filepath.Join(s.dir, oldMachine)), removeAll(filepath.Dir(s.kit())))
}

func (s *story) restoreAll(ctx context.Context) error {
	sum, err := s.call(ctx, newMachine, s.bars("fetch"), "restore", "latest", "--target", filepath.Join(s.dir, "restored"))
	if err != nil {
		return err
	}
	s.note("%d files, %s", sum.Restored, formatSize(sum.BytesRestored))
	return nil
}

func (s *story) compareAll(ctx context.Context) error {
	c, err := s.compare(ctx, "restored")
	if err != nil {
		return err
	}
	s.note("%d files, %s: all identical, with modes, times and links", c.Files, formatSize(c.Bytes))
	return nil
}

// compare holds the source against what was restored under its full path.
func (s *story) compare(ctx context.Context, restored string) (testnet.Compared, error) {
	return testnet.Compare(ctx, s.source, filepath.Join(s.dir, restored, s.source))
}

// demoStatus and demoSummary are the fields of the program's own JSON lines that the
// story needs.
type demoStatus struct {
	BytesDone   int64 `json:"bytes_done"`
	TotalBytes  int64 `json:"total_bytes"`
	BytesPlaced int64 `json:"bytes_placed"`
}

type demoSummary struct {
	ID            string `json:"snapshot_id"`
	Files         int64  `json:"total_files_processed"`
	Bytes         int64  `json:"total_bytes_processed"`
	Stored        int64  `json:"data_added_packed"`
	Restored      int64  `json:"files_restored"`
	BytesRestored int64  `json:"bytes_restored"`
	Vault         string `json:"vault"`
	Freshness     string `json:"freshness"`
	Answers       int    `json:"answers"`
	Members       int    `json:"members"`
	Durability    struct {
		K         int `json:"k"`
		N         int `json:"n"`
		Operators int `json:"operators"`
	} `json:"durability"`
}

// gauge carries a child's progress to the bars.
type gauge struct {
	names             []string
	done, total, more atomic.Int64
}

func (s *story) bars(names ...string) *gauge { return &gauge{names: names} }

func (g *gauge) stages() []stage {
	out := []stage{{g.names[0], g.done.Load, g.total.Load}}
	if len(g.names) > 1 {
		out = append(out, stage{g.names[1], g.more.Load, func() int64 { return 0 }})
	}
	return out
}

// call runs the program as another machine would, and shows its progress on g's bars.
func (s *story) call(ctx context.Context, machine string, g *gauge, args ...string) (demoSummary, error) {
	if g == nil {
		return s.callWatched(ctx, machine, nil, args...)
	}
	if s.json {
		return s.callWatched(ctx, machine, nil, args...)
	}
	bars := s.watch(ctx, g.stages(), nil)
	defer bars.close()
	return s.callWatched(ctx, machine, func(st demoStatus) {
		g.done.Store(st.BytesDone)
		g.total.Store(st.TotalBytes)
		g.more.Store(st.BytesPlaced)
	}, args...)
}

// command is the program on a machine, ready to start.
func (s *story) command(ctx context.Context, machine string, args ...string) *exec.Cmd {
	home := filepath.Join(s.dir, machine)
	cmd := exec.CommandContext(ctx, s.program, append(args, "--json")...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = cleanUpLimit
	cmd.Env = append(os.Environ(), "HOLDFAST_HOME="+filepath.Join(home, "home"), "HOLDFAST_CACHE="+filepath.Join(home, "cache"))
	return cmd
}

func (s *story) callWatched(ctx context.Context, machine string, watch func(demoStatus), args ...string) (demoSummary, error) {
	cmd := s.command(ctx, machine, args...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		return demoSummary{}, err
	}
	if err := cmd.Start(); err != nil {
		return demoSummary{}, err
	}
	sum := readLines(out, watch)
	if err := cmd.Wait(); err != nil {
		return sum, fmt.Errorf("holdfast %s: %w: %s", args[0], err, oneLine(said.String()))
	}
	return sum, nil
}

// readLines reads JSON lines to their end: status lines go to watch, the others'
// fields add up to the summary.
func readLines(r io.Reader, watch func(demoStatus)) (sum demoSummary) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var kind struct {
			Type string `json:"message_type"`
		}
		if json.Unmarshal(lines.Bytes(), &kind) != nil {
			continue
		}
		if kind.Type != "status" {
			json.Unmarshal(lines.Bytes(), &sum)
			continue
		}
		var st demoStatus
		if json.Unmarshal(lines.Bytes(), &st) == nil && watch != nil {
			watch(st)
		}
	}
	return sum
}
