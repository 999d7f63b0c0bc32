package shardrpc

import (
	"errors"

	"holdfast/p2p/rpc"
	"holdfast/store"
)

// The refusals of a holder. Those that a shelf knows are the shelf's own, so that a
// session passes them on as they are.
var (
	ErrForbidden    = errors.New("the credential does not allow that")
	ErrUnknownVault = errors.New("the vault is not known here")
	ErrNotFound     = store.ErrNotFound
	ErrFull         = store.ErrFull
	ErrQuota        = errors.New("the device's quota is used up")
	ErrMismatch     = store.ErrMismatch
	ErrCorrupt      = store.ErrCorrupt
	ErrPaused       = store.ErrPaused
	ErrRange        = store.ErrRange
	ErrClock        = errors.New("the clocks are too far apart")
	ErrRevoked      = errors.New("the device was revoked")
	ErrReleased     = errors.New("the segment was released, and its shard erased here")

	ErrBusy       = rpc.ErrBusy
	ErrBadRequest = rpc.ErrBadRequest
	ErrInternal   = rpc.ErrInternal
)

// ErrLied is not a refusal: the holder has sent bytes that are not those of the
// shard. It is what counts against a holder; ErrCorrupt is a holder that says itself
// that its copy is bad.
var ErrLied = errors.New("the holder sent bytes that are not those of the shard")

// refusals is the table of docs/protocol.md, section 3.
var refusals = rpc.NewRefusals(
	rpc.Row{Number: 10, Err: ErrForbidden, Explain: true},
	rpc.Row{Number: 11, Err: ErrUnknownVault},
	rpc.Row{Number: 12, Err: ErrNotFound},
	rpc.Row{Number: 13, Err: ErrFull},
	rpc.Row{Number: 14, Err: ErrQuota, Explain: true},
	rpc.Row{Number: 15, Err: ErrMismatch},
	rpc.Row{Number: 16, Err: ErrCorrupt},
	rpc.Row{Number: 17, Err: ErrPaused},
	rpc.Row{Number: 18, Err: ErrRange},
	rpc.Row{Number: 19, Err: ErrClock, Explain: true},
	rpc.Row{Number: 25, Err: ErrRevoked},
	rpc.Row{Number: 26, Err: ErrReleased},
)
