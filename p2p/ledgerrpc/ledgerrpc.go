package ledgerrpc

import (
	"context"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p/rpc"
)

// Protocol is the name under which streams are opened and served.
const Protocol = "ledger/1"

// Limits bounds what a peer can cost.
type Limits = rpc.Limits

// MaxLinks is how many links one answer holds at most.
const MaxLinks = 1024

// Reader is what anybody may ask a member, and for bodies whoever is let. The same
// interface stands on both sides of the wire: Member asks, and Serve answers from
// one. It is safe for concurrent use.
//
// What comes over the wire has been checked for size and form, and against the name
// it was asked by; signatures are the caller's to verify. An error that came from a
// member, or on the way to it, is a *rpc.PeerError.
type Reader interface {
	// Charters returns the vault's charters in order; the first one's CID is the vault.
	Charters(ctx context.Context, vault ident.CID) ([]ident.Signed, error)

	// Vaults returns the first charters of an owner's vaults, at most 16; none is no
	// error.
	Vaults(ctx context.Context, owner [ident.HashSize]byte) ([]ident.Signed, error)

	// Heads returns the member's signed heads over this nonce.
	Heads(ctx context.Context, vault ident.CID, nonce [16]byte) (ident.Signed, error)

	// Links returns up to limit encoded links of a lane, without bodies, from a height
	// on. They may be fewer than there are; none means that there are no more.
	Links(ctx context.Context, vault ident.CID, lane ident.PublicKey, from int64, limit int) ([][]byte, error)

	// Entry returns the encoded link of one entry, without its body, by the entry's CID:
	// certified or, without a certificate, one that the member has voted for. It is
	// how a writer finds what an interrupted run of its own has proposed.
	Entry(ctx context.Context, vault, entry ident.CID) ([]byte, error)

	// Body returns the body of an entry, by its CID.
	Body(ctx context.Context, vault, body ident.CID) ([]byte, error)
}

// Voter is what makes a member's ledger grow. Everything may be repeated.
type Voter interface {
	// Accept asks the member to keep a new vault and returns its acceptance.
	Accept(ctx context.Context, charter ident.Signed) (ident.Signed, error)

	// Propose asks for a vote.
	Propose(ctx context.Context, vault ident.CID, proposal, entry ident.Signed, body []byte) (ident.Signed, error)

	// Certify hands over an encoded certificate and returns the ack.
	Certify(ctx context.Context, vault ident.CID, certificate []byte) (ident.Signed, error)

	// Adopt hands over an encoded link without its body, and the body: how a member
	// that is behind catches up, in order of height.
	Adopt(ctx context.Context, vault ident.CID, link, body []byte) error

	// Segments asks for the member's signed word on each of up to ledger.MaxStates
	// segments.
	Segments(ctx context.Context, vault ident.CID, nonce [16]byte, segments []ident.CID) (ident.Signed, error)
}

// Successor is how one charter follows another. Everything may be repeated.
type Successor interface {
	// Key asks a node for a vote key of its own for a vault, or for one that is to be
	// created if the vault is zero. The same nonce gets the same key for as long as it
	// is not used.
	Key(ctx context.Context, vault ident.CID, nonce [16]byte) (ident.Signed, error)

	// Freeze shows the member a signed successor of the charter in force, and returns
	// the member's freeze.
	Freeze(ctx context.Context, vault ident.CID, successor ident.Signed) (ident.Signed, error)

	// Successions returns encoded links by which charters came into force, with bodies
	// and acks, in order, from a charter's number on, 2 at least. They may be fewer than
	// there are; none means that there are no more.
	Successions(ctx context.Context, vault ident.CID, from int64) ([][]byte, error)
}

// Witness says what has been signed before at a place of a lane.
type Witness interface {
	// Report asks the member, by the word of the lane's key, for its signed promise to
	// vote and acknowledge nothing below an attempt, with the certificate that it holds.
	Report(ctx context.Context, vault ident.CID, attempt ident.Signed) (ident.Signed, error)

	// Evidence returns what somebody has signed twice, as package ledger encodes it.
	Evidence(ctx context.Context, vault ident.CID) ([][]byte, error)
}

// Placer keeps later placements: receipts of holders that were found after the
// commit, each with its holder's certificate.
type Placer interface {
	AddPlacement(ctx context.Context, vault ident.CID, p Placement) error

	// Placements returns those that are known for any of up to ledger.MaxStates
	// segments.
	Placements(ctx context.Context, vault ident.CID, segments []ident.CID) ([]Placement, error)

	// Moves returns later placements that still count, in the order in which the member
	// got them, from a cursor on, and the cursor behind them. They may be fewer than there
	// are; none means that there are no more. Of the zero cursor, and one that is not of
	// this member's store, they are the first.
	Moves(ctx context.Context, vault ident.CID, from ledger.MovesCursor) ([]Placement, ledger.MovesCursor, error)

	// Placed asks for the member's signed word about who holds each of up to
	// ledger.MaxNames shards: see ledger.VerifyPlaced.
	Placed(ctx context.Context, vault ident.CID, nonce [16]byte, shards []ledger.ShardName) (ident.Signed, error)
}

// Auditor says what a member's audits have found.
type Auditor interface {
	// Audits returns the member's signed audit report over this nonce: about all holders
	// of the vault, or about one node if that is not zero.
	Audits(ctx context.Context, vault ident.CID, nonce [16]byte, node ident.PublicKey) (ident.Signed, error)
}

// Counter says how much a node holds.
type Counter interface {
	// Held asks for the member's signed word about how many shards of a vault a node
	// holds: see ledger.VerifyHeld.
	Held(ctx context.Context, vault ident.CID, nonce [16]byte, node ident.PublicKey) (ident.Signed, error)
}

// Placement is one later receipt.
type Placement struct {
	Receipt     ident.Signed
	Certificate ident.Signed // the holder's node certificate
}

// Verb is what is asked of a member.
type Verb string

// The verbs, in the words of docs/protocol.md.
const (
	Charters   Verb = "charters"
	Vaults     Verb = "vaults"
	Heads      Verb = "heads"
	Links      Verb = "links"
	Entry      Verb = "entry"
	Body       Verb = "body"
	Accept     Verb = "accept"
	Propose    Verb = "propose"
	Certify    Verb = "certify"
	Adopt      Verb = "adopt"
	Segments   Verb = "segments"
	Report     Verb = "report"
	Evidence   Verb = "evidence"
	Place      Verb = "place"
	Placements Verb = "placements"
	Moves      Verb = "moves"
	Placed     Verb = "placed"
	Audits     Verb = "audits"
	Holding    Verb = "held"

	Key         Verb = "key"
	Freeze      Verb = "freeze"
	Successions Verb = "successions"
)

// Request is what is known of a request when its frame has come, and none of what
// follows it.
type Request struct {
	Peer  ident.PublicKey // the channel's key: it is proved
	Verb  Verb
	Vault ident.CID    // zero for Vaults, Accept, and Key of a vault that is to be created
	Grant ident.Signed // shown by the peer, not verified; zero if it shows none
}

const (
	maxVaults    = 16
	maxCharters  = 1024
	maxEvidence  = 64
	maxPage      = 8 << 20 // links or evidence in one answer
	maxProposal  = 32 << 20
	maxPlaced    = 4096 // placements in one answer
	signedRoom   = 1 << 10
	maxAnswer    = ledger.MaxBody + signedRoom
	maxShortLink = ledger.MaxEntry + ledger.MaxCertificate + ledger.MaxAcks + 2*signedRoom
)
