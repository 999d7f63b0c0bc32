package rpc

import (
	"errors"
	"fmt"
	"net"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
)

// What can go wrong between two peers, whatever they talk about. A caller tells
// them apart with errors.Is.
var (
	ErrTimeout  = errors.New("the peer is silent or too slow")
	ErrBroken   = errors.New("the stream broke")
	ErrProtocol = errors.New("the peer does not keep to the protocol")
	ErrClosed   = errors.New("closed")
)

// Refusals that every protocol has.
var (
	ErrInternal   = errors.New("the peer failed for a reason of its own")
	ErrBadRequest = errors.New("the peer does not understand the request")
	ErrBusy       = errors.New("the peer is busy")
	ErrRefused    = errors.New("the peer refused for a reason that this version does not know")
)

// PeerError names the peer that an error came from, or through.
type PeerError struct {
	Peer ident.PublicKey
	Verb string // what was asked of it
	Err  error
}

func (e *PeerError) Error() string { return fmt.Sprintf("ask %s to %s: %v", e.Peer, e.Verb, e.Err) }
func (e *PeerError) Unwrap() error { return e.Err }

// fault says which of the first three errors it is that a stream has ended with.
// The cause stays inside.
func fault(err error) error {
	var slow net.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrTimeout), errors.Is(err, ErrBroken), errors.Is(err, ErrProtocol):
		return err
	case errors.Is(err, wire.ErrMalformed), errors.Is(err, wire.ErrTooLong):
		return fmt.Errorf("%w: %w", ErrProtocol, err)
	case errors.As(err, &slow) && slow.Timeout():
		return fmt.Errorf("%w: %w", ErrTimeout, err)
	default:
		return fmt.Errorf("%w: %w", ErrBroken, err)
	}
}
