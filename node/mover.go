package node

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/store"
)

// mover moves shards of a release to the trash, back, and out of it. It asks nobody:
// who calls it has. Each move is durable by itself, so that a node which is killed in
// between goes on where it was.
type mover struct {
	trash  store.Trash
	book   *book
	budget int64 // of bytes erased in 24 hours, as configured
	usage  func(ctx context.Context) (store.Usage, error)
	stamp  stamp
	log    *slog.Logger
}

// discard moves every shard of a release that is on the shelf to the trash.
func (m mover) discard(ctx context.Context, release ledger.Release) error {
	keys, err := m.book.keysOf(release)
	moved := 0
	for _, k := range keys {
		if err != nil {
			break
		}
		var gone bool
		gone, err = m.book.retire(k, func() error {
			return m.trash.Discard(ctx, k, store.Reason{Release: release.CID(), Time: ledger.Millis(m.stamp.now())})
		})
		if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrCorrupt) {
			err = nil // lost, or in quarantine: reported by the shelf
		}
		if errors.Is(err, store.ErrPaused) {
			err = nil // its volume is away: the next look tries again
		}
		if gone {
			moved++
		}
	}
	if moved > 0 {
		m.log.Info("released shards are in the trash", "vault", release.Vault.String(), "release", release.CID().String(), "shards", moved)
	}
	return errors.Join(err, m.book.relieve())
}

// recall brings back what releases have put into the trash.
func (m mover) recall(ctx context.Context, vault ident.CID, releases []ident.CID) error {
	back := 0
	for d, err := range m.trash.Discards(ctx, vault) {
		if err != nil {
			return err
		}
		if !slices.Contains(releases, d.Release) {
			continue
		}
		err := m.book.recall(d, func() error { return m.trash.Recall(ctx, d.Key) })
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		back++
	}
	if back > 0 {
		m.log.Info("shards are back from the trash: their release was taken back", "vault", vault.String(), "shards", back)
	}
	return nil
}

// eraseAtOnce is how many shards get their tombstones in one go.
const eraseAtOnce = 256

// erase erases the shards of a release that have been in the trash long enough, as
// far as the budget goes.
func (m mover) erase(ctx context.Context, release ledger.Release, stay time.Duration) error {
	due, err := m.overdue(ctx, release, stay)
	for len(due) > 0 && err == nil {
		n := min(len(due), eraseAtOnce)
		var done int
		done, err = m.eraseSome(ctx, due[:n])
		if done < n && err == nil {
			m.log.Info("the deletion budget of this day is used up: the rest waits", "vault", release.Vault.String(), "shards", len(due)-done)
			return nil
		}
		due = due[n:]
	}
	return err
}

// overdue lists what a release has in the trash for long enough by this clock.
func (m mover) overdue(ctx context.Context, release ledger.Release, stay time.Duration) (due []store.Discarded, err error) {
	now := m.stamp.now()
	for d, err := range m.trash.Discards(ctx, release.Vault) {
		if errors.Is(err, store.ErrPaused) {
			break // a volume is away: what is in its trash stays there
		}
		if err != nil {
			return nil, err
		}
		if d.Release == release.CID() && now.Sub(ledger.Time(d.Time)) >= stay {
			due = append(due, d)
		}
	}
	return due, nil
}

// eraseSome erases as many of a list as the budget allows, from its beginning, and
// returns how many that are.
func (m mover) eraseSome(ctx context.Context, list []store.Discarded) (int, error) {
	u, err := m.usage(ctx)
	if err != nil {
		return 0, err
	}
	list = list[:affordable(list, m.book.erased(m.stamp.now()), deletionBudget(m.budget, u))]
	if len(list) == 0 {
		return 0, nil
	}
	if err := m.book.bury(list); err != nil {
		return 0, err
	}
	for _, d := range list {
		gone, err := m.book.erase(d.Key, func() error { return m.trash.Erase(ctx, d.Key) })
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return 0, err
		}
		if gone {
			m.stamp.meters.released.Add(float64(d.Bytes))
			m.log.Info("erased a released shard", "shard", d.Key.String(), "vault", d.Vault.String(), "release", d.Release.String())
		}
	}
	return len(list), m.book.relieve()
}

// any reports whether something of a release is still here.
func (m mover) any(ctx context.Context, release ledger.Release) (bool, error) {
	keys, err := m.book.keysOf(release)
	if err != nil || len(keys) > 0 {
		return true, err
	}
	for d, err := range m.trash.Discards(ctx, release.Vault) {
		if err != nil || d.Release == release.CID() {
			return true, err
		}
	}
	return false, nil
}
