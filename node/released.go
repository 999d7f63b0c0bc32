package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"holdfast/internal/bg"
	"holdfast/internal/ident"
	"holdfast/ledger"
)

// This file holds the way of certified shards out of a node: there is no other.
//
// SPEC: a node drops a certified shard only on a release certificate with votes of a
// quorum. Holders move shards to trash, before that and again before erasing they ask
// the members, erase, and keep a tombstone.

// released follows the release certificates of the vaults that have shards here.
type released struct {
	volume    *volume
	charters  *charters
	witnesses witnesses
	doubt     func() error // of this machine's clock
	budget    int64        // as configured
	stamp     stamp
	log       *slog.Logger
	loop      *bg.Loop

	erasing sync.Mutex // one vault's shards at a time: they share a budget

	mu      sync.Mutex
	due     map[ident.CID]time.Time // when a vault is looked at next
	hurried map[ident.CID]bool      // something has happened since it was begun to look at
}

// How often a vault is looked at: several times while its shards are in the trash, and
// no less often than that.
const (
	lookPart      = 8
	lookAtOnce    = 8 // vaults
	lookVaultMin  = time.Second
	lookVaultMax  = time.Hour
	followEvery   = time.Second // how often the loop asks which vault is due
	releasedPages = 8           // of one member's releases, in one look
	releasedPage  = 64
)

// start makes the loop of a follower whose other fields are filled in.
func (r *released) start() *released {
	r.due, r.hurried = map[ident.CID]time.Time{}, map[ident.CID]bool{}
	r.loop = bg.NewLoop("follow releases", followEvery, r.run, bg.Log(r.log))
	return r
}

// hurry has a vault looked at with the next run.
func (r *released) hurry(vault ident.CID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.due, vault)
	r.hurried[vault] = true
}

// run looks at every vault that is due, a few at once: members that are silent keep
// only their own vaults waiting.
func (r *released) run(ctx context.Context) error {
	vaults, err := r.dueVaults(ctx)
	if err != nil {
		return nil // a paused volume: nothing leaves it
	}
	var all sync.WaitGroup
	slots := make(chan struct{}, lookAtOnce)
	for _, v := range vaults {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			r.visit(ctx, v)
		})
	}
	all.Wait()
	return ctx.Err()
}

// visit looks at a vault and notes when it is due again.
func (r *released) visit(ctx context.Context, vault ident.CID) {
	if ctx.Err() != nil {
		return
	}
	began := r.stamp.now()
	wait, err := r.look(ctx, vault)
	if err != nil {
		r.log.Debug("releases are not followed for now", "vault", vault.String(), "reason", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.hurried[vault] {
		r.due[vault] = began.Add(wait)
	}
	delete(r.hurried, vault)
}

func (r *released) dueVaults(ctx context.Context) (due []ident.CID, err error) {
	var usage map[ident.CID]usage
	if err := r.volume.use(ctx, func(p *parts) error {
		usage = p.book.vaultUsage()
		return nil
	}); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.hurried, func(v ident.CID, _ bool) bool { return usage[v].Shards == 0 })
	maps.DeleteFunc(r.due, func(v ident.CID, _ time.Time) bool { return usage[v].Shards == 0 })
	now := r.stamp.now()
	for v := range usage {
		if !r.due[v].After(now) {
			due = append(due, v)
			delete(r.hurried, v)
		}
	}
	slices.SortFunc(due, ident.CID.Compare)
	return due, nil
}

// look learns what was released in a vault and follows it. It returns when to look
// again.
func (r *released) look(ctx context.Context, vault ident.CID) (time.Duration, error) {
	chain, err := r.charters.newest(ctx, vault)
	if err != nil {
		return lookVaultMax, err
	}
	wait := lookAgainIn(chain.Current().Terms().Trash)
	err = r.learn(ctx, chain)
	return wait, errors.Join(err, r.bringBack(ctx, vault), r.follow(ctx, chain))
}

func lookAgainIn(trash time.Duration) time.Duration {
	return min(max(trash/lookPart, lookVaultMin), lookVaultMax)
}

// follow does with every certified release what its members confirm. What is one
// release's trouble does not keep the others.
func (r *released) follow(ctx context.Context, chain ledger.Chain) error {
	var ids []ident.CID
	err := r.volume.use(ctx, func(p *parts) (err error) {
		ids, err = p.book.releases(chain.ID(), false)
		return err
	})
	if err != nil || len(ids) == 0 {
		return err
	}
	// SPEC: a member whose clock is in doubt treats everything as locked
	if err := r.doubt(); err != nil {
		return err
	}
	for _, id := range ids {
		err = errors.Join(err, r.followOne(ctx, chain, id))
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return err
}

// followOne asks the members about a release, and at once does what the answer allows:
// what is on the shelf goes to the trash, and what has been there long enough is
// erased.
func (r *released) followOne(ctx context.Context, chain ledger.Chain, id ident.CID) error {
	c, err := r.confirm(ctx, chain, id)
	if err != nil {
		return err
	}
	if !c.mayTrash() {
		return fmt.Errorf("release %v: %d of %d members confirm it, %d have taken it back, %d have another charter in force",
			id, c.certified, c.members, c.undone, c.elsewhere)
	}
	return r.volume.use(ctx, func(p *parts) error {
		k, known, err := p.book.release(chain.ID(), id)
		if err != nil || !known || k.Undone {
			return err
		}
		release, err := ledger.ReadReleaseCertificate(k.Cert)
		if err != nil {
			return err
		}
		m := r.mover(p)
		if err := m.discard(ctx, release); err != nil {
			return err
		}
		if c.mayErase() {
			err = r.erase(ctx, m, release, trashTime(chain, release))
		}
		if left, anyErr := m.any(ctx, release); err == nil && anyErr == nil && !left {
			err = p.book.dropRelease(chain.ID(), id)
		}
		return err
	})
}

func (r *released) erase(ctx context.Context, m mover, release ledger.Release, stay time.Duration) error {
	r.erasing.Lock()
	defer r.erasing.Unlock()
	return m.erase(ctx, release, stay)
}

// trashTime is how long shards stay in the trash: by the strictest charter that has
// been in force since the release.
func trashTime(chain ledger.Chain, release ledger.Release) time.Duration {
	since := chain.Since(release.Charter)
	if len(since) == 0 {
		since = chain.Since(chain.ID())
	}
	return ledger.Strictest(since...).Trash
}

// bringBack calls back what releases that were undone have put into the trash.
func (r *released) bringBack(ctx context.Context, vault ident.CID) error {
	return r.volume.use(ctx, func(p *parts) error {
		undone, err := p.book.releases(vault, true)
		if err != nil || len(undone) == 0 {
			return err
		}
		return r.mover(p).recall(ctx, vault, undone)
	})
}

func (r *released) mover(p *parts) mover {
	return mover{trash: p.shelf, book: p.book, budget: r.budget, usage: p.shelf.Usage, stamp: r.stamp, log: r.log}
}
