package node

import (
	"context"
	"fmt"
	"log/slog"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// charters finds the newest charter of a vault, as a holder must before bytes leave:
// from what it remembers, and by asking the members for what has come since. Each
// charter proves itself by a quorum of the one before.
type charters struct {
	volume    *volume
	witnesses witnesses
	log       *slog.Logger
}

// newest returns the charters of a vault, as far as any member that answers knows.
func (c *charters) newest(ctx context.Context, vault ident.CID) (ledger.Chain, error) {
	chain, err := c.remembered(ctx, vault)
	for err == nil {
		known := chain.Len()
		answers := askAll(ctx, chain.Current().Members, func(ctx context.Context, m ledger.Member) ([][]byte, error) {
			return c.witnesses.at(m.Node).Successions(ctx, vault, int64(known)+1)
		})
		for _, a := range answers {
			// Two members may know equally far; what one has sent already is left out.
			if add := chain.Len() - known; len(a.what) > add {
				chain = c.extend(ctx, chain, a.what[add:])
			}
		}
		if chain.Len() == known {
			return chain, nil
		}
		err = ctx.Err()
	}
	return chain, err
}

// remembered returns the charters that this node knows by itself, the first at least.
func (c *charters) remembered(ctx context.Context, vault ident.CID) (chain ledger.Chain, err error) {
	err = c.volume.use(ctx, func(p *parts) error {
		first, err := p.knownCharter(vault)
		if err != nil {
			return fmt.Errorf("vault %v has no charter here: %w", vault, err)
		}
		if chain, err = ledger.NewChain(first); err != nil {
			return err
		}
		links, err := p.book.links(vault)
		for _, l := range links {
			next, err := appendLink(chain, l)
			if err != nil {
				c.log.Warn("a charter that was remembered does not verify", "vault", vault.String(), "error", err)
				break // it is asked for again
			}
			chain = next
		}
		return err
	})
	return chain, err
}

// extend appends what a member sent, as far as it verifies, and remembers it.
func (c *charters) extend(ctx context.Context, chain ledger.Chain, links [][]byte) ledger.Chain {
	for _, l := range links {
		next, err := appendLink(chain, l)
		if err == nil {
			err = c.volume.use(ctx, func(p *parts) error { return p.book.addLink(chain.ID(), next.Len(), l) })
		}
		if err != nil {
			c.log.Warn("a charter that a member sent is not taken", "vault", chain.ID().String(), "error", err)
			return chain
		}
		chain = next
	}
	return chain
}

func appendLink(chain ledger.Chain, encoded []byte) (ledger.Chain, error) {
	l, err := ledger.ParseLink(encoded)
	if err != nil {
		return chain, err
	}
	return chain.Append(l)
}
