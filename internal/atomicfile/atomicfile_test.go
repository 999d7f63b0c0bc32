package atomicfile

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
)

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var s []string
	for _, e := range entries {
		s = append(s, e.Name())
	}
	return s
}

func wantFile(t *testing.T, path, content string) {
	t.Helper()
	p, err := os.ReadFile(path)
	if err != nil || string(p) != content {
		t.Fatalf("%q, %v; want %q", p, err, content)
	}
}

func TestWriteFileCreatesAndReplaces(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	for _, content := range []string{"one", "", "three is longer"} {
		if err := WriteFile(path, []byte(content), 0o640); err != nil {
			t.Fatal(err)
		}
		wantFile(t, path, content)
	}
	if n := names(t, dir); len(n) != 1 {
		t.Errorf("left in the folder: %v", n)
	}
	fi, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && fi.Mode().Perm() != 0o640 {
		t.Errorf("mode %v", fi.Mode())
	}
}

func TestCommitShowsTheFileAtOnce(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	if err := WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := f.Write([]byte("new ")); err != nil {
			t.Fatal(err)
		}
		wantFile(t, path, "old")
	}
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	wantFile(t, path, "new new new ")
	if err := f.Abort(); err != nil {
		t.Errorf("abort after commit: %v", err)
	}
	wantFile(t, path, "new new new ")
	if _, err := f.Write(nil); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("write after commit: %v", err)
	}
	if err := f.Commit(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("second commit: %v", err)
	}
}

func TestAbortLeavesTheOld(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	if err := WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("new")); err != nil {
		t.Fatal(err)
	}
	if err := f.Abort(); err != nil {
		t.Fatal(err)
	}
	wantFile(t, path, "old")
	if n := names(t, dir); len(n) != 1 {
		t.Errorf("left in the folder: %v", n)
	}
}

// A commit that cannot rename leaves no temporary file.
func TestFailedCommitCleansUp(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	if err := os.MkdirAll(filepath.Join(path, "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(path, []byte("x"), 0o600); err == nil {
		t.Fatal("a folder was replaced by a file")
	}
	if n := names(t, dir); len(n) != 1 {
		t.Errorf("left in the folder: %v", n)
	}
}

func TestMissingFolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "no", "a")
	if err := WriteFile(path, nil, 0o600); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("write: %v", err)
	}
	if err := SyncDir(filepath.Dir(path)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("sync: %v", err)
	}
	if err := RemoveTemp(filepath.Dir(path)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("remove: %v", err)
	}
}

func TestRemoveTempTakesOnlyTemporaryFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", ".hidden", "b.tmp"} {
		if err := WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// An interrupted writer: created and never ended.
	f, err := Create(filepath.Join(dir, "c"))
	if err != nil {
		t.Fatal(err)
	}
	if len(names(t, dir)) != 4 {
		t.Fatal("no temporary file to remove")
	}
	if err := f.f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := RemoveTemp(dir); err != nil {
		t.Fatal(err)
	}
	if n := names(t, dir); len(n) != 3 {
		t.Errorf("left: %v", n)
	}
}

// Law: whoever reads while others replace sees one whole content.
func TestReadersSeeWholeContents(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	const size = 100_000
	content := func(i int) []byte { return bytes.Repeat([]byte{byte(i)}, size) }
	if err := WriteFile(path, content(0), 0o600); err != nil {
		t.Fatal(err)
	}
	var writers sync.WaitGroup
	done := make(chan struct{})
	for w := range 3 {
		writers.Go(func() {
			for i := range 20 {
				if err := WriteFile(path, content(w*20+i), 0o600); err != nil {
					t.Error(err)
				}
			}
		})
	}
	go func() { writers.Wait(); close(done) }()
	for {
		p, err := os.ReadFile(path)
		if err != nil || len(p) != size || !bytes.Equal(p, content(int(p[0]))) {
			t.Fatalf("%d bytes, %v", len(p), err)
		}
		select {
		case <-done:
			return
		default:
		}
	}
}
