package store

import "errors"

// The refusals of a shelf. Whatever else an operation returns is trouble of the
// moment (a cancelled context, an I/O error) and says nothing about the shard.
var (
	// ErrNotFound: the shelf is well and has no such shard.
	ErrNotFound = errors.New("shard not found")

	// ErrFull: no space. Nothing of the shard was kept.
	ErrFull = errors.New("no space left for shards")

	// ErrCorrupt: the shard was here and its bytes are not those that were put. It
	// is no longer served, and the next call may say ErrNotFound.
	ErrCorrupt = errors.New("shard is corrupt")

	// ErrPaused: the volume is not there (not mounted, or another one is), so
	// nothing can be said about any shard. It is never to be read as a loss.
	ErrPaused = errors.New("volume is not there")

	// ErrMismatch: the key, the descriptor and the bytes do not belong together.
	// Nothing was kept.
	ErrMismatch = errors.New("bytes are not those that the descriptor names")

	// ErrRange: the range asked for is empty or not inside the payload.
	ErrRange = errors.New("range is empty or outside of the shard")
)
