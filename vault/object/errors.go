package object

import "errors"

// What a writer may fail with.
var (
	// ErrTooFewHolders says that fewer than Enough shards of a segment could be
	// placed. The reasons of the holders are wrapped beside it.
	ErrTooFewHolders = errors.New("too few holders took the shards of a segment")
	// ErrFull is ErrTooFewHolders where room or quota was what was missing.
	ErrFull = errors.New("the holders have no room for the shards of a segment")
	// ErrTooLarge says that a commit's metadata does not fit into one segment.
	ErrTooLarge = errors.New("the metadata of the commit is too large for one segment")
	// ErrFlushed says that File or Tree came after Flush, or Finish before it.
	ErrFlushed = errors.New("wrong order of calls: files and trees, flush, finish")
	// ErrAborted says that Abort was called.
	ErrAborted = errors.New("the commit was aborted")
)

// What a reader may fail with.
var (
	// ErrOutOfReach says that fewer than k shards of a segment can be had now. The
	// reasons of the holders are wrapped beside it.
	ErrOutOfReach = errors.New("fewer than k shards of the segment can be had now")
	// ErrLost says that so many holders have answered that they do not have their
	// shard, or sent another one, that fewer than k can be left.
	ErrLost = errors.New("fewer than k shards of the segment are left")
	// ErrIllCoded says that rows which are all right by their CIDs do not belong
	// together: the segment's writer is to blame, and no holder.
	ErrIllCoded = errors.New("the segment was ill-coded by its writer")
	// ErrUnknownChunk says that no place of a chunk is known.
	ErrUnknownChunk = errors.New("no segment is known to hold the chunk")
	// ErrUnreadable says that every known place of a chunk has failed.
	ErrUnreadable = errors.New("the chunk cannot be read from any place")
	// ErrRows says that bytes are not the rows of a file's content.
	ErrRows = errors.New("not the rows of a file's content")
	// ErrClosed says that the reader was closed.
	ErrClosed = errors.New("the reader is closed")
)
