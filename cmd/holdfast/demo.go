package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"holdfast/testnet"
)

const (
	demoNodes = 8
	demoVault = "shop"

	cleanUpLimit = 30 * time.Second
)

func demoCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "demo [PATH]", Short: "the whole story on this machine in under a minute", GroupID: groupTry, Args: between(0, 1),
		Long: "Starts 8 nodes of 8 operators as real processes, backs up PATH (the Go toolchain's source if\n" +
			"none is given), lets an administrator with the owner's words try to delete it all, wipes two\n" +
			"nodes while a restore runs, kills two more operators, throws the merchant's machine and the\n" +
			"paper away, recovers with two of three guardians on an empty machine, compares every file.\n" +
			"It needs nothing but this machine, and leaves nothing running and nothing behind.",
		Example: "  holdfast demo\n  holdfast demo ~/Documents",
		RunE: func(c *cobra.Command, args []string) error {
			source, err := demoSource(args)
			if err != nil {
				return err
			}
			signal.Ignore(syscall.SIGPIPE) // whoever reads along may go; the demo cleans up
			ctx, stop := untilOrphaned(c.Context())
			defer stop()
			return a.demo(ctx, source)
		},
	}
}

// demoSource is the tree that is backed up.
func demoSource(args []string) (string, error) {
	if len(args) == 1 {
		path, err := filepath.Abs(args[0])
		if err != nil {
			return "", err
		}
		if _, err := os.Lstat(path); err != nil {
			return "", withHint(err, exitUsage, "name a file or folder that is there")
		}
		return path, nil
	}
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", usagef("no Go toolchain here to back up; name a PATH")
	}
	return filepath.EvalSymlinks(filepath.Join(strings.TrimSpace(string(out)), "src"))
}

// untilOrphaned ends the context when this program's parent is gone: `go run` does
// not pass signals on, and the demo must not outlive it.
func untilOrphaned(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	if runtime.GOOS == "windows" {
		return ctx, cancel
	}
	parent := os.Getppid()
	go func() {
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if os.Getppid() != parent {
					cancel()
					return
				}
			}
		}
	}()
	return ctx, cancel
}

// story is one run of the demo.
type story struct {
	*app
	dir     string
	source  string
	network *testnet.Network
	vaultID string
	program string
	step    int
	began   time.Time
	timings []timing
}

type timing struct {
	what string
	took time.Duration
}

func (a *app) demo(ctx context.Context, source string) (err error) {
	dir, err := os.MkdirTemp("", "holdfast-demo-")
	if err != nil {
		return fmt.Errorf("make demo folder: %w", err)
	}
	s := &story{app: a, dir: dir, source: source, began: time.Now()}
	defer func() { err = errors.Join(err, s.cleanUp()) }()
	for _, part := range []struct {
		title string
		do    func(context.Context) error
	}{
		{"start 8 nodes of 8 operators, each a process with its own disk folder", s.start},
		{"three people make guardians' keys, each on a machine of their own", s.makeGuardians},
		{"make a vault; the recovery kit goes on paper, a share of it to each guardian", s.create},
		{"back up " + source, s.backUp},
		{"an administrator with the owner's words tries to delete everything", s.rogue},
		{"wipe the disks of 2 nodes while a restore runs", s.restoreUnderFire},
		{"kill 2 more operators: half of all disks are gone", s.killTwo},
		{"throw the merchant's machine away, and burn the paper", s.loseMachine},
		{"recover with two of the three guardians on an empty machine", s.recoverWithGuardians},
		{"restore everything on that machine", s.restoreAll},
		{"compare every file", s.compareAll},
	} {
		if err := s.run(ctx, part.title, part.do); err != nil {
			return err
		}
	}
	s.finish()
	return nil
}

func (s *story) run(ctx context.Context, title string, do func(context.Context) error) error {
	s.step++
	if s.json {
		s.emit(map[string]any{"message_type": "demo_step", "step": s.step, "title": title})
	} else {
		s.printf("%d. %s\n", s.step, title)
	}
	start := time.Now()
	if err := do(ctx); err != nil {
		if ctx.Err() != nil {
			return interrupted{ctx.Err()}
		}
		return fmt.Errorf("%s: %w", title, err)
	}
	took := time.Since(start)
	s.timings = append(s.timings, timing{title, took})
	s.note("took %s", formatSpan(took))
	return nil
}

// note prints what a step found.
func (s *story) note(format string, args ...any) {
	if s.json {
		s.emit(map[string]any{"message_type": "demo_note", "step": s.step, "text": fmt.Sprintf(format, args...)})
		return
	}
	s.printf("   "+format+"\n", args...)
}

func (s *story) finish() {
	total := time.Since(s.began)
	if s.json {
		s.emit(map[string]any{"message_type": "summary", "seconds_elapsed": total.Seconds(), "steps": s.step, "identical": true})
		return
	}
	s.printf("\nhalf of the operators, the merchant's machine and the paper were lost, and one administrator was against it; every byte is back (%s)\n", formatSpan(total))
}

// cleanUp ends the nodes and removes the folder, also after an interruption.
func (s *story) cleanUp() error {
	ctx, cancel := context.WithTimeout(context.Background(), cleanUpLimit)
	defer cancel()
	var err error
	if s.network != nil {
		err = s.network.Down(ctx)
	}
	return errors.Join(err, removeAll(s.dir))
}

// removeAll removes a tree even where restored folders are read-only.
func removeAll(dir string) error {
	if err := os.RemoveAll(dir); err == nil {
		return nil
	}
	filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			os.Chmod(path, 0o700)
		}
		return nil
	})
	return os.RemoveAll(dir)
}
