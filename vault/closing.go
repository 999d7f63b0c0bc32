package vault

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// ErrReleased says that a backup counted on data that is being released, and that
// what it read is not there any more to be sent again.
var ErrReleased = errors.New("what this backup builds on is being released")

// maxAgain bounds how often one backup begins again.
const maxAgain = 4

// again reports whether a backup that has failed with err is to begin again: members
// told it which segments are closing, and from now on nothing is built on these.
//
// SPEC: the writer is told `closing` and sends those chunks again in a new segment.
func (s *Session) again(ctx context.Context, b Backup, err error) (bool, error) {
	if !errors.Is(err, ledger.ErrClosing) || ctx.Err() != nil {
		return false, err
	}
	s.leave(namedBy(err, ledger.ErrClosing))
	s.warn("some of what this backup builds on is being released meanwhile; it is sent again")
	if _, failed := s.Sync(ctx); failed != nil {
		return false, errors.Join(err, failed)
	}
	if !errors.Is(err, ErrGivenUp) { // else the lane is free for another entry already
		if failed := s.resume(ctx); failed != nil {
			return false, failed
		}
	}
	if b.Stream != nil {
		return false, fmt.Errorf("%w: %w", ErrReleased, err)
	}
	return true, nil
}

// eachError calls f with every error that err is made of.
func eachError(err error, f func(error)) {
	if err == nil {
		return
	}
	f(err)
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		eachError(e.Unwrap(), f)
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			eachError(one, f)
		}
	}
}

// leavePassed has nothing built on what a request that has passed may take at any time.
// It is for streams, which cannot be read again; other backups are told by the members
// if it comes to that. Members that do not answer are no reason to make no backup.
func (s *Session) leavePassed(ctx context.Context) {
	open, err := s.OpenCases(ctx)
	for _, k := range open {
		if k.State != ledger.StatePassed || err != nil {
			continue
		}
		var segments []ident.CID
		if segments, err = s.council().free(ctx, k.Request.CID(), nil); err == nil {
			s.leave(segments)
		}
	}
	if err != nil {
		s.options.Log.Debug("what may be released is not known", "error", err)
	}
}

// leave notes that segments are on their way out: nothing new is built on them.
func (s *Session) leave(segments []ident.CID) {
	if s.leaving == nil {
		s.leaving = map[ident.CID]bool{}
	}
	for _, id := range segments {
		s.leaving[id] = true
	}
	s.avoid()
}

// avoid tells the index what nothing is to be built on.
func (s *Session) avoid() {
	all := maps.Clone(s.leaving)
	if all == nil {
		all = map[ident.CID]bool{}
	}
	maps.Copy(all, s.releases.segments)
	s.index.SetReleased(all)
}
