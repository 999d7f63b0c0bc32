package object

import "sync/atomic"

// Counters are for progress bars: bytes, counted while they pass. Several writers
// and readers may share them.
type Counters struct {
	Read         atomic.Int64 // plaintext that a writer has read
	Deduplicated atomic.Int64 // of it, what was stored already
	Stored       atomic.Int64 // chunks as they are stored, compressed
	Coded        atomic.Int64 // rows that are to be placed
	Placed       atomic.Int64 // rows that holders have acknowledged
	Fetched      atomic.Int64 // verified bytes of rows that holders have sent
	Decoded      atomic.Int64 // whole segments of which data rows were rebuilt; not bytes
	Restored     atomic.Int64 // plaintext that a reader has handed out
}

// Stats sums up what a writer has stored so far.
type Stats struct {
	Read   int64 // plaintext bytes of streams
	Chunks int64 // new ones, tree objects included
	Added  int64 // their plaintext bytes
	Stored int64 // their stored bytes
}
