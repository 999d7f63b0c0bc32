package vault

import (
	"context"
	"time"

	"holdfast/ledger"
)

// answer is what one member said, or why it said nothing.
type answer[T any] struct {
	Member ledger.Member
	Value  T
	Err    error
}

// quorumWait says when to stop waiting for members.
type quorumWait struct {
	Enough int           // answers without error that are needed
	Grace  time.Duration // how long the others may still take after that
	Limit  time.Duration // how long to wait at all
}

// gather asks all members at once and returns their answers in the members' order.
// It comes back when all have answered, when enough have and the grace is over, or
// at the limit; whoever has not answered by then has the context's error. It waits
// for everything that it started.
func gather[T any](ctx context.Context, members []ledger.Member, w quorumWait, ask func(context.Context, ledger.Member) (T, error)) []answer[T] {
	ctx, cancel := context.WithTimeout(ctx, w.Limit)
	defer cancel()
	type indexed struct {
		i int
		a answer[T]
	}
	answers := make(chan indexed)
	for i, m := range members {
		go func() {
			v, err := ask(ctx, m)
			answers <- indexed{i, answer[T]{m, v, err}}
		}()
	}
	out := make([]answer[T], len(members))
	good := 0
	for range members {
		got := <-answers
		out[got.i] = got.a
		if got.a.Err == nil {
			good++
		}
		if good == w.Enough && got.a.Err == nil {
			grace := time.AfterFunc(w.Grace, cancel)
			defer grace.Stop()
		}
	}
	return out
}

// succeeded counts the answers without error.
func succeeded[T any](answers []answer[T]) int {
	n := 0
	for _, a := range answers {
		if a.Err == nil {
			n++
		}
	}
	return n
}
