package vault

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
	"holdfast/p2p/ledgerrpc"
)

// TestReadiest: who has answered is asked first.
func TestReadiest(t *testing.T) {
	c := ledgertest.NewVault("shop", 4).Charter
	s := &Session{charter: c}
	if got := s.readiest(); len(got) != 4 || got[0].Node != c.Members[0].Node {
		t.Error("before anything was asked the order is the charter's")
	}
	for i, m := range c.Members {
		a := answer[ledger.Heads]{Member: m}
		if i < 2 {
			a.Err = context.DeadlineExceeded
		}
		s.heard = append(s.heard, a)
	}
	for i, m := range s.readiest() {
		if want := c.Members[(i+2)%4]; m.Node != want.Node {
			t.Errorf("member %d is %s, not %s", i, m.Name, want.Name)
		}
	}
}

// TestHopeless: only what so many have refused for good that no quorum is left.
func TestHopeless(t *testing.T) {
	c := ledgertest.NewVault("shop", 4).Charter
	passing := []error{context.DeadlineExceeded, ledger.ErrBehind, ledgerrpc.ErrLocked, ledgerrpc.ErrBusy, ledgerrpc.ErrPaused, errors.New("out of reach")}
	for _, last := range passing {
		for firmly := range 5 {
			var answers []answer[int]
			for i, m := range c.Members {
				err := fmt.Errorf("asked: %w", last)
				if i < firmly {
					err = fmt.Errorf("asked: %w", ledger.ErrReceipt)
				}
				answers = append(answers, answer[int]{Member: m, Err: err})
			}
			err := fmt.Errorf("offer: %w", refusal(answers, 0, c.Quorum()))
			if !errors.Is(err, ErrNoQuorum) || hopeless(err, c) != (firmly >= 2) {
				t.Errorf("%d firm refusals, and %v: hopeless is %v", firmly, last, hopeless(err, c))
			}
		}
	}
}
