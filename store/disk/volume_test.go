package disk

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"holdfast/internal/ident"
	"holdfast/store"
	"holdfast/store/storetest"
)

func TestCreateRefusesWhatIsThere(t *testing.T) {
	config := newVolume(t, 1<<20)
	if err := Create(config.Dir, testMarker(testID)); !errors.Is(err, ErrVolumeExists) {
		t.Errorf("over a volume: %v", err)
	}
	d := mustOpen(t, config)
	mustPut(t, d, segment(t, 1000, 1), 0)
	mustClose(t, d)
	if err := os.Remove(filepath.Join(config.Dir, MarkerName)); err != nil {
		t.Fatal(err)
	}
	if err := Create(config.Dir, testMarker(testID)); !errors.Is(err, ErrVolumeExists) {
		t.Errorf("over shards without a marker: %v", err)
	}
	for name, change := range map[string]func(*Marker){
		"no volume":     func(m *Marker) { m.Volume = VolumeID{} },
		"no node key":   func(m *Marker) { m.Node = ident.PublicKey{} },
		"no vote key":   func(m *Marker) { m.Vote = ident.PublicKey{} },
		"later version": func(m *Marker) { m.V = 2 },
	} {
		m := testMarker(testID)
		change(&m)
		if err := Create(t.TempDir(), m); !errors.Is(err, ErrMarker) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A crash in Create leaves empty folders and an index: Create may be tried again.
func TestCreateGoesOnAfterACrash(t *testing.T) {
	config := newVolume(t, 1<<20)
	if err := os.Remove(filepath.Join(config.Dir, MarkerName)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), config); !errors.Is(err, store.ErrPaused) {
		t.Errorf("open of half a volume: %v", err)
	}
	if err := Create(config.Dir, testMarker(testID)); err != nil {
		t.Fatal(err)
	}
	if d := mustOpen(t, config); d.Marker().Volume != testID || d.Stale() {
		t.Errorf("marker %+v, stale %v", d.Marker(), d.Stale())
	}
	if m, err := ReadMarker(config.Dir); err != nil || m.Volume != testID {
		t.Errorf("marker %+v, %v", m, err)
	}
}

func TestOpenWantsTheVolume(t *testing.T) {
	good := newVolume(t, 1<<20)
	empty, garbage := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(garbage, MarkerName), []byte("holdfast"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, config := range map[string]Config{
		"empty folder":   {Dir: empty, Volume: testID},
		"no folder":      {Dir: filepath.Join(empty, "no"), Volume: testID},
		"garbage":        {Dir: garbage, Volume: testID},
		"another volume": {Dir: good.Dir, Volume: VolumeID{9}},
		"no volume":      {Dir: good.Dir},
	} {
		if _, err := Open(t.Context(), config); !errors.Is(err, store.ErrPaused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := names(t, empty); len(n) != 0 {
		t.Errorf("written into an empty folder: %v", n)
	}
	if n := names(t, garbage); len(n) != 1 {
		t.Errorf("written beside a foreign marker: %v", n)
	}
	bad := good
	bad.Capacity = -1
	if _, err := Open(t.Context(), bad); err == nil {
		t.Error("negative capacity accepted")
	}
	mustOpen(t, good)
	if _, err := Open(t.Context(), good); !errors.Is(err, ErrInUse) {
		t.Errorf("second opener: %v", err)
	}
}

// wantPaused checks that every operation says that the volume is not there, and
// says nothing else.
func wantPaused(t *testing.T, d *Disk, s storetest.Segment, key store.Key) {
	t.Helper()
	_, openErr := d.Open(t.Context(), key)
	_, statErr := d.Stat(t.Context(), key)
	_, otherErr := d.Stat(t.Context(), s.Key(v, 3))
	_, usageErr := d.Usage(t.Context())
	var listErr error
	for _, err := range d.List(t.Context(), v) {
		listErr = err
	}
	for what, err := range map[string]error{
		"open": openErr, "stat": statErr, "stat of what is not there": otherErr, "usage": usageErr, "list": listErr,
		"check": d.Check(t.Context()), "put": s.Put(t.Context(), d, v, 2), "put again": s.Put(t.Context(), d, v, key.Index),
		"remove": d.Remove(t.Context(), key), "rebuild": d.Rebuild(t.Context()),
	} {
		if !errors.Is(err, store.ErrPaused) {
			t.Errorf("%s: %v", what, err)
		}
		if errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s of a paused volume says that a shard is not there: %v", what, err)
		}
	}
}

func TestPausedWithoutItsMarker(t *testing.T) {
	seen := new(events)
	config := newVolume(t, 1<<20)
	config.Report = seen.report
	d := mustOpen(t, config)
	s := segment(t, 1000, 1)
	key := mustPut(t, d, s, 1)
	path := d.at.marker()
	marker, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	other := testMarker(VolumeID{9})
	other.V = markerVersion
	for name, replace := range map[string]func() error{
		"removed":    func() error { return os.Remove(path) },
		"another's":  func() error { return os.WriteFile(path, mustEncode(other), 0o600) },
		"cut short":  func() error { return os.WriteFile(path, marker[:10], 0o600) },
		"a folder":   func() error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
		"other keys": func() error { return os.WriteFile(path, bytes.ToUpper(marker), 0o600) },
	} {
		if err := replace(); err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) { wantPaused(t, d, s, key) })
		if err := errors.Join(os.RemoveAll(path), os.WriteFile(path, marker, 0o600)); err != nil {
			t.Fatal(err)
		}
		if err := d.Check(t.Context()); err != nil {
			t.Errorf("%s: with the marker back: %v", name, err)
		}
		mustRead(t, d, s, key)
	}
	if len(seen.list) != 0 {
		t.Errorf("events of a paused volume: %+v", seen.list)
	}
}

// What an unmounted disk leaves: an empty folder. Nothing is written into it, not
// even on Close, and nothing is lost when the disk is back.
func TestUnmountedUnderneath(t *testing.T) {
	config := newVolume(t, 1<<20)
	d := mustOpen(t, config)
	s := segment(t, 1000, 1)
	key := mustPut(t, d, s, 1)
	away := config.Dir + ".away"
	if err := errors.Join(os.Rename(config.Dir, away), os.Mkdir(config.Dir, 0o700)); err != nil {
		t.Fatal(err)
	}
	wantPaused(t, d, s, key)
	if err := d.Close(); !errors.Is(err, store.ErrPaused) {
		t.Errorf("close: %v", err)
	}
	if n := names(t, config.Dir); len(n) != 0 {
		t.Errorf("written into the empty folder: %v", n)
	}
	if err := errors.Join(os.Remove(config.Dir), os.Rename(away, config.Dir)); err != nil {
		t.Fatal(err)
	}
	d = mustOpen(t, config)
	mustRead(t, d, s, key)
	wantBooks(t, d)
}

// The disk goes away while a put reads its stream.
func TestUnmountedDuringPut(t *testing.T) {
	config := newVolume(t, 1<<20)
	d := mustOpen(t, config)
	s := segment(t, 1000, 1)
	away := config.Dir + ".away"
	r := &hookReader{r: newReader(s.Rows[0]), hook: func() error {
		return errors.Join(os.Rename(config.Dir, away), os.Mkdir(config.Dir, 0o700))
	}}
	if err := d.Put(t.Context(), s.Key(v, 0), s.Descriptor, r); !errors.Is(err, store.ErrPaused) {
		t.Errorf("put: %v", err)
	}
	if n := names(t, config.Dir); len(n) != 0 {
		t.Errorf("written into the empty folder: %v", n)
	}
	if err := errors.Join(os.Remove(config.Dir), os.Rename(away, config.Dir)); err != nil {
		t.Fatal(err)
	}
	mustPut(t, d, s, 0)
	wantBooks(t, d)
}

// hookReader does something before it is first read.
type hookReader struct {
	r    interface{ Read([]byte) (int, error) }
	hook func() error
}

func (h *hookReader) Read(p []byte) (int, error) {
	if hook := h.hook; hook != nil {
		h.hook = nil
		if err := hook(); err != nil {
			return 0, err
		}
	}
	return h.r.Read(p)
}

func TestClosed(t *testing.T) {
	d := newDisk(t)
	s := segment(t, 100_000, 1)
	key := mustPut(t, d, s, 1)
	sh, err := d.Open(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer sh.Close()
	// A put that is under way when the shelf is closed fails, and leaves nothing.
	r := &hookReader{r: newReader(s.Rows[0]), hook: d.Close}
	if err := d.Put(t.Context(), s.Key(v, 0), s.Descriptor, r); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("put under way: %v", err)
	}
	if n := names(t, d.at.tmp()); len(n) != 0 {
		t.Errorf("left in tmp: %v", n)
	}
	mustClose(t, d)
	if _, err := d.Stat(t.Context(), key); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("stat: %v", err)
	}
	if err := s.Put(t.Context(), d, v, 2); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("put: %v", err)
	}
	var out bytes.Buffer
	if _, err := sh.WriteTo(&out); err != nil || !bytes.Equal(out.Bytes(), s.Rows[1]) {
		t.Errorf("read of an open shard: %v", err)
	}
}

func TestOpenCancelled(t *testing.T) {
	config := newVolume(t, 1<<20)
	d := mustOpen(t, config)
	mustPut(t, d, segment(t, 1000, 1), 0)
	crash(t, d)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, config); !errors.Is(err, context.Canceled) {
		t.Errorf("open: %v", err)
	}
	wantBooks(t, mustOpen(t, config))
}
