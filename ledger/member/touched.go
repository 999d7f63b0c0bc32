package member

import (
	"fmt"
	"sync"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/custody"
)

// touched is what one change may have changed of who holds what. It says too much rather
// than too little: what is so is read anew.
type touched struct {
	segments []ident.CID
	holders  bool
}

func (x index) touchSegments(segments ...ident.CID) {
	if x.touched != nil {
		x.touched.segments = append(x.touched.segments, segments...)
	}
}

func (x index) touchHolders() {
	if x.touched != nil {
		x.touched.holders = true
	}
}

// touchTable touches all that an entry brings.
func (x index) touchTable(entry ident.CID) error {
	if x.touched == nil {
		return nil
	}
	t, err := x.table(entry)
	if t != nil {
		x.touchSegments(t.names()...)
	}
	return err
}

// touchRelease touches all that a release is about.
func (x index) touchRelease(release ident.CID) error {
	if x.touched == nil {
		return nil
	}
	r, err := ledger.ParseRelease(x.get(listsBucket, release.Bytes()))
	if err != nil {
		return fmt.Errorf("read segments of release %s: %w: %w", release, ErrCorrupt, err)
	}
	x.touchSegments(r.Segments...)
	return nil
}

// holdings is a vault's Map, as far as it was asked for, and what has been touched since.
type holdings struct {
	use   sync.Mutex   // held while the Map is read, changed or copied
	m     *custody.Map // nil while it is not loaded
	given *custody.Map // copy of m that was given out; nil if m has changed since

	mu     sync.Mutex // guards what follows
	wants  bool       // there is a Map, or one is being loaded
	behind touched    // on the disk, and not in the Map yet
}

// maxBehind is how many segments are touched at most before the Map is loaded anew.
const maxBehind = 1 << 16

// note takes what was touched by a change that is on the disk.
func (h *holdings) note(t touched) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.wants {
		return
	}
	h.behind.segments = append(h.behind.segments, t.segments...)
	h.behind.holders = h.behind.holders || t.holders
	if len(h.behind.segments) > maxBehind {
		h.wants, h.behind = false, touched{}
	}
}

// begin returns what has been touched, and whether the Map is to be loaded. From now on
// what is touched is noted. Whoever calls it reads the database after it, so that all that
// it returns is there.
func (h *holdings) begin() (t touched, load bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t, load = h.behind, !h.wants
	h.wants, h.behind = true, touched{}
	return t, load
}

// doubt makes the next one who asks load the Map anew: the database may be ahead of what
// was noted.
func (h *holdings) doubt() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wants, h.behind = false, touched{}
}
