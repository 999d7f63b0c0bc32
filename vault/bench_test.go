package vault_test

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"testing"

	"holdfast/vault"
)

// BenchmarkCommit stores one new file of 1 KiB after another, in a session that is
// connected: eight nodes in this process, on one disk, with all their flushes.
func BenchmarkCommit(b *testing.B) {
	n := newNetwork(b, 8, 8)
	m := createVault(b, n)
	file := filepath.Join(b.TempDir(), "file")
	s := m.open()
	if _, err := s.Begin(b.Context()); err != nil {
		b.Fatal(err)
	}
	commit := func() {
		p := make([]byte, 1<<10)
		rand.Read(p)
		if err := os.WriteFile(file, p, 0o600); err != nil {
			b.Fatal(err)
		}
		r, err := s.Backup(b.Context(), vault.Backup{Paths: []string{file}, Program: "benchmark"})
		if err != nil || !r.Complete() || r.Segments > 2 {
			b.Fatalf("%d segments, complete %v: %v", r.Segments, r.Complete(), err)
		}
	}
	commit()
	for b.Loop() {
		commit()
	}
}
