package node

import (
	"context"
	"errors"
	"fmt"
	"io"

	"holdfast/internal/ident"
	"holdfast/node/audit"
	"holdfast/p2p/shardrpc"
	"holdfast/store"
)

// This file holds the rule of what payload is moved for, and what of it is limited:
// everything that comes over the network or goes there, served or asked for.

// putClass says what a row is put for: one without a nonce comes from a steward.
func (s *session) putClass(nonce shardrpc.Nonce) class {
	if nonce == (shardrpc.Nonce{}) {
		return classRepair
	}
	return classPut
}

// getClass says what a row is read for: other nodes read in order to repair.
func (s *session) getClass() class {
	if s.steward() {
		return classRepair
	}
	return classGet
}

// receiving begins a transfer from the peer.
func (s *session) receiving(ctx context.Context, c class, r io.Reader) (slow io.Reader, done func(), err error) {
	if s.local {
		return r, func() {}, nil
	}
	done, err = s.throttle.down.begin()
	return s.throttle.down.reader(ctx, c, r), done, err
}

// sending begins a transfer to the peer.
func (s *session) sending(ctx context.Context, c class) (slow func(w io.Writer) io.Writer, done func(), err error) {
	if s.local {
		return func(w io.Writer) io.Writer { return w }, func() {}, nil
	}
	done, err = s.throttle.up.begin()
	return func(w io.Writer) io.Writer { return s.throttle.up.writer(ctx, c, w) }, done, err
}

// limited is another node's shelf, asked within this node's limits: what a call moves is
// waited for before the call, so that no deadline of the protocol runs meanwhile.
type limited struct {
	shardrpc.Holder
	throttle *throttle
	class    class
	went     func(ctx context.Context, good bool) // told how transfers of rows and their parts go; nil: nobody is
}

// tell passes on how a transfer went. That a node is out of reach, busy or paused is no
// fault of its transfers: audits count that. That it has not what it should, or not the
// room that it has announced, is.
func (l limited) tell(ctx context.Context, err error) error {
	if l.went == nil {
		return err
	}
	switch {
	case err == nil:
		l.went(ctx, true)
	case errors.Is(err, shardrpc.ErrLied), errors.Is(err, shardrpc.ErrFull), isAbsent(err):
		l.went(ctx, false)
	}
	return err
}

// Put implements shardrpc.Holder.
func (l limited) Put(ctx context.Context, nonce shardrpc.Nonce, index int, descriptor []byte, row []byte) error {
	if err := l.throttle.up.pay(ctx, l.class, int64(len(row))); err != nil {
		return err
	}
	return l.tell(ctx, l.Holder.Put(ctx, nonce, index, descriptor, row))
}

// Get implements shardrpc.Holder.
func (l limited) Get(ctx context.Context, ref shardrpc.Ref, want ident.CID, size int64, dst []byte) ([]byte, error) {
	if err := l.throttle.down.pay(ctx, l.class, size); err != nil {
		return nil, err
	}
	row, err := l.Holder.Get(ctx, ref, want, size, dst)
	return row, l.tell(ctx, err)
}

// Range implements shardrpc.Holder.
func (l limited) Range(ctx context.Context, ref shardrpc.Ref, want ident.CID, size, off, n int64, dst []byte) ([]byte, error) {
	if err := l.throttle.down.pay(ctx, l.class, n); err != nil {
		return nil, err
	}
	part, err := l.Holder.Range(ctx, ref, want, size, off, n, dst)
	return part, l.tell(ctx, err)
}

// Audit implements shardrpc.Auditable. That this node's own limits leave no room for an
// answer says nothing about who would have given it.
func (l limited) Audit(ctx context.Context, challenges []shardrpc.Challenge) ([]shardrpc.Outcome, error) {
	if err := l.throttle.down.pay(ctx, l.class, int64(len(challenges))*store.GroupSize); err != nil {
		return nil, fmt.Errorf("%w: %w", audit.ErrNotAsked, err)
	}
	return l.Holder.Audit(ctx, challenges)
}
