package shardrpc

import (
	"bytes"
	"context"
	"sync"

	"holdfast/internal/ident"
	"holdfast/p2p/rpc"
)

// Client asks holders. It is safe for concurrent use.
type Client struct {
	opener rpc.Opener
	limits Limits

	mu      sync.Mutex
	closed  bool
	holders map[holderKey]*remote
}

type holderKey struct {
	node     ident.PublicKey
	greeting ident.CID // of the bytes of auth: vault and credential
}

// NewClient makes a client over an opener of streams.
func NewClient(o rpc.Opener, l Limits) *Client {
	return &Client{opener: o, limits: l, holders: make(map[holderKey]*remote)}
}

// Holder returns a node's shelf. Nothing is dialled before the first request. Who
// asks again for the same node, vault and credential gets the same one, with its
// streams. A credential that is too long for the protocol is refused by every
// method of the holder.
func (c *Client) Holder(node ident.PublicKey, vault ident.CID, cred Credential) Holder {
	hello, err := greeting(vault, cred)
	if err != nil {
		return &remote{node: node, broken: err}
	}
	key := holderKey{node, ident.SumRaw(bytes.Join(hello, nil))}
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.holders[key]
	if h == nil {
		h = &remote{node: node, pool: rpc.NewPool(c.limits, hello, func(ctx context.Context) (rpc.Stream, error) {
			return c.opener.Open(ctx, node, Protocol)
		})}
		c.holders[key] = h
	}
	if c.closed {
		h.pool.Close()
	}
	return h
}

// Close ends idle streams and refuses new requests with rpc.ErrClosed.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, h := range c.holders {
		h.pool.Close()
	}
}
