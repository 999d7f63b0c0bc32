package shardrpc

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"holdfast/internal/ident"
	"holdfast/p2p/rpc"
)

// Protocol is the name under which streams are opened and served.
const Protocol = "shard/1"

// Limits bounds what a peer can cost.
type Limits = rpc.Limits

// Ref names a shard within a vault.
type Ref struct {
	Segment ident.CID // of the descriptor
	Index   int       // row of the code, from 0
}

// String is for messages.
func (r Ref) String() string { return fmt.Sprintf("%v/%d", r.Segment, r.Index) }

// Nonce names a commit. The zero nonce is that of later placements.
type Nonce [16]byte

// String returns hexadecimal digits.
func (n Nonce) String() string { return hex.EncodeToString(n[:]) }

// Credential is what a device shows to a holder: who the vault's owner is, and what
// he lets the channel's key do. Parts that are zero are not shown.
type Credential struct {
	Charter    ident.Signed   // the vault's first charter
	Successors []ident.Signed // the charters after it, in order
	Grant      ident.Signed   // for the channel's key, signed by the owner
}

// Holder is one node's shelf as one device sees it in one vault. It is safe for
// concurrent use. Client makes one over the wire, Local of a session at hand; the
// suite in shardrpctest holds for both.
//
// An error that came from a node, or on the way to it, is a *rpc.PeerError. It wraps
// one of the sentinels of this package and of rpc, or is the opener's.
type Holder interface {
	// Put places a row. When it returns nil the shard survives a crash of the node.
	// The row is not kept or changed. Repeating it is a success.
	Put(ctx context.Context, nonce Nonce, index int, descriptor []byte, row []byte) error

	// Get returns the whole payload, which has been compared with want; size is the
	// descriptor's row size. The result uses the memory of dst if there is enough.
	Get(ctx context.Context, ref Ref, want ident.CID, size int64, dst []byte) ([]byte, error)

	// Range returns the n bytes at off, n > 0, of the payload that want names and
	// that is size bytes long: exactly those, verified. The result uses the memory of
	// dst if there is enough.
	Range(ctx context.Context, ref Ref, want ident.CID, size, off, n int64, dst []byte) ([]byte, error)

	// Has says for each shard whether the node has it. It is a claim, no proof.
	Has(ctx context.Context, refs []Ref) ([]bool, error)

	// Receipt returns the node's signed receipt over exactly these shards, at most
	// MaxReceipt and none twice. The caller verifies it. ErrNotFound if one of them is not there.
	Receipt(ctx context.Context, nonce Nonce, refs []Ref) (ident.Signed, error)

	// Info returns what the node says about itself, and what it has of each of up to
	// MaxDevices devices of the vault.
	Info(ctx context.Context, devices ...ident.PublicKey) (Info, error)

	Auditable
}

// Info is what a node says about itself. All of it is a claim.
type Info struct {
	Capacity int64   // bytes that the node offers
	Free     int64   // bytes that are free
	Used     int64   // bytes that this device's grant is charged with; 0 if that is not counted
	Quota    int64   // bytes that it may use; 0 if there is no quota
	Charged  []int64 // bytes that each device that was asked about is charged with
	Network  string
	Clock    time.Time
}
