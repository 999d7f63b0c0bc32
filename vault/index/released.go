package index

import "holdfast/internal/ident"

// SetReleased says which segments are being let go of, or are gone. What they hold is
// no reason not to send a chunk again, and is looked for elsewhere first. The set
// replaces the one before it and ends with the index: a release can be undone, so
// whoever opens the index asks the ledger anew. The caller changes it no more.
func (x *Index) SetReleased(segments map[ident.CID]bool) { x.released.Store(&segments) }

// isReleased reports whether a segment is one of them.
func (x *Index) isReleased(segment ident.CID) bool {
	set := x.released.Load()
	return set != nil && (*set)[segment]
}
