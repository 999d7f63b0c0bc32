package store

import (
	"context"
	"io"
	"iter"

	"holdfast/internal/ident"
)

// Info is what a shelf knows about a shard without reading its payload.
type Info struct {
	Key
	Size       int64  // of the payload
	Descriptor []byte // of the segment, as it was put; not to be changed
}

// Usage is how full a shelf is.
type Usage struct {
	Capacity int64 // bytes that the shelf may use
	Used     int64 // bytes that it uses, what is stored around the payloads included
	Shards   int64 // number of shards
	Trashed  int64 // bytes of Used that are in the trash
	Damaged  int64 // bytes of Used that are in quarantine, for the operator to look at and remove
}

// Shelf keeps shards. It is safe for concurrent use. The suite in storetest says
// in tests what the comments say here.
type Shelf interface {
	// Put reads from r exactly the row that the descriptor names for key.Index and
	// not a byte more. It returns nil only when key.Segment is the descriptor's CID,
	// the bytes are those of the row's CID, and the shard will survive a crash; on
	// any error the shard is not kept. Putting a shard that is there, and good, is a
	// success after the bytes have been checked all the same, and changes nothing.
	// A reader's error comes back wrapped; a stream that ends early is ErrMismatch.
	Put(ctx context.Context, key Key, descriptor []byte, r io.Reader) error

	// Open finds a shard. The caller closes it.
	Open(ctx context.Context, key Key) (Shard, error)

	// Stat is Open for those who do not want to read.
	Stat(ctx context.Context, key Key) (Info, error)

	// List goes through the shards of one vault, or through all for the zero CID,
	// in no promised order and without opening them. What is put or removed
	// meanwhile may or may not be seen. After an error nothing more comes.
	List(ctx context.Context, vault ident.CID) iter.Seq2[Info, error]

	// Remove forgets a shard; when it returns nil a crash does not bring it back.
	// No one but the node's release rules calls it.
	Remove(ctx context.Context, key Key) error

	// Usage takes the same short time however many shards there are.
	Usage(ctx context.Context) (Usage, error)
}

// Shard is an open shard. Its methods may be called one after another, as often as
// wanted. No byte is written out before it has been verified against the
// descriptor; where that fails the error is ErrCorrupt and what was written before
// is good.
type Shard interface {
	Info() Info

	// WriteTo writes the whole payload.
	io.WriterTo

	// Slice writes a Bao slice, groups of 16 KiB, of the n bytes at off, n > 0; see
	// the type Slice for how it is read.
	Slice(w io.Writer, off, n int64) error

	io.Closer
}
