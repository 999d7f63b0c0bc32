package ledgerrpc

import (
	"context"
	"fmt"
	"sync"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/p2p/rpc"
)

// Client asks members. It is safe for concurrent use.
type Client struct {
	opener rpc.Opener
	limits Limits

	mu     sync.Mutex
	closed bool
	pools  map[ident.PublicKey]*rpc.Pool
}

// NewClient makes a client over an opener of streams.
func NewClient(o rpc.Opener, l Limits) *Client {
	return &Client{opener: o, limits: l, pools: make(map[ident.PublicKey]*rpc.Pool)}
}

// Member returns the member at a node. Nothing is dialled before the first request.
// The grant is shown where a right is asked for; it may be zero. All members at one
// node share their streams.
func (c *Client) Member(node ident.PublicKey, grant ident.Signed) *Member {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.pools[node]
	if p == nil {
		p = rpc.NewPool(c.limits, nil, func(ctx context.Context) (rpc.Stream, error) {
			return c.opener.Open(ctx, node, Protocol)
		})
		c.pools[node] = p
	}
	if c.closed {
		p.Close()
	}
	return &Member{node: node, grant: grant, pool: p}
}

// Close ends idle streams and refuses new requests with rpc.ErrClosed.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, p := range c.pools {
		p.Close()
	}
}

// Member is one member over the wire. It is safe for concurrent use.
type Member struct {
	node  ident.PublicKey
	grant ident.Signed
	pool  *rpc.Pool
}

var (
	_ Reader    = (*Member)(nil)
	_ Voter     = (*Member)(nil)
	_ Witness   = (*Member)(nil)
	_ Placer    = (*Member)(nil)
	_ Auditor   = (*Member)(nil)
	_ Successor = (*Member)(nil)
	_ Docket    = (*Member)(nil)
	_ Releaser  = (*Member)(nil)
	_ Undoer    = (*Member)(nil)
)

// ask sends a request with its parts and gives the answer's parts to check.
func (m *Member) ask(ctx context.Context, verb Verb, request any, parts [][]byte, b rpc.Bounds, check func(parts [][]byte) error) error {
	err := m.pool.Do(ctx, func(c *rpc.Call) error {
		var a answer
		if err := c.Ask(refusals, request, &a, parts...); err != nil {
			return err
		}
		got, err := c.Parts(a.Parts, b)
		if err != nil {
			return err
		}
		if err := check(got); err != nil {
			return err
		}
		c.Settle()
		return nil
	})
	if err != nil {
		return &rpc.PeerError{Peer: m.node, Verb: string(verb), Err: err}
	}
	return nil
}

// askSigned asks for one signed object of at most so many bytes.
func (m *Member) askSigned(ctx context.Context, verb Verb, request any, parts [][]byte, most uint64) (ident.Signed, error) {
	var s ident.Signed
	most += signedRoom
	err := m.ask(ctx, verb, request, parts, rpc.Bounds{Count: 1, Each: most, Total: most}, func(got [][]byte) error {
		list, err := readSigned(got)
		if err == nil && len(list) != 1 {
			err = fmt.Errorf("%w: no answer", rpc.ErrProtocol)
		}
		if err == nil {
			s = list[0]
		}
		return err
	})
	return s, err
}

// askList asks for signed objects.
func (m *Member) askList(ctx context.Context, verb Verb, request any, parts [][]byte, b rpc.Bounds) ([]ident.Signed, error) {
	var list []ident.Signed
	err := m.ask(ctx, verb, request, parts, b, func(got [][]byte) (err error) {
		list, err = readSigned(got)
		return err
	})
	return list, err
}

func readSigned(parts [][]byte) ([]ident.Signed, error) {
	list := make([]ident.Signed, len(parts))
	for i, p := range parts {
		if err := wire.Decode(p, &list[i]); err != nil {
			return nil, fmt.Errorf("%w: %w", rpc.ErrProtocol, err)
		}
	}
	return list, nil
}

// nothing checks an answer that says no more than yes.
func nothing([][]byte) error { return nil }

// checkLength keeps off the wire what the member would refuse.
func checkLength(parts [][]byte, most ...uint64) error {
	_, err := bounds(rpc.Lengths(parts), most...)
	return err
}

func (m *Member) vaultRequest(verb Verb, vault ident.CID, parts [][]byte) vaultRequest {
	return vaultRequest{Op: verb, Vault: vault, Grant: m.grant, Parts: rpc.Lengths(parts)}
}
