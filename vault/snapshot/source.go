package snapshot

import (
	"context"
	"io"

	"holdfast/seal"
)

// Sink takes what an Archiver reads. Its methods may be called from several
// goroutines at once; an error from it ends the backup.
type Sink interface {
	// File cuts and stores what r gives, to its end. An error of r comes back
	// as an error of File.
	File(ctx context.Context, r io.Reader) (Content, error)
	// Tree stores a tree object and names it.
	Tree(ctx context.Context, object []byte) (seal.ChunkID, error)
}

// Source gives back what a Sink took. Its methods may be called from several
// goroutines at once. What it returns has been checked against the chunk IDs.
type Source interface {
	Tree(ctx context.Context, id seal.ChunkID) ([]byte, error)
	// Chunks calls f for each of the rows, in order; plain is valid during f.
	// An error of f ends the call and is returned.
	Chunks(ctx context.Context, rows []byte, f func(i int, plain []byte) error) error
	// Expect says that a data chunk will be asked for soon. It must not block.
	Expect(id seal.ChunkID)
}
