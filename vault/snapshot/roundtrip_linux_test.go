package snapshot

import (
	"path/filepath"
	"testing"
)

// What is archived and restored is the same in everything that a tree holds.
func TestRoundTrip(t *testing.T) {
	rng := seeded(t)
	for i := range 8 {
		dir := t.TempDir()
		src, dst := filepath.Join(dir, "src"), filepath.Join(dir, "dst")
		putFile(t, filepath.Join(src, "first"), "first")
		randomTree(t, rng, src, 120)
		m := newMemStore()
		root, stats := archive(t, m, ArchiveOptions{Workers: 1 + i%4}, src)
		sum := restore(t, m, root, src, RestoreOptions{Target: dst, Verify: i%2 == 0, Check: testCheck, Workers: 1 + i%5})
		sameTree(t, src, dst)
		if t.Failed() {
			t.Fatalf("run %d", i)
		}
		if got := sum.Files + sum.Others + sum.Skipped; got != stats.Files+stats.Others {
			t.Fatalf("%d files and others archived, %d restored: %+v", stats.Files+stats.Others, got, sum)
		}
	}
}
