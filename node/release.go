package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p/ledgerrpc"
	"holdfast/store"
)

// This file holds the one rule by which bytes leave a node in this version.
//
// SPEC: provisional: never in a certified entry, the receipt's hold-until has passed,
// and n-q+f+1 members answer, with a nonce, that none has certified it or holds a
// lock on it.

// witnesses asks a member what it knows of segments.
type witnesses interface {
	Segments(ctx context.Context, node ident.PublicKey, vault ident.CID, nonce [16]byte, segments []ident.CID) (ident.Signed, error)
}

// knownWitnesses asks this node's own ledgers where it is itself a member, and the
// others over the network.
type knownWitnesses struct {
	own     ident.PublicKey
	ledgers ledgerrpc.Voter
	client  *ledgerrpc.Client
}

// Segments implements witnesses.
func (w knownWitnesses) Segments(ctx context.Context, node ident.PublicKey, vault ident.CID, nonce [16]byte, segments []ident.CID) (ident.Signed, error) {
	if node == w.own {
		return w.ledgers.Segments(ctx, vault, nonce, segments)
	}
	return w.client.Member(node, ident.Signed{}).Segments(ctx, vault, nonce, segments)
}

// releaser lets go of provisional shards that nobody needs.
type releaser struct {
	volume    *volume
	witnesses witnesses
	stamp     stamp
	log       *slog.Logger
}

const (
	askLimit = 20 * time.Second
	// askAtOnce is how many shards are judged at once.
	askAtOnce = 256
)

// sweep looks at every shard whose time has passed. About a vault whose members do
// not answer it asks once, and then again in the next sweep.
func (r *releaser) sweep(ctx context.Context) error {
	var after store.Key
	silent := map[ident.CID]bool{}
	for {
		next, err := r.sweepPage(ctx, after, silent)
		if err != nil || !next.Vault.Defined() {
			return err
		}
		after = next
	}
}

func (r *releaser) sweepPage(ctx context.Context, after store.Key, silent map[ident.CID]bool) (next store.Key, err error) {
	err = r.volume.use(ctx, func(p *parts) error {
		now := r.stamp.now()
		var keys []store.Key
		keys, next, err = p.book.page(after, askAtOnce, func(rec record) bool { return rec.due(now) })
		for len(keys) > 0 && err == nil {
			vault := keys[0].Vault
			n := slices.IndexFunc(keys, func(k store.Key) bool { return k.Vault != vault })
			if n < 0 {
				n = len(keys)
			}
			if !silent[vault] {
				failed := r.sweepVault(ctx, p, vault, keys[:n])
				silent[vault] = failed != nil
				if failed != nil {
					r.log.Debug("provisional shards are kept for now", "vault", vault.String(), "reason", failed)
				}
			}
			keys, err = keys[n:], ctx.Err()
		}
		return err
	})
	return next, err
}

// sweepVault judges shards of one vault. An error says that its members cannot judge
// now.
func (r *releaser) sweepVault(ctx context.Context, p *parts, vault ident.CID, keys []store.Key) error {
	signed, err := p.knownCharter(vault)
	if err != nil {
		return fmt.Errorf("vault %v has no charter here: %w", vault, err)
	}
	charter, err := ledger.VerifyFirstCharter(signed)
	if err != nil {
		return err
	}
	verdicts, err := r.ask(ctx, charter, segmentsOf(keys))
	if err != nil {
		return err
	}
	var certified []ident.CID
	for _, k := range keys {
		v := verdicts[k.Segment]
		switch {
		case v.certified:
			certified = append(certified, k.Segment)
		case !v.locked:
			if err := r.letGo(ctx, p, charter, k, v); err != nil {
				return err
			}
		}
	}
	return p.book.certified(vault, certified)
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
	certified bool    // somebody says that a certified entry introduces it
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

var errSilent = errors.New("too few members answer")

// ask asks all members of a vault about segments.
func (r *releaser) ask(ctx context.Context, charter ledger.Charter, segments []ident.CID) (map[ident.CID]verdict, error) {
	var nonce [16]byte
	if _, err := rand.Read(nonce[:]); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	type reply struct {
		ledger.Segments
		err error
	}
	replies := make(chan reply)
	for _, m := range charter.Members {
		go func() {
			a, err := r.askOne(ctx, charter, m, nonce, segments)
			replies <- reply{a, err}
		}()
	}
	verdicts, answers := map[ident.CID]verdict{}, 0
	for range charter.Members {
		if a := <-replies; a.err == nil {
			answers++
			tally(a.Segments, verdicts)
		}
	}
	if answers == 0 {
		return nil, errSilent
	}
	return verdicts, nil
}

// tally takes one member's answers in.
func tally(a ledger.Segments, verdicts map[ident.CID]verdict) {
	for _, st := range a.States {
		v := verdicts[st.Segment]
		switch st.State {
		case ledger.SegmentCertified:
			v.certified = true
		case ledger.SegmentLocked:
			v.locked = true
		case ledger.SegmentUnknown:
			v.unknown = append(v.unknown, a.Clock)
		}
		verdicts[st.Segment] = v
	}
}

// askOne returns a member's verified answer.
func (r *releaser) askOne(ctx context.Context, charter ledger.Charter, m ledger.Member, nonce [16]byte, segments []ident.CID) (ledger.Segments, error) {
	signed, err := r.witnesses.Segments(ctx, m.Node, charter.ID(), nonce, segments)
	if err != nil {
		return ledger.Segments{}, err
	}
	a, err := ledger.VerifySegments(signed, charter, m, nonce, segments)
	if err != nil {
		r.log.Warn("a member's answer does not verify", "member", m.Name, "error", err)
	}
	return a, err
}
