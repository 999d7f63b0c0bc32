package ledgerrpc

import (
	"context"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p/rpc"
)

// Docket is where people speak: requests are made and judged, and guardians say that
// they have their shares. What it is given is signed; everybody may use it, because
// guardians have no device in the vault. Everything may be repeated.
type Docket interface {
	// Request hands over a signed request, and with one of kind charter the signed
	// successor, which is the zero value otherwise.
	Request(ctx context.Context, vault ident.CID, request, successor ident.Signed) error

	// Opine hands over a guardian's approval or veto.
	Opine(ctx context.Context, vault ident.CID, stance ledger.Stance, opinion ident.Signed) error

	// Cases returns up to MaxCases encoded cases, the newest first, from the one after a
	// request on; the undefined CID asks for the newest. None means that there are no
	// more.
	Cases(ctx context.Context, vault, after ident.CID) ([][]byte, error)

	// Confirm hands over a guardian's confirmation of his share.
	Confirm(ctx context.Context, vault ident.CID, confirmation ident.Signed) error

	// Confirmations returns what the guardians of the charter in force have confirmed, at
	// most one of each; none is no error.
	Confirmations(ctx context.Context, vault ident.CID) ([]ident.Signed, error)
}

// Releaser is how what nobody needs is found, and let go of by a quorum.
type Releaser interface {
	// Free returns segments that are free by the member's own arithmetic, were the
	// request's targets gone, whether it has passed or not: up to ledger.MaxTargets of
	// them, lane by lane and by number, which is an order that all members share, from
	// behind one; the undefined CID comes before the first. More says that there are
	// others. A Release holds them sorted by name.
	Free(ctx context.Context, vault, request, after ident.CID) (segments []ident.CID, more bool, err error)

	// Consent hands over an encoded release and returns the member's consent.
	Consent(ctx context.Context, vault ident.CID, release []byte) (ident.Signed, error)

	// Release hands over an encoded release certificate.
	Release(ctx context.Context, vault ident.CID, certificate []byte) error

	// Released returns up to limit encoded ledger.Released from a number on, in the
	// order of their numbers; none means that there are no more.
	Released(ctx context.Context, vault ident.CID, from int64, limit int) ([][]byte, error)
}

// Undoer is how a release is taken back, and what holders ask before they go on.
type Undoer interface {
	// Undo hands over a signed undo and returns the member's word.
	Undo(ctx context.Context, vault ident.CID, undo ident.Signed) (ident.Signed, error)

	// Undone hands over an encoded undo certificate.
	Undone(ctx context.Context, vault ident.CID, certificate []byte) error

	// Standing asks for the member's signed word on each of up to ledger.MaxStates
	// releases.
	Standing(ctx context.Context, vault ident.CID, nonce [16]byte, releases []ident.CID) (ident.Signed, error)
}

const (
	// MaxCases is how many cases one answer holds at most.
	MaxCases = 256
	// MaxReleased is how many certified releases one answer holds at most.
	MaxReleased = 256
)

// The verbs of requests, of releases, and of what guardians confirm.
const (
	Ask      Verb = "request"
	Opine    Verb = "opine"
	Cases    Verb = "cases"
	Free     Verb = "free"
	Consent  Verb = "consent"
	Release  Verb = "release"
	Released Verb = "released"
	Undo     Verb = "undo"
	Undone   Verb = "undone"
	Standing Verb = "standing"

	Confirm       Verb = "confirm"
	Confirmations Verb = "confirmations"
)

// opineRequest brings an opinion of a stance.
type opineRequest struct {
	Op    Verb          `cbor:"op"`
	Vault ident.CID     `cbor:"vault"`
	Kind  ledger.Stance `cbor:"kind"`
	Parts []uint64      `cbor:"parts"`
}

// casesRequest asks for cases.
type casesRequest struct {
	Op    Verb      `cbor:"op"`
	Vault ident.CID `cbor:"vault"`
	After ident.CID `cbor:"after,omitzero"`
}

// freeRequest asks for free segments.
type freeRequest struct {
	Op      Verb         `cbor:"op"`
	Vault   ident.CID    `cbor:"vault"`
	Request ident.CID    `cbor:"request"`
	After   ident.CID    `cbor:"after,omitzero"`
	Grant   ident.Signed `cbor:"grant,omitzero"`
}

// freeAnswer is followed by the segments, or by nothing.
type freeAnswer struct {
	Status uint64   `cbor:"status"`
	Parts  []uint64 `cbor:"parts,omitempty"`
	More   bool     `cbor:"more,omitempty"`
}

// releasedRequest asks for certified releases.
type releasedRequest struct {
	Op    Verb      `cbor:"op"`
	Vault ident.CID `cbor:"vault"`
	From  int64     `cbor:"from"`
	Limit uint64    `cbor:"limit"`
}

// Bounds of the answers.
var (
	casesAnswer    = rpc.Bounds{Count: MaxCases, Each: ledger.MaxCase, Total: maxPage + ledger.MaxCase}
	releasedAnswer = rpc.Bounds{Count: MaxReleased, Each: ledger.MaxReleased, Total: maxPage + ledger.MaxReleased}
	freeBounds     = rpc.Bounds{Count: 1, Each: maxSegments, Total: maxSegments}

	confirmationsAnswer = rpc.Bounds{Count: ledger.MaxGuardians, Each: maxSmall, Total: ledger.MaxGuardians * maxSmall}
)
