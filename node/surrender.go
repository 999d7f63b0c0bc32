package node

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"go.etcd.io/bbolt"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p/shardrpc"
	"holdfast/store"
)

// proofGroups is how many groups of a shard its new holder proves, if it has so many.
const proofGroups = 2

// letGo has a new holder prove shards, and lets go of those that it has proved.
func (m *surrender) letGo(ctx context.Context, chain ledger.Chain, node ident.PublicKey, keys []store.Key) error {
	at := m.prover(chain, node)
	for len(keys) > 0 && ctx.Err() == nil {
		some := keys[:min(len(keys), shardrpc.MaxChallenges/proofGroups)]
		held, err := m.read(ctx, some)
		if err == nil {
			held, err = proved(ctx, at, held)
		}
		if err == nil {
			err = m.drop(ctx, node, held)
		}
		if err != nil {
			return err
		}
		keys = keys[len(some):]
	}
	return ctx.Err()
}

// heldShard is one that is here, as it was when the proof was asked for.
type heldShard struct {
	key    store.Key
	record record
	shard  ident.CID
	size   int64
}

// read looks at shards on the shelf. What is not there, or damaged, is not this file's.
func (m *surrender) read(ctx context.Context, keys []store.Key) (held []heldShard, err error) {
	err = m.volume.use(ctx, func(p *parts) error {
		for _, k := range keys {
			r, known, err := p.book.get(k)
			if err != nil {
				return err
			}
			info, err := p.shelf.Stat(ctx, k)
			if isAbsent(err) || errors.Is(err, store.ErrPaused) || !known {
				continue // of a volume that is away, too: others wait for none
			}
			if err != nil {
				return err
			}
			d, err := erasure.ParseDescriptor(info.Descriptor)
			if err != nil {
				return err
			}
			held = append(held, heldShard{k, r, d.Shards[k.Index], d.RowSize()})
		}
		return nil
	})
	return held, err
}

// proved returns the shards of which the new holder has proved every group that it was
// asked for.
func proved(ctx context.Context, at prover, held []heldShard) (good []heldShard, err error) {
	var challenges []shardrpc.Challenge
	var of []int
	for i, h := range held {
		ref := shardrpc.Ref{Segment: h.key.Segment, Index: h.key.Index}
		for _, g := range pick(store.Groups(h.size)) {
			challenges, of = append(challenges, shardrpc.Challenge{Ref: ref, Group: g, Shard: h.shard, Size: h.size}), append(of, i)
		}
	}
	if len(challenges) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	outcomes, err := at.Audit(ctx, challenges)
	if err != nil {
		return nil, err
	}
	if len(outcomes) != len(challenges) {
		return nil, fmt.Errorf("%d outcomes of %d challenges", len(outcomes), len(challenges))
	}
	failed := make([]bool, len(held))
	for i, o := range outcomes {
		failed[of[i]] = failed[of[i]] || o != shardrpc.Proved
	}
	for i, h := range held {
		if !failed[i] {
			good = append(good, h)
		}
	}
	return good, nil
}

// pick chooses different groups of so many.
func pick(groups int64) []int64 {
	first := rand.Int64N(groups)
	out := []int64{first}
	for len(out) < proofGroups && int64(len(out)) < groups {
		out = append(out, (first+1+rand.Int64N(groups-1))%groups)
	}
	return out
}

var errBudget = errors.New("the deletion budget of this day is used up")

// drop removes shards, as far as the deletion budget goes.
func (m *surrender) drop(ctx context.Context, node ident.PublicKey, held []heldShard) error {
	return m.volume.use(ctx, func(p *parts) error {
		u, err := p.shelf.Usage(ctx)
		if err != nil {
			return err
		}
		erased, budget := p.book.erased(m.stamp.now()), deletionBudget(m.budget, u)
		for _, h := range held {
			// As with releases: a small budget makes it slow, and does not stop it.
			if h.size > budget-erased && erased > 0 {
				return errBudget
			}
			gone, err := p.book.surrender(h.key, h.record, func() error { return p.shelf.Remove(ctx, h.key) })
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
			if gone {
				erased += h.size
				m.dropped()
				m.log.Info("let go of a shard that another node holds now", "shard", h.key.String(), "vault", h.key.Vault.String(), "holder", node.String())
			}
		}
		return p.book.relieve()
	})
}

// surrender calls remove, and forgets the shard if that succeeds, unless anything has
// happened to it since it was looked at: it has arrived anew, or was promised. Its bytes
// are counted as erased before.
func (b *book) surrender(key store.Key, was record, remove func() error) (gone bool, err error) {
	b.letting.Lock()
	defer b.letting.Unlock()
	r, known, err := b.get(key)
	if err != nil || !known || r != was || r.Trashed {
		return false, err
	}
	err = b.db.Update(func(tx *bbolt.Tx) error { return countErased(tx.Bucket(bucketErased), b.now(), r.Size) })
	if err != nil {
		return false, fmt.Errorf("count erased bytes: %w", err)
	}
	if err := remove(); err != nil {
		return false, err
	}
	return true, b.forget(key)
}
