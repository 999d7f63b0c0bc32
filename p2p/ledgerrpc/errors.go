package ledgerrpc

import (
	"errors"
	"fmt"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
	"holdfast/p2p/rpc"
)

// The refusals of a member that package ledger does not know. Those of a vote are
// ledger's own, so that a backend passes them on as they are.
var (
	ErrUnknownVault = errors.New("the vault is not known here")
	ErrUnknownEntry = errors.New("the member has not seen the entry that is certified")
	ErrNotFound     = errors.New("the member does not have that")
	ErrFull         = errors.New("the member keeps no more vaults")
	ErrLocked       = errors.New("the member has voted for another entry at this place")
	ErrPaused       = errors.New("the member's store is not there")
	ErrForgotten    = errors.New("the member has lost its votes under this key and signs nothing more")
	ErrCorrupt      = errors.New("what was asked for is damaged on the member's disk")

	ErrBusy       = rpc.ErrBusy
	ErrBadRequest = rpc.ErrBadRequest
	ErrInternal   = rpc.ErrInternal
)

// ErrLied is not a refusal: the member has sent something else than what it was
// asked for by name.
var ErrLied = errors.New("the member sent something else than what was asked for")

// HeadError is a refusal because of the entry's place: ledger.ErrStale, ErrBehind,
// ErrFork, ErrAttempt or ErrUndecided, ErrLocked or ErrUnknownEntry, with what the
// member knows about the lane, so that whoever is behind can catch up.
type HeadError struct {
	Err    error       // which of them
	Height int64       // of the highest certificate; 0 for none
	Entry  ident.CID   // what it certifies
	Lock   ledger.Lock // the open lock; zero for none
	Floor  int64       // attempt below which the member signs nothing at the entry's height
}

func (e *HeadError) Error() string {
	return fmt.Sprintf("%v: the member's head is %v at height %d", e.Err, e.Entry, e.Height)
}

func (e *HeadError) Unwrap() error { return e.Err }

// refusals is the table of docs/protocol.md, section 4. Where an error wraps
// several of them, the first one of the table is sent: the general ones stand last.
var refusals = rpc.NewRefusals(
	rpc.Row{Number: 10, Err: ledger.ErrForbidden, Explain: true},
	rpc.Row{Number: 11, Err: ErrUnknownVault},
	rpc.Row{Number: 12, Err: ErrNotFound},
	rpc.Row{Number: 13, Err: ErrFull},
	rpc.Row{Number: 14, Err: ErrPaused},
	headRow(15, ErrUnknownEntry),
	rpc.Row{Number: 16, Err: ErrForgotten},
	rpc.Row{Number: 17, Err: ErrCorrupt},
	rpc.Row{Number: 20, Err: ledger.ErrNotMember, Explain: true},
	headRow(21, ledger.ErrBehind),
	headRow(22, ledger.ErrStale),
	headRow(23, ErrLocked),
	headRow(24, ledger.ErrFork),
	rpc.Row{Number: 25, Err: ledger.ErrMargin, Explain: true},
	segmentsRow(26, ledger.ErrClosing),
	headRow(27, ledger.ErrAttempt),
	rpc.Row{Number: 28, Err: ledger.ErrCharter, Explain: true},
	rpc.Row{Number: 29, Err: ledger.ErrKind, Explain: true},
	rpc.Row{Number: 30, Err: ledger.ErrBody, Explain: true},
	rpc.Row{Number: 31, Err: ledger.ErrRevoked, Explain: true},
	rpc.Row{Number: 32, Err: ledger.ErrHolder, Explain: true},
	rpc.Row{Number: 33, Err: ledger.ErrPlacement, Explain: true},
	rpc.Row{Number: 34, Err: ledger.ErrReceipt, Explain: true},
	rpc.Row{Number: 35, Err: ledger.ErrIntroduced, Explain: true},
	rpc.Row{Number: 36, Err: ledger.ErrRefs, Explain: true},
	rpc.Row{Number: 37, Err: ledger.ErrVoid, Explain: true},
	headRow(38, ledger.ErrUndecided),
	rpc.Row{Number: 40, Err: ledger.ErrNoQuorum, Explain: true},
	rpc.Row{Number: 41, Err: ledger.ErrExpired, Explain: true},
	rpc.Row{Number: 42, Err: ledger.ErrTooLarge, Explain: true},
	rpc.Row{Number: 43, Err: ledger.ErrMismatch, Explain: true},
	rpc.Row{Number: 44, Err: ledger.ErrInvalid, Explain: true},
	rpc.Row{Number: 45, Err: ledger.ErrVersion, Explain: true},
	rpc.Row{Number: 46, Err: ident.ErrSignature},
	rpc.Row{Number: 47, Err: wire.ErrMalformed, Explain: true},
	rpc.Row{Number: 50, Err: ledger.ErrUnknownRequest, Explain: true},
	rpc.Row{Number: 51, Err: ledger.ErrNotPassed, Explain: true},
	rpc.Row{Number: 52, Err: ledger.ErrVetoed, Explain: true},
	rpc.Row{Number: 53, Err: ledger.ErrSettled, Explain: true},
	segmentsRow(54, ledger.ErrNotFree),
	rpc.Row{Number: 55, Err: ledger.ErrRetention, Explain: true},
	rpc.Row{Number: 56, Err: ledger.ErrClockDoubt},
	rpc.Row{Number: 57, Err: ledger.ErrTooLate, Explain: true},
	rpc.Row{Number: 58, Err: ledger.ErrFrozen, Explain: true},
	rpc.Row{Number: 59, Err: ledger.ErrLowers, Explain: true},
	rpc.Row{Number: 60, Err: ledger.ErrSuperseded, Explain: true},
)

// head is what travels with a HeadError.
type head struct {
	Height int64       `cbor:"height"`
	Entry  ident.CID   `cbor:"entry,omitzero"`
	Lock   ledger.Lock `cbor:"lock,omitzero"`
	Floor  int64       `cbor:"floor,omitempty"`
}

func headRow(number uint64, sentinel error) rpc.Row {
	return rpc.Row{Number: number, Err: sentinel, Explain: true, Pack: packHead, Unpack: func(p []byte) (error, error) {
		h, err := parseHead(p)
		if err != nil {
			return nil, err
		}
		return &HeadError{sentinel, h.Height, h.Entry, h.Lock, h.Floor}, nil
	}}
}

func packHead(err error) []byte {
	var e *HeadError
	if !errors.As(err, &e) {
		return nil
	}
	p, encodeErr := wire.Encode(head{e.Height, e.Entry, e.Lock, e.Floor})
	if encodeErr != nil {
		return nil
	}
	return p
}

func parseHead(p []byte) (head, error) {
	var h head
	if err := wire.Decode(p, &h); err != nil {
		return head{}, err
	}
	noLock := h.Lock == ledger.Lock{}
	if h.Height < 0 || h.Floor < 0 || (h.Height > 0) != h.Entry.Defined() || !noLock && (h.Lock.Height < 1 || h.Lock.Attempt < 0) {
		return head{}, fmt.Errorf("%w: no place in a lane", wire.ErrMalformed)
	}
	return h, nil
}

// packSegments carries the segments that a refusal names.
func packSegments(err error) []byte {
	var e *ledger.SegmentsError
	if !errors.As(err, &e) || len(e.Segments) == 0 {
		return nil
	}
	p, encodeErr := encodeSegments(e.Segments[:min(len(e.Segments), ledger.MaxNamed)])
	if encodeErr != nil {
		return nil
	}
	return p
}

func segmentsRow(number uint64, sentinel error) rpc.Row {
	return rpc.Row{Number: number, Err: sentinel, Explain: true, Pack: packSegments, Unpack: func(p []byte) (error, error) {
		segments, err := parseSegments(p)
		if err != nil || len(segments) > ledger.MaxNamed {
			return nil, fmt.Errorf("%w: no segments", wire.ErrMalformed)
		}
		return &ledger.SegmentsError{Err: sentinel, Segments: segments}, nil
	}}
}
