package bench

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"holdfast/internal/ident"
)

// TestNoticesDifferences: what was stored is not what the benchmark believes to have
// stored, and each way of reading says so.
func TestNoticesDifferences(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	ctx, c := t.Context(), tiny(t)
	b := &bench{Config: c, choice: choose(Parts()), machine: thisMachine()}
	b.Nodes, b.Size, b.Files = 2, 1<<20, 5
	b.code.K, b.code.N = 1, 2
	must(t, b.sources(ctx))
	must(t, b.withNetwork(ctx, filepath.Join(b.Dir, "run"), func(r *round) error {
		must(t, r.put(ctx))
		must(t, r.get(ctx))
		must(t, r.trees(ctx))
		must(t, os.WriteFile(r.tree.paths[2], []byte("something else"), 0o644))
		if err := r.restoreTree(ctx, Tree, opRestore); !errors.Is(err, ErrDiffers) {
			t.Error("tree:", err)
		}
		changed, err := r.file.overwrite(7)
		must(t, err)
		if err := r.ranges(ctx); !errors.Is(err, ErrDiffers) {
			t.Error("ranges:", err)
		}
		if err := r.put(ctx); !errors.Is(err, ErrDiffers) {
			t.Error("put:", err)
		}
		r.file = changed
		return nil
	}))
}

func TestRandomFile(t *testing.T) {
	dir := t.TempDir()
	const size = 3<<20 + 17
	a, err := writeRandom(filepath.Join(dir, "a"), size, 1)
	must(t, err)
	b, err := writeRandom(filepath.Join(dir, "b"), size, 1)
	must(t, err)
	other, err := writeRandom(filepath.Join(dir, "c"), size, 2)
	must(t, err)
	p, err := os.ReadFile(a.path)
	must(t, err)
	if len(p) != size || a.cid != b.cid || a.cid == other.cid || a.cid != ident.SumRaw(p) {
		t.Error("not the same bytes for the same seed, or not those of its CID")
	}
	if got, err := hashFile(b.path); err != nil || got != b.cid {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := writeRandom(a.path, size, 1); err == nil {
		t.Error("a file that is there was overwritten")
	}
}

func TestOverwrite(t *testing.T) {
	for _, size := range []int64{1 << 20, 300 << 20 / 100 * 3} {
		f, err := writeRandom(filepath.Join(t.TempDir(), "f"), size, 1)
		must(t, err)
		before, err := os.ReadFile(f.path)
		must(t, err)
		g, err := f.overwrite(3)
		must(t, err)
		after, err := os.ReadFile(f.path)
		must(t, err)
		differ := 0
		for i := range after {
			if before[i] != after[i] {
				differ++
			}
		}
		// One byte in 256 stays what it was; pieces may lie on each other.
		if share := float64(differ) / float64(size); len(after) != len(before) || share < 0.005 || share > 0.02 {
			t.Errorf("%d bytes: %.4f of them changed", size, share)
		}
		if g.cid == f.cid || g.cid != ident.SumRaw(after) {
			t.Error("not the CID of what is there")
		}
	}
}

func TestTree(t *testing.T) {
	a, err := writeTree(t.Context(), filepath.Join(t.TempDir(), "a"), 400, 1)
	must(t, err)
	b, err := writeTree(t.Context(), filepath.Join(t.TempDir(), "b"), 400, 1)
	must(t, err)
	var sum int64
	seen := map[ident.CID]bool{}
	for i := range a.paths {
		p, err := os.ReadFile(a.paths[i])
		must(t, err)
		q, err := os.ReadFile(b.paths[i])
		must(t, err)
		if !bytes.Equal(p, q) {
			t.Fatal("another tree for the same seed")
		}
		sum += int64(len(p))
		seen[ident.SumRaw(p)] = true
	}
	if sum != a.bytes || a.cut < 0 || a.cut > sum {
		t.Errorf("%d bytes, %d of them in large files; the tree says %d", sum, a.cut, a.bytes)
	}
	if copies := 1 - float64(len(seen))/400; copies < 0.18 || copies > 0.32 {
		t.Errorf("%.2f of the files are copies", copies)
	}
}

// TestFileSizes holds sizes to those of a source tree: 57 KB on average.
func TestFileSizes(t *testing.T) {
	random := rand.New(source(1, "sizes"))
	const count = 50_000
	var sum int
	for range count {
		n := fileSize(random)
		if n < minFile || n > maxFile {
			t.Fatal(n)
		}
		sum += n
	}
	if mean := sum / count; mean < 52_000 || mean > 60_000 {
		t.Errorf("mean %d", mean)
	}
}

func TestTreeChange(t *testing.T) {
	tr, err := writeTree(t.Context(), filepath.Join(t.TempDir(), "a"), 300, 1)
	must(t, err)
	before := map[string][]byte{}
	for _, p := range tr.paths {
		before[p], err = os.ReadFile(p)
		must(t, err)
	}
	must(t, tr.change(5))
	var sum int64
	changed, added := 0, 0
	for _, p := range tr.paths {
		text, err := os.ReadFile(p)
		must(t, err)
		sum += int64(len(text))
		old, there := before[p]
		switch {
		case !there:
			added++
		case !bytes.Equal(old, text):
			changed++
			if n := len(text) - len(old); n < 8 || n > 60 {
				t.Errorf("%s grew by %d bytes", p, n)
			}
		}
	}
	if changed != 3 || added != 1 || sum != tr.bytes {
		t.Errorf("%d changed, %d added, %d bytes; the tree says %d", changed, added, sum, tr.bytes)
	}
}
