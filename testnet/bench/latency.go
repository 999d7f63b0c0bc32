package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"holdfast/seal"
	"holdfast/vault"
	"holdfast/vault/snapshot"
)

const (
	smallSize   = 1 << 10
	commitTimes = 10
	rangeTimes  = 50
	rangeSize   = 64 << 10 // what is asked for at each place
)

// session opens the client's vault in this process, to time what a command does
// after it has connected.
func (r *round) session(ctx context.Context) (*vault.Session, error) {
	return vault.Home{Dir: r.client.home(), Cache: r.client.cache()}.Open(ctx, vaultName, vault.Options{})
}

// commits backs up one small file, each time with other bytes: as a command, and
// in a session that has connected.
func (r *round) commits(ctx context.Context) error {
	path := filepath.Join(r.dir, "small")
	random := source(r.Seed, "small")
	next := func() error {
		p := make([]byte, smallSize)
		_, _ = random.Read(p) // never fails
		return os.WriteFile(path, p, 0o600)
	}
	if err := r.commitCommands(ctx, path, next); err != nil {
		return err
	}
	return r.commitConnected(ctx, path, next)
}

func ofSmall(op string) sample {
	return sample{part: Commit, source: SourceSmall, op: op, bytes: smallSize, files: 1}
}

func (r *round) commitCommands(ctx context.Context, path string, next func() error) error {
	all := ofSmall("commit, whole command")
	for range commitTimes {
		if err := next(); err != nil {
			return err
		}
		s, _, err := r.command(ctx, ofSmall("commit"), "backup", path)
		if err != nil {
			return err
		}
		all.times = append(all.times, s.client.seconds)
		all.client.memory, all.nodesPeak = max(all.client.memory, s.client.memory), max(all.nodesPeak, s.nodesPeak)
		all.client.seconds += s.client.seconds
		all.segments, all.below = max(all.segments, s.segments), all.below || s.below
	}
	r.note(all)
	return nil
}

func (r *round) commitConnected(ctx context.Context, path string, next func() error) error {
	s, err := r.session(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	if _, err := s.Begin(ctx); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	settle()
	r.nodes.begin()
	all := ofSmall("commit, connected")
	for range commitTimes {
		if err := next(); err != nil {
			return err
		}
		begun := time.Now()
		result, err := s.Backup(ctx, vault.Backup{Paths: []string{path}, Program: "holdfast bench"})
		if err != nil {
			return fmt.Errorf("%s %s: %w", all.source, all.op, err)
		}
		took := time.Since(begun).Seconds()
		all.times, all.client.seconds = append(all.times, took), all.client.seconds+took
		all.segments, all.below = max(all.segments, int64(result.Segments)), all.below || !result.Complete()
	}
	all.nodesPeak = r.nodes.peak()
	r.note(all)
	return nil
}

// ranges times the first byte of random ranges of the large file: with nothing known
// of the segment, and in a view that stays open.
func (r *round) ranges(ctx context.Context) error {
	s, err := r.session(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	if _, err := s.Sync(ctx); err != nil {
		return err
	}
	snap, err := s.FindObject(ctx, r.stored.object)
	if err != nil {
		return err
	}
	o, err := os.Open(r.file.path)
	if err != nil {
		return err
	}
	defer o.Close()
	v := &viewer{session: s, snap: snap, original: o, size: r.file.size, random: rand.New(source(r.Seed, "ranges"))}
	for _, cold := range []bool{true, false} {
		settle()
		r.nodes.begin()
		all := sample{part: Range, source: SourceFile, op: "first byte, " + either(cold, "new view", "open view"), bytes: r.file.size, files: 1}
		if all.times, err = v.times(ctx, cold); err != nil {
			return fmt.Errorf("%s %s: %w", all.source, all.op, err)
		}
		for _, t := range all.times {
			all.client.seconds += t
		}
		all.nodesPeak = r.nodes.peak()
		r.note(all)
	}
	return nil
}

// viewer reads ranges of an object and compares them with the original.
type viewer struct {
	session  *vault.Session
	snap     vault.Snapshot
	original *os.File
	size     int64
	random   *rand.Rand
}

// times reads at random places: each in a view of its own, or all in one.
func (v *viewer) times(ctx context.Context, cold bool) ([]float64, error) {
	var times []float64
	var open *opened
	for range rangeTimes {
		if open == nil || cold {
			if open != nil {
				open.Close()
			}
			var err error
			if open, err = v.open(ctx); err != nil {
				return nil, err
			}
		}
		n := min(rangeSize, v.size)
		took, err := v.first(ctx, open, v.random.Int64N(v.size-n+1), n)
		if err != nil {
			open.Close()
			return nil, err
		}
		times = append(times, took.Seconds())
	}
	open.Close()
	return times, nil
}

// opened is a view with the object's content rows.
type opened struct {
	*vault.View
	rows []byte
}

func (v *viewer) open(ctx context.Context) (*opened, error) {
	view, err := v.session.Read(ctx, v.snap, nil)
	if err != nil {
		return nil, err
	}
	o := &opened{View: view}
	var root seal.ChunkID = v.snap.Info.Root
	n, err := snapshot.Find(ctx, view, root, string(v.snap.Info.Paths[0]))
	if err == nil {
		err = snapshot.Rows(ctx, view, n, func(rows []byte) error {
			o.rows = append(o.rows, rows...)
			return nil
		})
	}
	if err != nil {
		view.Close()
		return nil, err
	}
	return o, nil
}

// first reads a range to its end, compares it, and returns how long its first byte
// took.
func (v *viewer) first(ctx context.Context, o *opened, off, n int64) (took time.Duration, err error) {
	want, got := make([]byte, n), make([]byte, 0, n)
	if _, err := v.original.ReadAt(want, off); err != nil {
		return 0, err
	}
	begun := time.Now()
	err = o.Range(ctx, o.rows, off, n, func(plain []byte) error {
		if took == 0 {
			took = time.Since(begun)
		}
		got = append(got, plain...)
		return nil
	})
	if err == nil && string(got) != string(want) {
		err = fmt.Errorf("%w: %d bytes at %d", ErrDiffers, n, off)
	}
	return took, err
}
