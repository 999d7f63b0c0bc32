package vault

import (
	"context"
	"errors"
	"sync"
	"time"

	"holdfast/internal/ident"
	"holdfast/p2p/shardrpc"
	"holdfast/vault/object"
)

// silence remembers which nodes have not answered, so that a check waits for each
// of them once and not once for each shard.
type silence struct {
	mu    sync.Mutex
	nodes map[ident.PublicKey]error
}

// checkPatience is how long a check waits for a node to say what it has.
const checkPatience = 5 * time.Second

// checkReader is a reader for Check, which ends with the context.
func (s *Session) checkReader(ctx context.Context) *object.Reader {
	q := &silence{nodes: map[ident.PublicKey]error{}}
	return s.readerOver(nil, func(node ident.PublicKey) shardrpc.Holder {
		return patient{s.holder(node), node, q, func() bool { return ctx.Err() != nil }}
	})
}

// patient is a holder that is asked no more once it has not answered.
type patient struct {
	shardrpc.Holder
	node ident.PublicKey
	q    *silence
	over func() bool // the whole check is ending: that is nobody's silence
}

// Has implements shardrpc.Holder.
func (p patient) Has(ctx context.Context, refs []shardrpc.Ref) ([]bool, error) {
	if err := p.q.of(p.node); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	has, err := p.Holder.Has(ctx, refs)
	if err != nil && !errors.Is(err, shardrpc.ErrBusy) && !p.over() {
		p.q.mark(p.node, err)
	}
	return has, err
}

func (q *silence) of(node ident.PublicKey) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.nodes[node]
}

func (q *silence) mark(node ident.PublicKey, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.nodes[node] = err
}
