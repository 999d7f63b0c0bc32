package node

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"holdfast/internal/bg"
	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p/ledgerrpc"
	"holdfast/p2p/rpc"
)

// peer is another member of a vault, from whom one that was away catches up.
type peer interface {
	Heads(ctx context.Context, vault ident.CID, nonce [16]byte) (ident.Signed, error)
	Links(ctx context.Context, vault ident.CID, lane ident.PublicKey, from int64, limit int) ([][]byte, error)
	Body(ctx context.Context, vault, body ident.CID) ([]byte, error)
	Released(ctx context.Context, vault ident.CID, from int64, limit int) ([][]byte, error)
	Cases(ctx context.Context, vault, after ident.CID) ([][]byte, error)
	Moves(ctx context.Context, vault ident.CID, from ledger.MovesCursor) ([]ledgerrpc.Placement, ledger.MovesCursor, error)
	confirmer
}

// keeper is this node's own ledgers, which verify whatever they are given.
type keeper interface {
	Adopt(ctx context.Context, vault ident.CID, link, body []byte) error
	Release(ctx context.Context, vault ident.CID, certificate []byte) error
	Undone(ctx context.Context, vault ident.CID, certificate []byte) error
}

var _ peer = (*ledgerrpc.Member)(nil)

// puller catches up with the other members of this node's vaults: lanes with their
// bodies, the owner's first because charters and devices are in it, then releases,
// then cases, then what guardians confirm, then where shards have moved. It is how a member that was away, a new one, and one that misses a
// message come to the same state as the others. It needs no vote and gives none; it
// believes nobody, because everything that it takes proves itself.
type puller struct {
	volume *volume
	own    keeper
	node   ident.PublicKey                 // this one
	at     func(node ident.PublicKey) peer // over the network
	now    clock
	log    *slog.Logger
	loop   *bg.Loop

	mu      sync.Mutex
	hurried bool                 // something is missing here
	ended   time.Time            // the last run
	due     time.Time            // when the next one begins without hurry
	cursors map[pullCursor]int64 // which of a member's releases come next
	waits   map[pullCursor]int   // runs in which a member's moves could not be taken in yet
}

type pullCursor struct {
	vault    ident.CID
	operator ident.PublicKey
}

// When it is done, and the bounds of one run. What is left comes with the next, which
// then begins soon.
const (
	pullLook    = time.Second // how often the loop asks whether it is time
	pullEvery   = 10 * time.Minute
	pullJitter  = 2 * time.Minute
	pullSoonest = 5 * time.Second // between two runs, whoever is in a hurry
	pullEntries = 8192            // of one vault
	pullPage    = 256
	pullCases   = 4 // pages of one member
)

// start makes the loop of a puller whose other fields are filled in.
func (u *puller) start() *puller {
	u.cursors, u.waits = map[pullCursor]int64{}, map[pullCursor]int{}
	u.loop = bg.NewLoop("catch up", pullLook, u.tick, bg.AtOnce(), bg.Log(u.log))
	return u
}

// hurry has the next run begin soon: this node was shown something that it cannot
// follow without what it misses.
func (u *puller) hurry() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.hurried = true
}

// tick runs if it is time.
func (u *puller) tick(ctx context.Context) error {
	u.mu.Lock()
	now := u.now()
	wait := u.due
	if u.hurried {
		wait = u.ended.Add(pullSoonest)
	}
	if now.Before(wait) {
		u.mu.Unlock()
		return nil
	}
	u.hurried = false
	u.mu.Unlock()
	err := u.run(ctx)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.ended = u.now()
	u.due = u.ended.Add(pullEvery + rand.N(pullJitter))
	return err
}

// run catches up in every vault, once.
func (u *puller) run(ctx context.Context) error {
	vaults, err := u.vaults(ctx)
	if err != nil {
		return nil // a paused volume: it is caught up with when it is back
	}
	more, silent := false, map[ident.PublicKey]bool{}
	for _, v := range vaults {
		left, err := u.pullVault(ctx, v, silent)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			u.log.Debug("not caught up", "vault", v.String(), "reason", err)
		}
		more = more || left
	}
	if more {
		u.hurry()
	}
	u.forget(vaults)
	return nil
}

func (u *puller) vaults(ctx context.Context) (all []ident.CID, err error) {
	err = u.volume.use(ctx, func(p *parts) error {
		all = p.member.All()
		return nil
	})
	return all, err
}

// pullVault catches up in one vault. It reports whether there was more than fits into
// one run. Nodes that are silent are noted, and not asked again in this run.
func (u *puller) pullVault(ctx context.Context, vault ident.CID, silent map[ident.PublicKey]bool) (more bool, err error) {
	charter, err := u.charter(ctx, vault)
	if err != nil {
		return false, err
	}
	nonce, err := newNonce()
	if err != nil {
		return false, err
	}
	t := &trip{puller: u, vault: vault, nonce: nonce, left: pullEntries, silent: silent}
	// The owner's lane first: charters come with it, and with them other members.
	for {
		t.fromAll(ctx, charter, func(m ledger.Member) error { return t.lane(ctx, m, charter.Owner) })
		next, err := u.charter(ctx, vault)
		if err != nil || next.CID() == charter.CID() || t.left <= 0 {
			charter = next
			break
		}
		charter = next
	}
	for _, step := range []func(context.Context, ledger.Charter, ledger.Member) error{t.lanes, t.releases, t.cases, t.confirmations, t.moves} {
		t.fromAll(ctx, charter, func(m ledger.Member) error { return step(ctx, charter, m) })
	}
	t.dropKeys(ctx, charter)
	return t.left <= 0, ctx.Err()
}

func (u *puller) charter(ctx context.Context, vault ident.CID) (c ledger.Charter, err error) {
	err = u.volume.use(ctx, func(p *parts) error {
		c, err = p.charter(vault)
		return err
	})
	return c, err
}

// trip is one run through one vault.
type trip struct {
	*puller
	vault  ident.CID
	nonce  [16]byte                 // of the heads that are asked for
	heads  []ident.Signed           // what members answered
	left   int                      // entries that may still be taken
	silent map[ident.PublicKey]bool // nodes that did not answer in this run
}

// fromAll does a step with each other member that answers.
func (t *trip) fromAll(ctx context.Context, charter ledger.Charter, step func(ledger.Member) error) {
	for _, m := range charter.Members {
		if m.Node == t.node || t.silent[m.Node] || t.left <= 0 || ctx.Err() != nil {
			continue
		}
		if err := step(m); err != nil {
			t.silent[m.Node] = errors.Is(err, errSilent)
			t.log.Debug("not caught up with a member", "member", m.Name, "vault", t.vault.String(), "reason", err)
		}
	}
}

// ask asks a member, within the time that it has.
func ask[T any](ctx context.Context, f func(ctx context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	a, err := f(ctx)
	if err != nil && !refused(err) {
		err = errors.Join(errSilent, err)
	}
	return a, err
}

// refused reports whether a member has answered, if only with a refusal.
func refused(err error) bool {
	var r *rpc.Refusal
	return errors.As(err, &r)
}

// lanes catches up with the lanes that a member has, by its signed heads. They are
// only a hint: the links prove themselves.
func (t *trip) lanes(ctx context.Context, charter ledger.Charter, m ledger.Member) error {
	signed, err := ask(ctx, func(ctx context.Context) (ident.Signed, error) { return t.at(m.Node).Heads(ctx, t.vault, t.nonce) })
	if err != nil {
		return err
	}
	heads, err := ledger.VerifyHeads(signed, charter, m, t.nonce)
	if err != nil {
		return err
	}
	t.heads = append(t.heads, signed)
	own, err := t.ownHeads(ctx)
	for _, h := range heads.Lanes {
		if err != nil || t.left <= 0 {
			break
		}
		if mine := own[h.Lane]; h.Height > mine.Height || h.Height == mine.Height && h.Entry != mine.Entry {
			err = t.lane(ctx, m, h.Lane)
		}
	}
	return err
}

// ownHeads returns where the lanes stand here.
func (t *trip) ownHeads(ctx context.Context) (map[ident.PublicKey]ledger.LaneHead, error) {
	own := map[ident.PublicKey]ledger.LaneHead{}
	err := t.volume.use(ctx, func(p *parts) error {
		heads, err := p.member.LaneHeads(t.vault)
		for _, h := range heads {
			own[h.Lane] = h
		}
		return err
	})
	return own, err
}

// lane takes the links of one lane from a member, from this node's own head on: that
// one too, because another entry may have taken its place.
func (t *trip) lane(ctx context.Context, m ledger.Member, lane ident.PublicKey) error {
	own, err := t.ownHeads(ctx)
	if err != nil {
		return err
	}
	from, have := max(own[lane].Height, 1), own[lane].Entry
	for t.left > 0 {
		links, err := ask(ctx, func(ctx context.Context) ([][]byte, error) {
			return t.at(m.Node).Links(ctx, t.vault, lane, from, min(pullPage, t.left+1))
		})
		if err != nil || len(links) == 0 {
			return err
		}
		for _, l := range links {
			if t.left <= 0 {
				return nil
			}
			if err := t.link(ctx, m, l, have); err != nil {
				return err
			}
			from++
		}
	}
	return nil
}

// link takes one link with its body.
func (t *trip) link(ctx context.Context, m ledger.Member, encoded []byte, have ident.CID) error {
	l, err := ledger.ParseLink(encoded)
	if err != nil {
		return err
	}
	if l.Entry.CID() == have {
		return nil
	}
	e, err := ledger.VerifyEntry(l.Entry)
	if err != nil {
		return err
	}
	body, err := ask(ctx, func(ctx context.Context) ([]byte, error) { return t.at(m.Node).Body(ctx, t.vault, e.Body) })
	if err != nil {
		return err
	}
	t.left--
	return t.own.Adopt(ctx, t.vault, encoded, body)
}

// releases takes what was released, and taken back, since this member was last asked.
func (t *trip) releases(ctx context.Context, charter ledger.Charter, m ledger.Member) error {
	at := pullCursor{t.vault, m.Operator}
	for range releasedPages {
		from := t.next(at)
		page, err := ask(ctx, func(ctx context.Context) ([][]byte, error) {
			return t.at(m.Node).Released(ctx, t.vault, from, releasedPage)
		})
		if err != nil || len(page) == 0 {
			return err
		}
		for _, encoded := range page {
			err := t.release(ctx, at, encoded)
			if errors.Is(err, ledger.ErrUnknownRequest) { // of an earlier charter, which is judged with its request
				err = errors.Join(t.cases(ctx, charter, m), t.release(ctx, at, encoded))
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *trip) release(ctx context.Context, at pullCursor, encoded []byte) error {
	r, err := ledger.ParseReleased(encoded)
	if err != nil {
		return err
	}
	if err := t.own.Release(ctx, t.vault, r.Cert); err != nil {
		return err
	}
	if len(r.Undo) > 0 {
		if err := t.own.Undone(ctx, t.vault, r.Undo); err != nil {
			return err
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cursors[at] = r.Seq + 1
	return nil
}

func (t *trip) next(at pullCursor) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return max(t.cursors[at], 1)
}

// cases takes the newest cases of a member, with what was said about them.
func (t *trip) cases(ctx context.Context, _ ledger.Charter, m ledger.Member) error {
	var after ident.CID
	for range pullCases {
		page, err := ask(ctx, func(ctx context.Context) ([][]byte, error) { return t.at(m.Node).Cases(ctx, t.vault, after) })
		if err != nil || len(page) == 0 {
			return err
		}
		for _, encoded := range page {
			c, err := ledger.ParseCase(encoded)
			if err != nil {
				return err
			}
			after = c.Request.CID()
			if err := t.takeCase(ctx, c); err != nil {
				t.log.Debug("a case is not taken", "vault", t.vault.String(), "request", after.String(), "reason", err)
			}
		}
	}
	return nil
}

func (t *trip) takeCase(ctx context.Context, c ledger.Case) error {
	return t.volume.use(ctx, func(p *parts) error { return p.member.AdoptCase(t.vault, c) })
}

// dropKeys destroys this node's vote keys of earlier charters, once a quorum of the
// members has the charter in force in force.
func (t *trip) dropKeys(ctx context.Context, charter ledger.Charter) {
	if charter.Number < 2 || len(t.heads) == 0 {
		return
	}
	err := t.volume.use(ctx, func(p *parts) error {
		answers := t.heads
		if own, err := p.member.Heads(t.vault, t.nonce); err == nil {
			answers = append(slices.Clip(answers), own)
		}
		return p.member.DropKeys(t.vault, t.nonce, answers)
	})
	if err != nil && !errors.Is(err, ledger.ErrNoQuorum) {
		t.log.Warn("vote keys of earlier charters not destroyed", "vault", t.vault.String(), "error", err)
	}
}

// forget drops the cursors of vaults that are not kept any more.
func (u *puller) forget(vaults []ident.CID) {
	u.mu.Lock()
	defer u.mu.Unlock()
	maps.DeleteFunc(u.cursors, func(c pullCursor, _ int64) bool { return !slices.Contains(vaults, c.vault) })
	maps.DeleteFunc(u.waits, func(c pullCursor, _ int) bool { return !slices.Contains(vaults, c.vault) })
}
