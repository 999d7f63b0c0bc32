package node

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p/ledgerrpc"
)

// witness is one member of a vault, whom a holder asks before bytes leave.
type witness interface {
	Segments(ctx context.Context, vault ident.CID, nonce [16]byte, segments []ident.CID) (ident.Signed, error)
	Successions(ctx context.Context, vault ident.CID, from int64) ([][]byte, error)
	Released(ctx context.Context, vault ident.CID, from int64, limit int) ([][]byte, error)
	Standing(ctx context.Context, vault ident.CID, nonce [16]byte, releases []ident.CID) (ident.Signed, error)
}

// witnesses finds members by their nodes.
type witnesses interface {
	at(node ident.PublicKey) witness
}

// knownWitnesses asks this node's own ledgers where it is itself a member, and the
// others over the network.
type knownWitnesses struct {
	own     ident.PublicKey
	ledgers witness
	client  *ledgerrpc.Client
}

// at implements witnesses.
func (w knownWitnesses) at(node ident.PublicKey) witness {
	if node == w.own {
		return w.ledgers
	}
	return w.client.Member(node, ident.Signed{})
}

// askLimit is how long members have for an answer.
const askLimit = 20 * time.Second

var errSilent = errors.New("too few members answer")

// answered is what one member said.
type answered[T any] struct {
	member ledger.Member
	what   T
}

// askAll asks members at once and returns what those say who answer, in no order.
func askAll[T any](ctx context.Context, members []ledger.Member, ask func(context.Context, ledger.Member) (T, error)) []answered[T] {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	replies := make(chan *answered[T])
	for _, m := range members {
		go func() {
			a, err := ask(ctx, m)
			if err != nil {
				replies <- nil
				return
			}
			replies <- &answered[T]{m, a}
		}()
	}
	var all []answered[T]
	for range members {
		if a := <-replies; a != nil {
			all = append(all, *a)
		}
	}
	return all
}

func newNonce() (nonce [16]byte, err error) {
	_, err = rand.Read(nonce[:])
	return nonce, err
}
