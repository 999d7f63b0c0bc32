package node

import (
	"context"
	"fmt"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p/shardrpc"
	"holdfast/store"
)

// This file holds the rule by which a node that drains makes sure that no commit under
// way still names it.
//
// SPEC: members place with a node what is certified, and a commit is certified minutes
// after the node has signed its receipt. So a node that seems to be empty signs receipts
// for commits no more, and is empty only if every shard that has come within an hour is in
// a certified entry by then, and a quorum of members, asked after that, place none with it.

// settleTime is how long after its first shard a commit may still be certified. A writer
// commits every five minutes, or more often.
const settleTime = time.Hour

// settleEvery is how often it is looked again, while something is open.
const settleEvery = 30 * time.Second

// settle refuses receipts from now on, and returns nil if nothing that has come lately is
// open. Otherwise receipts are signed again, and the error says what is waited for.
func (d *drainer) settle(ctx context.Context, vaults []DrainVault) error {
	d.refuse(true)
	err := d.settled(ctx, vaults)
	if err != nil {
		d.refuse(false)
		d.again = d.now().Add(settleEvery)
	}
	return err
}

func (d *drainer) settled(ctx context.Context, vaults []DrainVault) error {
	charters := map[ident.CID]ledger.Charter{}
	for _, v := range vaults {
		charters[v.id] = v.chain.Current()
	}
	// What has arrived is held for as long from then on.
	lately := d.now().Add(bookHold - settleTime).UnixMilli()
	return d.volume.use(ctx, func(p *parts) error {
		var after store.Key
		for {
			keys, next, err := p.book.page(after, ledger.MaxStates, func(r record) bool { return !r.Certified && !r.Trashed && r.Until > lately })
			if err != nil {
				return err
			}
			for vault, segments := range byVault(keys) {
				if err := d.certifier.certified(ctx, p, charters[vault], segments); err != nil {
					return fmt.Errorf("a backup that names this node may be under way: %w", err)
				}
			}
			if !next.Vault.Defined() {
				return nil
			}
			after = next
		}
	})
}

func byVault(keys []store.Key) map[ident.CID][]ident.CID {
	segments := map[ident.CID][]ident.CID{}
	for _, k := range keys {
		segments[k.Vault] = append(segments[k.Vault], k.Segment)
	}
	return segments
}

// commits reports whether this node still signs receipts for commits.
func (o *orders) commits() error {
	if o != nil && o.emptied.Load() {
		return fmt.Errorf("%w: the node has given away what it held", shardrpc.ErrFull)
	}
	return nil
}
