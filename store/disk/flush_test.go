package disk

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/store"
)

// The index is written by itself some time after a change, and again if the volume
// was away when it was to be written.
func TestFlushLoop(t *testing.T) {
	seen := new(events)
	config := newVolume(t, 1<<30)
	config.Report = seen.report
	config.FlushEvery = time.Millisecond
	d := mustOpen(t, config)
	s := segment(t, 1000, 1)
	mustPut(t, d, s, 0)
	waitFor(t, "the first flush", func() bool { return len(names(t, d.at.tmp())) == 0 })

	away := d.at.marker() + ".away"
	// Nothing can be put without the marker: this is what an earlier put has left.
	if err := os.Rename(d.at.marker(), away); err != nil {
		t.Fatal(err)
	}
	d.index.set(s.Key(v, 0), &entry{500, s.Descriptor}, "")
	waitFor(t, "a flush that fails", func() bool { return seen.count(IndexFailed) > 1 })
	if d.index.backlog() != 1 {
		t.Errorf("backlog %d without the volume", d.index.backlog())
	}
	if err := os.Rename(away, d.at.marker()); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "a flush that succeeds", func() bool { return d.index.backlog() == 0 })
	wantBooks(t, d)
}

// However slow the loop is, the backlog is bounded; and where the index cannot be
// written at all, puts end before it grows without bounds.
func TestBacklogIsBounded(t *testing.T) {
	config := newVolume(t, 1<<30)
	config.FlushEvery = time.Hour
	d := mustOpen(t, config)
	s := segment(t, 1000, 1)
	fill := func() {
		for i := range maxBacklog {
			key := store.Key{Vault: v, Segment: ident.SumDagCBOR([]byte{byte(i), byte(i >> 8)})}
			d.index.set(key, nil, "")
		}
	}
	fill()
	mustPut(t, d, s, 0)
	if n := d.index.backlog(); n > 1 {
		t.Errorf("backlog %d", n)
	}
	fill()
	d.index.broken.Store(true)
	if err := s.Put(t.Context(), d, v, 1); !errors.Is(err, errIndex) {
		t.Errorf("put: %v", err)
	}
	if err := d.Remove(t.Context(), s.Key(v, 0)); !errors.Is(err, errIndex) {
		t.Errorf("remove: %v", err)
	}
	mustRead(t, d, s, s.Key(v, 0))
	if err := d.Rebuild(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustPut(t, d, s, 1)
	wantBooks(t, d)
}

func TestEventKindsHaveNames(t *testing.T) {
	seen := make(map[string]bool)
	for k := Corrupt; k <= IndexFailed; k++ {
		if s := k.String(); seen[s] || strings.Contains(s, "unknown") {
			t.Errorf("kind %d is called %q", k, s)
		}
		seen[k.String()] = true
	}
	if EventKind(0).String() != "unknown event" {
		t.Error("the zero kind has a name")
	}
}
