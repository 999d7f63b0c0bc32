package disk

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/store"
	"holdfast/store/storetest"
)

// childEnv names what the test binary does instead of testing, when a test has
// started it again. childDir is the volume to do it on.
const (
	childEnv = "HOLDFAST_DISK_TEST_CHILD"
	childDir = "HOLDFAST_DISK_TEST_DIR"
)

var children = map[string]func(){"writer": writerChild, "mounts": mountsChild}

// childSizes are sizes of segments: small, several groups, more than one buffer.
func childSegment(seed uint64) (storetest.Segment, error) {
	sizes := []int{100, 50_000, 300_000, 1_200_000}
	return storetest.MakeSegment(code, sizes[seed%4], seed)
}

// writerChild puts, discards, recalls and removes shards until it is killed. It tells what it is going
// to do and, when it has been promised, that it is done.
func writerChild() {
	d, err := Open(context.Background(), Config{
		Dir: os.Getenv(childDir), Capacity: 1 << 30, Volume: testID, FlushEvery: time.Millisecond,
	})
	if err != nil {
		fmt.Println("error", err)
		return
	}
	var out sync.Mutex
	say := func(what string, seed uint64, index int, err error) {
		out.Lock()
		defer out.Unlock()
		if err != nil {
			what = "error " + err.Error()
		}
		fmt.Println(what, seed, index)
	}
	for w := range 4 {
		go func() {
			random := rand.New(rand.NewPCG(rand.Uint64(), uint64(w)))
			for {
				seed := random.Uint64N(16)
				s, err := childSegment(seed)
				if err != nil {
					say("error", seed, w, err)
				}
				say("try", seed, w, nil)
				key, ctx := s.Key(v, w), context.Background()
				if d.isDiscarded(key) && random.IntN(2) == 0 {
					what, err := leaveTheTrash(ctx, d, key, random)
					say(map[promise]string{gone: "remove", present: "put"}[what], seed, w, err)
				} else if random.IntN(3) > 0 {
					say("put", seed, w, s.Put(ctx, d, v, w))
				} else if _, err := d.Stat(ctx, key); err == nil && random.IntN(2) == 0 {
					say("discard", seed, w, d.Discard(ctx, key, store.Reason{Release: storetest.Release("r"), Time: 1}))
				} else if err := d.Remove(ctx, key); !errors.Is(err, store.ErrNotFound) {
					say("remove", seed, w, err)
				} else if !d.isDiscarded(key) {
					say("remove", seed, w, nil)
				}
			}
		}()
	}
	select {}
}

// startChild starts the test binary again.
func startChild(t *testing.T, name, dir string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childEnv+"="+name, childDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewScanner(out)
}

// listen takes down a line of the writer.
func listen(t *testing.T, line string, promises map[store.Key]promise, segments []storetest.Segment) {
	t.Helper()
	var what string
	var seed uint64
	var index int
	if _, err := fmt.Sscan(line, &what, &seed, &index); err != nil || strings.HasPrefix(what, "error") {
		t.Fatalf("the writer says %q", line)
	}
	promises[segments[seed].Key(v, index)] = map[string]promise{"try": nothing, "put": present, "remove": gone, "discard": binned}[what]
}

// Law: a process that is killed at any moment keeps its promises, and the next one
// to open the volume finds the books right and nothing left over.
func TestKilledWriters(t *testing.T) {
	segments := make([]storetest.Segment, 16)
	for i := range segments {
		s, err := childSegment(uint64(i))
		if err != nil {
			t.Fatal(err)
		}
		segments[i] = s
	}
	config := newVolume(t, 1<<30)
	promises := make(map[store.Key]promise)
	for round := range 6 {
		cmd, lines := startChild(t, "writer", config.Dir)
		for range 1 + rand.IntN(120) {
			if !lines.Scan() {
				t.Fatalf("the writer has ended: %v", lines.Err())
			}
			listen(t, lines.Text(), promises, segments)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		// What it had said before it died counts as well.
		for lines.Scan() {
			listen(t, lines.Text(), promises, segments)
		}
		_ = cmd.Wait() // "signal: killed"
		d := mustOpen(t, config)
		if n := names(t, d.at.tmp()); len(n) != 0 || d.Stale() {
			t.Errorf("round %d: left in tmp: %v, stale: %v", round, n, d.Stale())
		}
		wantBooks(t, d)
		keep(t, d, segments, promises)
		wantBooks(t, d)
		mustClose(t, d)
	}
	if len(promises) < 20 {
		t.Errorf("only %d shards were concerned", len(promises))
	}
}

// run starts a child and returns what it says.
func runChild(t *testing.T, name, dir string, prepare func(*exec.Cmd)) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childEnv+"="+name, childDir+"="+dir)
	prepare(cmd)
	r, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		return "cannot start: " + err.Error()
	}
	go func() { w.CloseWithError(cmd.Wait()) }()
	said, _ := io.ReadAll(r)
	return string(said)
}
