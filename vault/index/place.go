package index

import (
	"errors"

	"holdfast/internal/ident"
	"holdfast/seal"
)

// What an index may refuse.
var (
	// ErrBusy says that another process has the index open.
	ErrBusy = errors.New("index is in use by another process")
	// ErrCorrupt says that the file was found damaged while it was in use. It has
	// been removed: the next Open begins an empty one.
	ErrCorrupt = errors.New("index is damaged")
	// ErrClosed says that Close has been called.
	ErrClosed = errors.New("index is closed")
	// ErrCommit says that an index part contradicts itself.
	ErrCommit = errors.New("index part names a segment row that it does not have")
)

// Place is one claim that a segment holds a chunk. It is the word of the lane that
// made the segment and may be false: only the chunk's ID decides.
type Place struct {
	Segment ident.CID
	Lane    ident.PublicKey
	Header  uint32 // length of the sealed file's age header
	Sealed  uint64 // size of the sealed file, which begins where the segment begins
	Row     seal.Row
}

// Segment is what an entry and its body say of one segment.
type Segment struct {
	CID        ident.CID
	Lane       ident.PublicKey
	Entry      ident.CID         // the entry that introduced it
	Number     int64             // in its lane, from 0
	Descriptor []byte            // as it was received
	Nodes      []ident.PublicKey // shard i was given to Nodes[i]; the zero key is nobody
	Moves      []Move            // of its shards; only the index itself knows
	Meta       bool              // the commit's metadata segment
}
