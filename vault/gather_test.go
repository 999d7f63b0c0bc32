package vault

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/ledger"
)

func someMembers(n int) []ledger.Member {
	out := make([]ledger.Member, n)
	for i := range out {
		out[i].Name = string(rune('a' + i))
	}
	return out
}

func TestGatherWaitsForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answers := gather(t.Context(), someMembers(4), quorumWait{Enough: 4, Grace: time.Second, Limit: time.Minute}, func(_ context.Context, m ledger.Member) (string, error) {
			time.Sleep(time.Duration(m.Name[0]) * time.Millisecond)
			return m.Name, nil
		})
		for i, a := range answers {
			if a.Err != nil || a.Value != a.Member.Name || a.Value != string(rune('a'+i)) {
				t.Errorf("answer %d: %+v", i, a)
			}
		}
	})
}

func TestGatherGivesUpTheSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		answers := gather(t.Context(), someMembers(4), quorumWait{Enough: 3, Grace: time.Second, Limit: time.Minute}, func(ctx context.Context, m ledger.Member) (int, error) {
			if m.Name == "d" {
				<-ctx.Done()
				return 0, ctx.Err()
			}
			return 1, nil
		})
		if took := time.Since(start); took != time.Second {
			t.Errorf("took %v, not the grace", took)
		}
		if succeeded(answers) != 3 || !errors.Is(answers[3].Err, context.Canceled) {
			t.Errorf("answers: %+v", answers)
		}
	})
}

func TestGatherHasALimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var ended atomic.Int32
		answers := gather(t.Context(), someMembers(3), quorumWait{Enough: 2, Grace: time.Second, Limit: time.Minute}, func(ctx context.Context, _ ledger.Member) (int, error) {
			<-ctx.Done()
			ended.Add(1)
			return 0, ctx.Err()
		})
		if took := time.Since(start); took != time.Minute {
			t.Errorf("took %v, not the limit", took)
		}
		if succeeded(answers) != 0 || ended.Load() != 3 {
			t.Errorf("%d of 3 ended, %d succeeded", ended.Load(), succeeded(answers))
		}
	})
}
