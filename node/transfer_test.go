package node

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/node/audit"
	"holdfast/p2p/rpc"
	"holdfast/p2p/shardrpc"
)

// oneAnswer is a holder that says one thing to everybody.
type oneAnswer struct {
	shardrpc.Holder
	err error
}

func (a oneAnswer) Put(context.Context, shardrpc.Nonce, int, []byte, []byte) error { return a.err }

func (a oneAnswer) Get(context.Context, shardrpc.Ref, ident.CID, int64, []byte) ([]byte, error) {
	return nil, a.err
}

func (a oneAnswer) Range(context.Context, shardrpc.Ref, ident.CID, int64, int64, int64, []byte) ([]byte, error) {
	return nil, a.err
}

// What a node owes is counted for or against it; what it cannot help is not.
func TestTransfersAreJudged(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		want []bool // of a put, of a get, and of a part
	}{
		{"it goes well", nil, []bool{true, true, true}},
		{"other bytes came", shardrpc.ErrLied, []bool{false, false, false}},
		{"no room after all", shardrpc.ErrFull, []bool{false, false, false}},
		{"it is not there", shardrpc.ErrNotFound, []bool{false, false, false}},
		{"the volume is away", shardrpc.ErrPaused, nil},
		{"too much at once", rpc.ErrBusy, nil},
		{"nobody answers", context.DeadlineExceeded, nil},
		{"the quota is used up", shardrpc.ErrQuota, nil},
	} {
		var told []bool
		l := limited{oneAnswer{err: c.err}, newThrottle(nil, time.Now), classRepair, func(_ context.Context, good bool) { told = append(told, good) }}
		put := l.Put(t.Context(), shardrpc.Nonce{}, 0, nil, []byte("row"))
		_, get := l.Get(t.Context(), shardrpc.Ref{}, ident.CID{}, 3, nil)
		_, part := l.Range(t.Context(), shardrpc.Ref{}, ident.CID{}, 3, 0, 3, nil)
		if !errors.Is(put, c.err) || !errors.Is(get, c.err) || !errors.Is(part, c.err) {
			t.Errorf("%s: %v, %v, %v", c.name, put, get, part)
		}
		if !slices.Equal(told, c.want) {
			t.Errorf("%s: %v is told", c.name, told)
		}
	}
}

// A node whose own limits leave no room for an answer has not asked.
func TestOwnLimitsAreNoSilence(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	l := limited{oneAnswer{}, newThrottle([]Limit{{Down: 1}}, time.Now), classAudit, nil}
	challenges := make([]shardrpc.Challenge, shardrpc.MaxChallenges)
	if outcomes, err := l.Audit(ctx, challenges); !errors.Is(err, audit.ErrNotAsked) || outcomes != nil {
		t.Errorf("%v, %v", outcomes, err)
	}
}
