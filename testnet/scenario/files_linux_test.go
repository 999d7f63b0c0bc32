package scenario

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"holdfast/testnet"
)

// Files at the edges of what there can be: empty ones, names of 255 bytes, 200 levels
// of folders, many files in one folder, and a hole of a terabyte. All come back, and
// the hole as a hole.
func TestFilesAtTheEdges(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{Network: testnet.Config{Nodes: 4}})
	dir, target := t.TempDir(), t.TempDir()
	many := 2_000
	if *long {
		many = 100_000
	}
	must(t, os.WriteFile(filepath.Join(dir, "empty"), nil, 0o600))
	must(t, os.WriteFile(filepath.Join(dir, strings.Repeat("n", 255)), []byte("long name"), 0o600))
	must(t, os.MkdirAll(filepath.Join(dir, strings.Repeat("deep/", 200)), 0o700))
	must(t, os.WriteFile(filepath.Join(dir, strings.Repeat("deep/", 200), "file"), []byte("deep"), 0o600))
	must(t, os.Mkdir(filepath.Join(dir, "many"), 0o700))
	for i := range many {
		must(t, os.WriteFile(filepath.Join(dir, "many", fmt.Sprint(i)), []byte(fmt.Sprint("file ", i)), 0o600))
	}
	holes := makeSparse(t, filepath.Join(t.TempDir(), "sparse"), 1<<40)

	r, _, err := w.repeat(t.Context(), func(r Report) bool { return !r.Was(4, 20) }, "backup", dir, holes)
	wantCode(t, r, err, 0)
	t.Logf("backup: %v", r.Took)
	back, err := w.Machine.Run(t.Context(), "restore", r.Snapshot, "--target", target)
	wantCode(t, back, err, 0)
	t.Logf("restore: %v", back.Took)
	c, err := testnet.Compare(t.Context(), dir, filepath.Join(target, dir))
	must(t, err)
	if c.Files != many+3 {
		t.Errorf("%d files were compared", c.Files)
	}
	wantSparse(t, filepath.Join(target, holes), 1<<40)
}

// makeSparse makes a file of a size with something at its beginning, middle and end.
func makeSparse(t *testing.T, path string, size int64) string {
	t.Helper()
	f, err := os.Create(path)
	must(t, err)
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		t.Skip("no file of a terabyte can be made here:", err)
	}
	for _, at := range marks(size) {
		_, err := f.WriteAt([]byte("not a hole"), at)
		must(t, err)
	}
	if taken(t, path) > 1<<20 {
		t.Skip("this file system has no holes")
	}
	return path
}

func marks(size int64) []int64 { return []int64{0, size / 2, size - 10} }

func wantSparse(t *testing.T, path string, size int64) {
	t.Helper()
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	fi, err := f.Stat()
	if err != nil || fi.Size() != size || taken(t, path) > 1<<20 {
		t.Errorf("%v bytes that take %d, %v", fi.Size(), taken(t, path), err)
	}
	for _, at := range marks(size) {
		p := make([]byte, 10)
		if _, err := f.ReadAt(p, at); err != nil || string(p) != "not a hole" {
			t.Errorf("%q at %d, %v", p, at, err)
		}
	}
}

// taken is what a file takes on the disk.
func taken(t *testing.T, path string) int64 {
	t.Helper()
	fi, err := os.Lstat(path)
	must(t, err)
	return fi.Sys().(*syscall.Stat_t).Blocks * 512
}

// A file of 5 GiB, more than 32 bits can count. It repeats itself after 512 MiB, so
// that the disks hold little of it.
func TestLargeFile(t *testing.T) {
	if !*long {
		t.Skip("only with -long")
	}
	w := newWorld(t, Config{Network: testnet.Config{Nodes: 4}})
	const size, period = 5 << 30, 512 << 20
	path := filepath.Join(t.TempDir(), "large")
	f, err := os.Create(path)
	must(t, err)
	p := noise(period, 1)
	for at := int64(0); at < size; at += period {
		_, err := f.WriteAt(p, at)
		must(t, err)
	}
	_, err = f.WriteAt([]byte("the end"), size)
	must(t, err)
	must(t, f.Close())
	r, err := w.Machine.Run(t.Context(), "backup", path)
	wantCode(t, r, err, 0)
	out, in := io.Pipe()
	want, err := os.Open(path)
	must(t, err)
	defer want.Close()
	same := make(chan error, 1)
	go func() {
		_, err := sameBytes(want, out)
		out.CloseWithError(err)
		same <- err
	}()
	d, err := w.Machine.Do(t.Context(), Call{Args: []string{"dump", r.Snapshot + ":" + path}, Stdout: in})
	in.Close()
	wantCode(t, d, err, 0)
	must(t, <-same)
	t.Logf("backup %v, dump %v", r.Took, d.Took)
}

// sameBytes reads both to their ends and fails where they differ.
func sameBytes(a, b io.Reader) (n int64, err error) {
	p, q := make([]byte, 1<<20), make([]byte, 1<<20)
	for {
		i, errA := io.ReadFull(a, p)
		j, errB := io.ReadFull(b, q)
		if i != j || string(p[:i]) != string(q[:j]) {
			return n, fmt.Errorf("other bytes after %d", n)
		}
		n += int64(i)
		if errA != nil || errB != nil {
			return n, nil
		}
	}
}
