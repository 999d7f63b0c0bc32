package vault_test

import (
	"context"
	"crypto/rand"
	"errors"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"holdfast/seal"
	"holdfast/vault"
	"holdfast/vault/snapshot"
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

// BenchmarkFirstByte reads from a random place of a large file, in a session that is
// connected: each time with a reader that has opened nothing yet, until the first
// piece is there.
func BenchmarkFirstByte(b *testing.B) {
	n := newNetwork(b, 8, 8)
	m := createVault(b, n)
	file := filepath.Join(b.TempDir(), "file")
	p := make([]byte, 100<<20)
	rand.Read(p)
	if err := os.WriteFile(file, p, 0o600); err != nil {
		b.Fatal(err)
	}
	m.backup(file)
	s := m.open()
	if _, err := s.Sync(b.Context()); err != nil {
		b.Fatal(err)
	}
	snap, err := s.Resolve(b.Context(), "latest", vault.Filter{})
	if err != nil {
		b.Fatal(err)
	}
	v, err := s.Read(b.Context(), snap, nil)
	if err != nil {
		b.Fatal(err)
	}
	rows := rowsOf(b, v, snap.Info.Root, file)
	v.Close()
	random := mathrand.New(mathrand.NewPCG(1, 1))
	for b.Loop() {
		v, err := s.Read(b.Context(), snap, nil)
		if err != nil {
			b.Fatal(err)
		}
		err = v.Range(b.Context(), rows, random.Int64N(int64(len(p))), 1, func([]byte) error { return errEnough })
		if !errors.Is(err, errEnough) {
			b.Fatal(err)
		}
		v.Close()
	}
}

var errEnough = errors.New("that is enough")

// rowsOf returns the rows of the one file of a snapshot.
func rowsOf(b *testing.B, v *vault.View, root seal.ChunkID, file string) []byte {
	var all []byte
	err := snapshot.Walk(b.Context(), v, root, "/", func(path string, n *snapshot.Node) error {
		if filepath.Base(path) != filepath.Base(file) {
			return nil
		}
		return snapshot.Rows(context.Background(), v, n, func(rows []byte) error {
			all = append(all, rows...)
			return nil
		})
	})
	if err != nil || len(all) == 0 {
		b.Fatalf("no rows: %v", err)
	}
	return all
}
