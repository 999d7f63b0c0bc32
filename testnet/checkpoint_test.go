package testnet

import (
	"bufio"
	"context"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"holdfast/ledger"
	"holdfast/vault"
	"holdfast/vault/snapshot"
)

// clientEnv names the folder of a merchant, as which this program, started again by
// a test, backs up until it is killed.
const clientEnv = "HOLDFAST_TESTNET_CLIENT"

func clientHome(dir string) vault.Home {
	return vault.Home{Dir: filepath.Join(dir, "home"), Cache: filepath.Join(dir, "cache")}
}

// beClient backs up with small checkpoints, names each of them on standard output,
// and reads only so much more before the next one.
func beClient(dir string) {
	made := make(chan struct{}, 1000)
	files := 0
	_, err := backUp(context.Background(), dir, vault.Backup{
		CheckpointBytes: 1 << 20,
		Checkpoint: func(s vault.Snapshot) {
			fmt.Println("checkpoint", s.ID(), s.Info.Stats.Added)
			made <- struct{}{}
		},
		Archive: snapshot.ArchiveOptions{Progress: func(e snapshot.Event) {
			if e.Type == snapshot.File && e.Action == snapshot.Done {
				if files++; files%8 == 0 {
					<-made
				}
			}
		}},
	})
	fmt.Println("ended", err)
}

func backUp(ctx context.Context, dir string, b vault.Backup) (vault.Result, error) {
	s, err := clientHome(dir).Open(ctx, "shop", vault.Options{})
	if err != nil {
		return vault.Result{}, err
	}
	defer s.Close()
	if _, err := s.Begin(ctx); err != nil {
		return vault.Result{}, err
	}
	b.Paths, b.Program = []string{filepath.Join(dir, "tree")}, "test"
	return s.Backup(ctx, b)
}

// A client is killed with -9 in the middle of a backup. What its checkpoints hold can
// be restored, nothing else is to be seen, and the rerun neither reads nor stores it
// again.
func TestKilledClient(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	ctx, dir := t.Context(), t.TempDir()
	n, err := Up(ctx, Config{Dir: filepath.Join(dir, "net"), Nodes: 4, Capacity: 1 << 30, Program: program})
	down(t, n, err)
	_, _, err = clientHome(dir).Create(ctx, vault.Create{
		Name: "shop", Bootstrap: n.Bootstrap(), Rights: ledger.Full, Device: "machine", KeepKit: func(vault.Kit) error { return nil },
	})
	must(t, err)
	const files, size = 64, 300_000
	for i := range files {
		writeNoise(t, filepath.Join(dir, "tree", fmt.Sprintf("d%d", i/16), fmt.Sprintf("f%02d", i)), uint64(i), size)
	}
	const whole = files * size

	told, kept := killAfter(t, dir, 3)
	all := snapshotsOf(t, dir)
	if len(all) < told || len(all) > told+1 {
		t.Errorf("%d snapshots, %d checkpoints were told of", len(all), told)
	}
	for _, s := range all {
		if !s.Info.Partial {
			t.Errorf("%.8s is complete", s.ID())
		}
	}
	last := all[len(all)-1]
	holds := restore(t, dir, last.ID(), t.TempDir()).Files // its figures may be a file ahead of its tree
	used := usedBytes(t, n)
	var from vault.Snapshot
	count := &snapshot.Counters{}
	begun := time.Now()
	r, err := backUp(ctx, dir, vault.Backup{Continues: func(s vault.Snapshot) { from = s }, Archive: snapshot.ArchiveOptions{Counters: count}})
	must(t, err)
	t.Logf("killed after %d checkpoints with %d of %d bytes; the rerun added %d in %v, skipped %d files; nodes hold %d, then %d",
		told, kept, whole, r.Snapshot.Stats.Added, time.Since(begun).Round(time.Millisecond), count.Skipped.Load(), used, usedBytes(t, n))
	if from.ID() != last.ID() || count.Skipped.Load() == 0 || count.Skipped.Load() < holds {
		t.Errorf("goes on from %.8s, not %.8s; skipped %d files of %d", from.ID(), last.ID(), count.Skipped.Load(), holds)
	}
	const trees = 100_000
	if rest := whole - kept; r.Snapshot.Stats.Added > rest+trees {
		t.Errorf("%d bytes were added, %d were missing", r.Snapshot.Stats.Added, rest)
	}
	if more := usedBytes(t, n) - used; more > 2*(whole-kept)+8<<20 {
		t.Errorf("the nodes hold %d bytes more for %d bytes", more, whole-kept)
	}
	restoreAll(t, dir, r.ID())
}

// killAfter starts a client and kills it when it has told of so many checkpoints. It
// returns how many it has told of before it died, and how much the last one holds.
func killAfter(t *testing.T, dir string, checkpoints int) (told int, kept int64) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), clientEnv+"="+dir)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var id string
		if _, err := fmt.Sscanf(lines.Text(), "checkpoint %s %d", &id, &kept); err != nil {
			t.Errorf("the client says %q", lines.Text())
			break
		}
		if told++; told == checkpoints {
			must(t, cmd.Process.Kill())
		}
	}
	cmd.Process.Kill()
	if err := cmd.Wait(); err == nil {
		t.Error("the client came to its end")
	}
	return told, kept
}

func snapshotsOf(t *testing.T, dir string) []vault.Snapshot {
	t.Helper()
	s, err := clientHome(dir).Open(t.Context(), "shop", vault.Options{})
	must(t, err)
	defer s.Close()
	_, err = s.Sync(t.Context())
	must(t, err)
	all, err := s.Snapshots(t.Context(), vault.Filter{})
	must(t, err)
	return all
}

// restoreAll holds a snapshot of the whole tree against it.
func restoreAll(t *testing.T, dir, ref string) {
	t.Helper()
	target := t.TempDir()
	restore(t, dir, ref, target)
	_, err := Compare(t.Context(), filepath.Join(dir, "tree"), target)
	must(t, err)
}

// restore brings back what a snapshot holds of the tree.
func restore(t *testing.T, dir, ref, target string) snapshot.Summary {
	t.Helper()
	s, err := clientHome(dir).Open(t.Context(), "shop", vault.Options{})
	must(t, err)
	defer s.Close()
	_, err = s.Sync(t.Context())
	must(t, err)
	snap, err := s.Resolve(t.Context(), ref, vault.Filter{})
	must(t, err)
	v, err := s.Read(t.Context(), snap, nil)
	must(t, err)
	defer v.Close()
	r := snapshot.Restorer{Source: v, Options: snapshot.RestoreOptions{Target: target}}
	sum, err := r.Restore(t.Context(), snap.Info.Root, filepath.Join(dir, "tree"))
	if err != nil || sum.Failed > 0 {
		t.Fatalf("restore: %v, %v", err, sum.Failures)
	}
	return sum
}

func usedBytes(t *testing.T, n *Network) (sum int64) {
	t.Helper()
	for _, s := range n.Status(t.Context()) {
		if s.Status == nil {
			t.Fatalf("%s says nothing", s.Name)
		}
		sum += s.Status.Used
	}
	return sum
}

func writeNoise(t *testing.T, path string, seed uint64, size int) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	p := make([]byte, size)
	mathrand.NewChaCha8([32]byte{byte(seed), 7}).Read(p)
	must(t, os.WriteFile(path, p, 0o640))
}
