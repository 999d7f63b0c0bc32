package shardrpc

import (
	"context"
	"io"

	"holdfast/internal/ident"
)

// Backend is what a node offers to those who ask.
type Backend interface {
	// Open judges a credential that the peer shows. The peer's key is the channel's:
	// it is proved. The session lasts as long as the stream: what can end sooner, a
	// grant that is revoked or expires, is judged again by the session's methods.
	Open(ctx context.Context, peer ident.PublicKey, vault ident.CID, credential Credential) (Session, error)
}

// Session is what a node offers to one peer in one vault. It is used by one
// goroutine at a time. Its errors wrap the sentinels of this package; what wraps
// none of them is sent as rpc.ErrInternal, without its text.
type Session interface {
	// Put reads the whole row from row, which ends where the descriptor says, and
	// returns nil only when the shard survives a crash. The descriptor is valid and
	// has a row of that index. An error that can be known before the row is read
	// SHOULD be returned before: it stops the sender.
	Put(ctx context.Context, nonce Nonce, index int, descriptor []byte, row io.Reader) error

	// Get finds a payload. The caller closes it.
	Get(ctx context.Context, ref Ref) (Payload, error)

	// Slice writes the Bao slice, in groups of 16 KiB, of n bytes at off.
	Slice(ctx context.Context, ref Ref, w io.Writer, off, n int64) error

	// Has says for each shard whether it is there.
	Has(ctx context.Context, refs []Ref) ([]bool, error)

	// Receipt signs a receipt over exactly these shards.
	Receipt(ctx context.Context, nonce Nonce, refs []Ref) (ident.Signed, error)

	// Info describes the node, and says with what each of the devices is charged.
	Info(ctx context.Context, devices ...ident.PublicKey) (Info, error)

	Prover
}

// Payload is the content of one shard.
type Payload interface {
	Size() int64
	io.WriterTo // writes Size bytes, each verified before
	io.Closer
}
