package node

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"holdfast/internal/bg"
	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p/rpc"
	"holdfast/p2p/shardrpc"
	"holdfast/store"
)

// This file holds the rule by which shards that have moved leave a node.
//
// SPEC: moved: the new holder's receipt is stored by q members, who signed so. A holder
// drops its copy if q members of the newest charter have signed that another node holds
// the shard, that node proves at least two groups of it to this holder now, and copy and
// move are older than a grace. A holder in doubt of its clock drops nothing. No tombstone
// is written: the shard may come back.

// surrender lets go of shards that others hold now.
type surrender struct {
	volume   *volume
	charters *charters
	self     ident.PublicKey
	members  func(node ident.PublicKey) placer
	prover   func(chain ledger.Chain, node ident.PublicKey) prover
	doubt    func() error // of this machine's clock
	budget   int64        // as configured
	after    time.Duration
	stamp    stamp
	log      *slog.Logger
	loop     *bg.Loop
	dropped  func() // called for each shard

	next store.Key // behind which the next page begins; of the loop alone
}

// placer is a member, who says who holds what.
type placer interface {
	Placed(ctx context.Context, vault ident.CID, nonce [16]byte, shards []ledger.ShardName) (ident.Signed, error)
}

// prover is a holder, who shows that it has what it is asked for.
type prover interface {
	Audit(ctx context.Context, challenges []shardrpc.Challenge) ([]shardrpc.Outcome, error)
}

// DefaultMovedAfter is the grace.
const DefaultMovedAfter = 24 * time.Hour

// One run looks at so many shards, of one vault. With the longest time between two runs a
// node with a million shards has looked at all of them in two days.
const (
	movedPage = 4096
	movedPart = 100 // runs within one grace
	movedMin  = 200 * time.Millisecond
	movedMax  = 10 * time.Minute
)

// start makes the loop of one whose other fields are filled in.
func (m *surrender) start() *surrender {
	every := min(max(m.after/movedPart, movedMin), movedMax)
	m.loop = bg.NewLoop("let go of moved shards", every, m.run, bg.Jitter(every/4), bg.Log(m.log))
	return m
}

// run looks at the next page of shards.
func (m *surrender) run(ctx context.Context) error {
	// SPEC: a holder in doubt of its clock drops nothing.
	if m.doubt() != nil {
		return nil
	}
	from := m.next
	keys, err := m.page(ctx)
	if err != nil || len(keys) == 0 {
		return nil // a paused volume, or nothing that is old enough
	}
	if err := m.look(ctx, keys[0].Vault, keys); err != nil {
		if errors.Is(err, rpc.ErrBusy) {
			m.next = from // a new holder proves only so much in a minute
		}
		m.log.Debug("moved shards are kept for now", "vault", keys[0].Vault.String(), "reason", err)
	}
	return ctx.Err()
}

// page returns the next shards of one vault that have been here for longer than the
// grace, and remembers where to go on.
func (m *surrender) page(ctx context.Context) (keys []store.Key, err error) {
	err = m.volume.use(ctx, func(p *parts) error {
		old := m.stamp.now().Add(bookHold - m.after).UnixMilli()
		found, next, err := p.book.page(m.next, movedPage, func(r record) bool { return !r.Trashed && r.Until <= old })
		if m.next = next; err != nil || len(found) == 0 {
			return err
		}
		for _, k := range found {
			if k.Vault != found[0].Vault {
				m.next = keys[len(keys)-1]
				break
			}
			keys = append(keys, k)
		}
		return nil
	})
	return keys, err
}

// look lets go of those of a vault's shards that have moved.
func (m *surrender) look(ctx context.Context, vault ident.CID, keys []store.Key) error {
	chain, err := m.charters.newest(ctx, vault)
	if err != nil {
		return err
	}
	elsewhere, err := m.suspect(ctx, chain, keys)
	if err != nil || len(elsewhere) == 0 {
		return err
	}
	moved, err := m.confirm(ctx, chain, elsewhere)
	for node, keys := range moved {
		err = errors.Join(err, m.letGo(ctx, chain, node, keys))
	}
	return err
}

// suspect asks one member that answers, whichever it is, and returns the shards that it
// places elsewhere. Most are not: so the others are asked about few.
func (m *surrender) suspect(ctx context.Context, chain ledger.Chain, keys []store.Key) (elsewhere []store.Key, err error) {
	charter := chain.Current()
	for _, i := range rand.Perm(len(charter.Members)) {
		one := charter
		one.Members = charter.Members[i : i+1]
		answers, err := m.ask(ctx, one, keys)
		if err != nil {
			return nil, err
		}
		for _, a := range answers {
			for j, s := range a.Shards {
				if !s.Node.IsZero() && s.Node != m.self {
					elsewhere = append(elsewhere, keys[j])
				}
			}
			return elsewhere, nil
		}
	}
	return nil, errSilent
}

// confirm asks all members, and returns the shards of which a quorum says that another
// node has held them for longer than the grace, by that node.
func (m *surrender) confirm(ctx context.Context, chain ledger.Chain, keys []store.Key) (map[ident.PublicKey][]store.Key, error) {
	charter := chain.Current()
	answers, err := m.ask(ctx, charter, keys)
	if err != nil {
		return nil, err
	}
	old := ledger.Millis(m.stamp.now().Add(-m.after))
	moved := map[ident.PublicKey][]store.Key{}
	for i, k := range keys {
		var since []ledger.Placed
		for _, a := range answers {
			if a.Shards[i].Time <= old {
				since = append(since, a)
			}
		}
		if node, ok := ledger.Moved(charter, since, i); ok && node != m.self {
			moved[node] = append(moved[node], k)
		}
	}
	return moved, nil
}

// ask asks the members of a charter who holds shards, with a nonce, and returns what
// those say who answer.
func (m *surrender) ask(ctx context.Context, charter ledger.Charter, keys []store.Key) (all []ledger.Placed, err error) {
	nonce, err := newNonce()
	if err != nil {
		return nil, err
	}
	names := make([]ledger.ShardName, len(keys))
	for i, k := range keys {
		names[i] = ledger.ShardName{Segment: k.Segment, Index: int64(k.Index)}
	}
	answers := askAll(ctx, charter.Members, func(ctx context.Context, member ledger.Member) (ledger.Placed, error) {
		signed, err := m.members(member.Node).Placed(ctx, charter.ID(), nonce, names)
		if err != nil {
			return ledger.Placed{}, err
		}
		return ledger.VerifyPlaced(signed, charter, member, nonce, names)
	})
	for _, a := range answers {
		all = append(all, a.what)
	}
	return all, nil
}
