package pool

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"holdfast/store"
	"holdfast/store/disk"
	"holdfast/store/storetest"
)

// childEnv names what the test binary does instead of testing, when a test has started
// it again. childDir is where its volumes are.
const (
	childEnv = "HOLDFAST_POOL_TEST_CHILD"
	childDir = "HOLDFAST_POOL_TEST_DIR"
)

var children = map[string]func(){"drainer": drainerChild}

const (
	childSegments = 24
	childTrashed  = 6 // the last of them are in the trash
)

func childSegment(seed int) (storetest.Segment, error) {
	sizes := []int{100, 50_000, 300_000, 1_200_000}
	return storetest.MakeSegment(code, sizes[seed%4], uint64(seed))
}

// drainerChild drains one volume, and then the other, until it is killed. It says after
// each call that it lives.
func drainerChild() {
	ctx := context.Background()
	p := New()
	for i := range 2 {
		c := volumeConfig(os.Getenv(childDir), i, roomy)
		c.FlushEvery = time.Millisecond
		d, err := disk.Open(ctx, c)
		if err != nil {
			fmt.Println("error", err)
			return
		}
		if err := p.Add(Volume{Name: name(i)}); err == nil {
			err = p.Attach(name(i), d)
		}
		if err != nil {
			fmt.Println("error", err)
			return
		}
	}
	for i := 0; ; i = 1 - i {
		_ = p.SetDraining(name(i), true)
		_ = p.SetDraining(name(1-i), false)
		for left := true; left; {
			var err error
			if left, err = p.Drain(ctx, name(i), atMost(3)); err != nil {
				fmt.Println("error", err)
				return
			}
			fmt.Println("drained")
		}
	}
}

// Law: a process that is killed at any moment of a drain loses no shard, and the next one
// goes on.
func TestKilledDrains(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	var segments []storetest.Segment
	configs := []disk.Config{newVolume(t, dir, 0, roomy), newVolume(t, dir, 1, roomy)}
	first, err := disk.Open(t.Context(), configs[0])
	must(t, err)
	for i := range childSegments {
		s, err := childSegment(i)
		must(t, err)
		segments = append(segments, s)
		must(t, s.Put(t.Context(), first, vault, i%4))
		if i >= childSegments-childTrashed {
			must(t, first.Discard(t.Context(), s.Key(vault, i%4), reason))
		}
	}
	must(t, first.Close())
	for range 8 {
		killDrainer(t, dir, 1+random.IntN(12))
		var shelves []Shelf
		var disks []*disk.Disk
		for _, c := range configs {
			d, err := disk.Open(t.Context(), c)
			must(t, err)
			disks, shelves = append(disks, d), append(shelves, d)
		}
		wantAll(t, pooled(t, shelves...), segments)
		for _, d := range disks {
			if d.Stale() {
				t.Error("the index of a volume is stale")
			}
			must(t, d.Close())
		}
	}
}

// wantAll checks that every shard is whole, on a shelf or in the trash, and that nothing
// is left in two places once somebody has tidied up.
func wantAll(t *testing.T, p *Pool, segments []storetest.Segment) {
	t.Helper()
	if _, err := p.Tidy(t.Context()); err != nil {
		t.Error(err)
	}
	trashed := int64(0)
	for i, s := range segments {
		if _, err := p.Discarded(t.Context(), s.Key(vault, i%4)); err == nil {
			trashed++
			continue
		}
		wantRead(t, p, s, i%4)
		if i < childSegments-childTrashed {
			continue
		}
		// A move from trash to trash was cut short: its release discards it again.
		must(t, p.Discard(t.Context(), s.Key(vault, i%4), reason))
		trashed++
	}
	u, err := p.Usage(t.Context())
	if err != nil || trashed != childTrashed || u.Shards != childSegments-childTrashed {
		t.Errorf("%d in the trash; usage %+v, %v", trashed, u, err)
	}
	for _, v := range []string{name(0), name(1)} {
		at, err := p.place(v)
		must(t, err)
		books(t, at.shelf)
	}
}

// books compares what a volume says of itself with what it lists.
func books(t *testing.T, s store.Shelf) {
	t.Helper()
	u, err := s.Usage(t.Context())
	must(t, err)
	var n int64
	for _, err := range s.List(t.Context(), storetest.Vault("a")) {
		must(t, err)
		n++
	}
	if n != u.Shards {
		t.Errorf("%d listed, %d counted", n, u.Shards)
	}
}

// killDrainer starts a drainer and kills it after it has said something n times.
func killDrainer(t *testing.T, dir string, n int) {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childEnv+"=drainer", childDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	lines := bufio.NewScanner(out)
	for range n {
		if !lines.Scan() || lines.Text() != "drained" {
			t.Fatalf("the drainer says %q: %v", lines.Text(), lines.Err())
		}
	}
	must(t, cmd.Process.Kill())
	for lines.Scan() {
	}
	_ = cmd.Wait() // "signal: killed"
}
