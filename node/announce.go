package node

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"holdfast/internal/bg"
	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p"
)

// publisher is what an announcer needs of the network.
type publisher interface {
	ProvideVault(ctx context.Context, vault ident.CID) error
	ProvideOwner(ctx context.Context, owner [ident.HashSize]byte) error
	PutHint(ctx context.Context, hint ident.Signed) (held int, err error)
	Node(ctx context.Context, key ident.PublicKey) (p2p.Node, error)
	Addrs() []string
}

// announcer tells the DHT of which vaults this node is a member, so that they are
// found by their ID or by their owner. What was said once the network says again by
// itself; a hint is signed anew now and then, because addresses change.
type announcer struct {
	network publisher
	key     ident.PrivateKey
	vaults  func(ctx context.Context) ([]ident.Signed, error) // first charters
	now     clock
	log     *slog.Logger
	loop    *bg.Loop

	mu    sync.Mutex
	said  map[ident.CID]time.Time // when it was last said, to somebody who heard it
	since map[ident.CID]time.Time // since when it is to be said, and nobody has heard it
}

const (
	announceEvery = 12 * time.Hour
	announceRetry = 30 * time.Second
	announceLimit = 30 * time.Second // for one vault
	announceLate  = 15 * time.Minute // after which it is overdue: the vault is hard to find
)

func newAnnouncer(network publisher, key ident.PrivateKey, vaults func(ctx context.Context) ([]ident.Signed, error), now clock, log *slog.Logger) *announcer {
	a := &announcer{network: network, key: key, vaults: vaults, now: now, log: log, said: map[ident.CID]time.Time{}, since: map[ident.CID]time.Time{}}
	a.loop = bg.NewLoop("announce vaults", announceRetry, a.run, bg.AtOnce(), bg.Log(log))
	return a
}

// run announces the vaults whose turn it is.
func (a *announcer) run(ctx context.Context) error {
	charters, err := a.vaults(ctx)
	if err != nil {
		return nil // a paused volume: its vaults are known when it is back
	}
	a.forgetOthers(charters)
	var failed error
	for _, c := range charters {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !a.due(c.CID()) {
			continue
		}
		err := a.announce(ctx, c)
		if err == nil {
			a.done(c.CID())
		} else if !errors.Is(err, p2p.ErrUnreachable) {
			failed = errors.Join(failed, err)
		}
	}
	return failed
}

func (a *announcer) due(vault ident.CID) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	t, ok := a.said[vault]
	if ok && a.now().Sub(t) < announceEvery {
		return false
	}
	if a.since[vault].IsZero() {
		a.since[vault] = a.now()
	}
	return true
}

// forgetOthers drops the vaults of which this node is a member no more.
func (a *announcer) forgetOthers(charters []ident.Signed) {
	a.mu.Lock()
	defer a.mu.Unlock()
	maps.DeleteFunc(a.since, func(vault ident.CID, _ time.Time) bool {
		return !slices.ContainsFunc(charters, func(c ident.Signed) bool { return c.CID() == vault })
	})
}

// waiting counts the vaults that are to be announced, and those that nobody has heard of
// for too long.
func (a *announcer) waiting() (due, overdue int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, since := range a.since {
		if a.now().Sub(since) >= announceLate {
			overdue++
		}
	}
	return len(a.since), overdue
}

func (a *announcer) done(vault ident.CID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.said[vault] = a.now()
	delete(a.since, vault)
}

// announce says that this node is a member of a vault, and where the others are.
func (a *announcer) announce(ctx context.Context, signed ident.Signed) error {
	charter, err := ledger.VerifyFirstCharter(signed)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, announceLimit)
	defer cancel()
	vault := charter.ID()
	errs := []error{a.network.ProvideVault(ctx, vault), a.network.ProvideOwner(ctx, charter.Owner.ID())}
	if _, founder := charter.MemberByNode(a.key.Public()); !founder {
		return errors.Join(errs...) // nobody would take its hint: the first charter does not name it
	}
	hint, err := ledger.SignVaultHint(a.key, ledger.VaultHint{
		Charter: signed, Members: a.members(ctx, charter), Seq: ledger.Millis(a.now()),
	})
	if err != nil {
		return err
	}
	held, err := a.network.PutHint(ctx, hint)
	a.log.Debug("vault announced", "vault", vault.String(), "hint_held_by", held)
	return errors.Join(append(errs, err)...)
}

// members says where the members' nodes are, as far as that is known.
func (a *announcer) members(ctx context.Context, charter ledger.Charter) []ledger.HintMember {
	found := map[ident.PublicKey][]string{a.key.Public(): bare(a.network.Addrs())}
	for _, m := range charter.Members {
		if _, ok := found[m.Node]; ok {
			continue
		}
		if n, err := a.network.Node(ctx, m.Node); err == nil && len(n.Addrs) > 0 {
			found[m.Node] = n.Addrs
		}
	}
	var members []ledger.HintMember
	for _, node := range slices.SortedFunc(maps.Keys(found), ident.PublicKey.Compare) {
		addrs := found[node]
		members = append(members, ledger.HintMember{Node: node, Addrs: addrs[:min(len(addrs), ledger.MaxAddrs)]})
	}
	return members
}

// bare takes the node's name off its addresses.
func bare(addrs []string) []string {
	out := make([]string, len(addrs))
	for i, a := range addrs {
		out[i], _, _ = strings.Cut(a, "/p2p/")
	}
	return out
}
