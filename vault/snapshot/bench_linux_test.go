package snapshot

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"holdfast/seal"
)

// smallFiles makes a tree of many small files, as those of source code are.
func smallFiles(b *testing.B, files int) string {
	b.Helper()
	dir := b.TempDir()
	for i := range files {
		path := filepath.Join(dir, fmt.Sprintf("%02d/%02d/%d.txt", i%20, i/20%20, i))
		if i < 400 {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				b.Fatal(err)
			}
		}
		if err := os.WriteFile(path, fmt.Appendf(nil, "file %d", i), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	return dir
}

func perFile(b *testing.B, files int) {
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(files), "us/file")
}

func BenchmarkArchive(b *testing.B) {
	const files = 4000
	dir := smallFiles(b, files)
	b.Run("full", func(b *testing.B) {
		for b.Loop() {
			archive(b, newMemStore(), ArchiveOptions{}, dir)
		}
		perFile(b, files)
	})
	m := newMemStore()
	root, _ := archive(b, m, ArchiveOptions{}, dir)
	b.Run("unchanged", func(b *testing.B) {
		for b.Loop() {
			p := NewPrevious(m.source(), root)
			archive(b, m, ArchiveOptions{Unchanged: p.Unchanged}, dir)
		}
		perFile(b, files)
	})
	b.Run("dry", func(b *testing.B) {
		for b.Loop() {
			a := Archiver{}
			if _, _, _, err := a.Paths(b.Context(), []string{dir}); err != nil {
				b.Fatal(err)
			}
		}
		perFile(b, files)
	})
}

func BenchmarkRestore(b *testing.B) {
	const files = 4000
	dir := smallFiles(b, files)
	m := newMemStore()
	root, _ := archive(b, m, ArchiveOptions{}, dir)
	targets := b.TempDir()
	target, n := "", 0
	b.Run("full", func(b *testing.B) {
		for b.Loop() {
			n++
			target = filepath.Join(targets, fmt.Sprint(n))
			restore(b, m, root, dir, RestoreOptions{Target: target})
		}
		perFile(b, files)
	})
	b.Run("unchanged", func(b *testing.B) {
		for b.Loop() {
			restore(b, m, root, dir, RestoreOptions{Target: target})
		}
		perFile(b, files)
	})
}

// BenchmarkRestoreSmallFiles writes files of the size that source code has, to the
// disk: what the system takes for a file, without fetching and decoding.
func BenchmarkRestoreSmallFiles(b *testing.B) {
	const files, size = 1000, 56 << 10
	m := newMemStore()
	m.size = size
	var nodes []Node
	for i := range files {
		content := bytes.Repeat(fmt.Appendf(nil, "%06d\n", i), size/7)
		nodes = append(nodes, m.file(b, fmt.Sprintf("%04d", i), content))
	}
	root := m.tree(b, nodes...)
	targets := b.TempDir()
	n := 0
	b.SetBytes(files * size)
	for b.Loop() {
		n++
		restore(b, m, root, "", RestoreOptions{Target: filepath.Join(targets, fmt.Sprint(n)), Sync: true})
	}
	perFile(b, files)
}

// A large file is not copied more often than it has to be.
func BenchmarkRestoreLarge(b *testing.B) {
	m := newMemStore()
	m.size = 1 << 20
	n := m.file(b, "large", make([]byte, 64<<20))
	id := RowAt(n.Content, 0).ID
	m.chunks = map[seal.ChunkID][]byte{id: m.chunks[id]}
	root := m.tree(b, n)
	b.SetBytes(n.Size)
	for b.Loop() {
		restore(b, m, root, "", RestoreOptions{Target: b.TempDir()})
	}
}
