package node

import (
	"context"
	"errors"
	"log/slog"
	"slices"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/store"
)

// This file holds the rule by which provisional shards leave a node.
//
// SPEC: provisional: never in a certified entry, the receipt's hold-until has passed,
// and n-q+f+1 members answer, with a nonce, that none has certified it or holds a
// lock on it.

// releaser lets go of provisional shards that nobody needs.
type releaser struct {
	volume    *volume
	charters  *charters
	witnesses witnesses
	stamp     stamp
	log       *slog.Logger
}

// askAtOnce is how many shards are judged at once.
const askAtOnce = 256

// sweep looks at every shard whose time has passed. About a vault whose members do
// not answer it asks once, and then again in the next sweep.
func (r *releaser) sweep(ctx context.Context) error {
	var after store.Key
	silent := map[ident.CID]bool{}
	for {
		keys, next, err := r.page(ctx, after)
		for len(keys) > 0 && err == nil {
			vault := keys[0].Vault
			n := slices.IndexFunc(keys, func(k store.Key) bool { return k.Vault != vault })
			if n < 0 {
				n = len(keys)
			}
			if !silent[vault] {
				failed := r.sweepVault(ctx, vault, keys[:n])
				silent[vault] = failed != nil
				if failed != nil {
					r.log.Debug("provisional shards are kept for now", "vault", vault.String(), "reason", failed)
				}
			}
			keys, err = keys[n:], ctx.Err()
		}
		if err != nil || !next.Vault.Defined() {
			return err
		}
		after = next
	}
}

func (r *releaser) page(ctx context.Context, after store.Key) (keys []store.Key, next store.Key, err error) {
	err = r.volume.use(ctx, func(p *parts) (err error) {
		now := r.stamp.now()
		keys, next, err = p.book.page(after, askAtOnce, func(rec record) bool { return rec.due(now) })
		return err
	})
	return keys, next, err
}

// sweepVault judges shards of one vault. An error says that its members cannot judge
// now.
func (r *releaser) sweepVault(ctx context.Context, vault ident.CID, keys []store.Key) error {
	chain, err := r.charters.newest(ctx, vault)
	if err != nil {
		return err
	}
	verdicts, err := askSegments(ctx, r.witnesses, r.log, chain.Current(), segmentsOf(keys))
	if err != nil {
		return err
	}
	return r.volume.use(ctx, func(p *parts) error { return r.follow(ctx, p, chain.Current(), keys, verdicts) })
}

// follow does what the members' verdicts allow.
func (r *releaser) follow(ctx context.Context, p *parts, charter ledger.Charter, keys []store.Key, verdicts map[ident.CID]verdict) error {
	var certified []ident.CID
	for _, k := range keys {
		v := verdicts[k.Segment]
		switch {
		case v.certified > 0:
			certified = append(certified, k.Segment)
		case !v.locked:
			err := r.letGo(ctx, p, charter, k, v)
			if err != nil && !errors.Is(err, store.ErrPaused) { // of its volume, perhaps alone
				return err
			}
		}
	}
	return p.book.certified(charter.ID(), certified)
}

func segmentsOf(keys []store.Key) (segments []ident.CID) {
	for _, k := range keys {
		segments = append(segments, k.Segment)
	}
	slices.SortFunc(segments, ident.CID.Compare)
	return slices.Compact(segments)
}

// letGo removes one shard, if enough members whose clocks are past its time know
// nothing of it. Clocks are theirs, so that this node's own, if it is wrong, breaks
// no promise.
func (r *releaser) letGo(ctx context.Context, p *parts, charter ledger.Charter, k store.Key, v verdict) error {
	rec, known, err := p.book.get(k)
	if err != nil || !known || v.unknownAfter(rec.Until) < ledger.Proven(len(charter.Members)) {
		return err
	}
	gone, err := p.book.letGo(k, func() error {
		if err := p.shelf.Remove(ctx, k); !errors.Is(err, store.ErrNotFound) {
			return err
		}
		return nil
	})
	if gone {
		r.stamp.meters.letGo.Inc()
		r.log.Info("let go of a shard that no entry ever named", "shard", k.String(), "vault", k.Vault.String())
	}
	return err
}

// verdict is what the members' answers say about one segment.
type verdict struct {
	certified int     // so many say that a certified entry introduces it
	locked    bool    // somebody has voted for an entry that introduces it
	unknown   []int64 // clocks of those who know nothing of it
}

// unknownAfter counts the members who knew nothing of it when it was due.
func (v verdict) unknownAfter(until int64) (n int) {
	for _, clock := range v.unknown {
		if clock > until {
			n++
		}
	}
	return n
}

// askSegments asks all members of a vault about segments, with a nonce.
func askSegments(ctx context.Context, who witnesses, log *slog.Logger, charter ledger.Charter, segments []ident.CID) (map[ident.CID]verdict, error) {
	nonce, err := newNonce()
	if err != nil {
		return nil, err
	}
	answers := askAll(ctx, charter.Members, func(ctx context.Context, m ledger.Member) (ledger.Segments, error) {
		signed, err := who.at(m.Node).Segments(ctx, charter.ID(), nonce, segments)
		if err != nil {
			return ledger.Segments{}, err
		}
		a, err := ledger.VerifySegments(signed, charter, m, nonce, segments)
		if err != nil {
			log.Warn("a member's answer does not verify", "member", m.Name, "error", err)
		}
		return a, err
	})
	if len(answers) == 0 {
		return nil, errSilent
	}
	verdicts := map[ident.CID]verdict{}
	for _, a := range answers {
		tally(a.what, verdicts)
	}
	return verdicts, nil
}

// tally takes one member's answers in.
func tally(a ledger.Segments, verdicts map[ident.CID]verdict) {
	for _, st := range a.States {
		v := verdicts[st.Segment]
		switch st.State {
		case ledger.SegmentCertified:
			v.certified++
		case ledger.SegmentLocked:
			v.locked = true
		case ledger.SegmentUnknown:
			v.unknown = append(v.unknown, a.Clock)
		}
		verdicts[st.Segment] = v
	}
}
