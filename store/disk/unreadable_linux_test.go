package disk

import (
	"errors"
	"os"
	"syscall"
	"testing"
)

// A file that the disk cannot read stays where it is, and is replaced by a put: else a
// shard on a bad sector could never come back to the node that had it.
func TestPutReplacesUnreadableShard(t *testing.T) {
	m := newDamage(t, 2*40_000)
	place := m.d.at.shard(m.key)
	if err := errors.Join(os.Remove(place), os.Symlink("/proc/self/mem", place)); err != nil {
		t.Fatal(err)
	}
	if _, err := m.d.Stat(t.Context(), m.key); !errors.Is(err, syscall.EIO) {
		t.Fatalf("stat: %v", err)
	}
	mustPut(t, m.d, m.s, 1)
	mustRead(t, m.d, m.s, m.key)
	if m.seen.count(Corrupt)+m.seen.count(Lost) != 0 || m.seen.count(Unreadable) == 0 {
		t.Errorf("events %+v", m.seen.list)
	}
	wantBooks(t, m.d)
}
