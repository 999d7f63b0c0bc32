package audit

import (
	"context"
	"errors"
	"iter"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/custody"
	"holdfast/p2p/shardrpc"
)

// Vault is a vault whose holders are audited, as the auditor's own ledger knows it.
type Vault struct {
	ID      ident.CID
	Members int          // of the charter in force
	Head    ident.CID    // names the heads of all lanes that are known
	Map     *custody.Map // who holds what; not changed any more

	// Shard returns CID and size of a shard's payload, from the segment's descriptor.
	Shard func(s custody.Shard) (payload ident.CID, size int64, err error)
}

// Vaults goes through the vaults of which this node is a member. An error is about one of
// them, or about what of them cannot be listed.
type Vaults func(ctx context.Context) iter.Seq2[Vault, error]

// ErrNotAsked says that a question was not put to a holder, for a reason of this node's
// own: it says nothing about the holder.
var ErrNotAsked = errors.New("this node has not asked")

// Peer is a holder as the auditor sees it in one vault. What is not asked because of this
// node's own limits is ErrNotAsked.
type Peer interface {
	shardrpc.Auditable
	Info(ctx context.Context, devices ...ident.PublicKey) (shardrpc.Info, error)
}

// Peers finds holders.
type Peers interface {
	// Peer returns a holder's shelf. Nothing is asked of it yet.
	Peer(ctx context.Context, vault ident.CID, node ident.PublicKey) (Peer, error)

	// Certificate returns a node's newest certificate that is known, verified.
	Certificate(ctx context.Context, node ident.PublicKey) (ledger.NodeCertificate, error)
}
