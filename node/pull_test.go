package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
	"holdfast/p2p/ledgerrpc"
)

// couple is two members of a vault: one has everything, and the other was away.
type couple struct {
	t           *testing.T
	there, away *bench
	owner, lane *ledgertest.Lane
	puller      *puller
	peer        peer // what the other pulls from
	asked       int  // times that it was asked for a body
}

func newCouple(t *testing.T) *couple { return newCoupleOf(t, ledgertest.NewVault("bench", 7)) }

// newCoupleOf makes a couple of a vault with seven members. The first 5 have voted for
// everything; these two were told of it.
func newCoupleOf(t *testing.T, v *ledgertest.Vault) *couple {
	c := &couple{t: t, there: newBenchOf(t, t.TempDir(), v, 5), away: newBenchOf(t, t.TempDir(), v, 6)}
	for _, b := range []*bench{c.there, c.away} {
		if _, err := b.ledgers.Accept(t.Context(), v.Signed); err != nil {
			t.Fatal(err)
		}
	}
	device, cred := c.there.device("device", ledger.Full)
	c.owner, c.lane = v.OwnerLane(), v.Lane(device)
	c.adopt(c.there, c.owner, c.owner.Enrol(cred.Grant))
	c.peer = countingPeer{c.there.ledgers, &c.asked}
	c.puller = (&puller{
		volume: c.away.volume, own: c.away.ledgers, node: c.away.me.Node.Public(), now: c.away.clock.now, log: c.away.node.log,
		at: func(node ident.PublicKey) peer {
			if node == c.there.me.Node.Public() {
				return c.peer
			}
			return deafPeer{}
		},
	}).start()
	return c
}

// adopt gives a certified step to a member.
func (c *couple) adopt(b *bench, l *ledgertest.Lane, s ledgertest.Step) {
	c.t.Helper()
	link, err := b.vault.Link(s).Encode()
	must(c.t, err)
	must(c.t, b.ledgers.Adopt(c.t.Context(), b.vault.ID(), link, s.Body))
	l.Advance(s)
}

// heads are where the lanes stand with a member.
func (c *couple) heads(b *bench) []ledger.LaneHead {
	c.t.Helper()
	heads, err := b.parts().member.LaneHeads(b.vault.ID())
	must(c.t, err)
	slices.SortFunc(heads, func(a, b ledger.LaneHead) int { return a.Lane.Compare(b.Lane) })
	return heads
}

// wantEqual checks that both members have the same lanes, releases and requests.
func (c *couple) wantEqual() {
	c.t.Helper()
	if a, b := c.heads(c.there), c.heads(c.away); !slices.EqualFunc(a, b, func(x, y ledger.LaneHead) bool {
		return x.Lane == y.Lane && x.Height == y.Height && x.Entry == y.Entry
	}) {
		c.t.Errorf("heads %+v; want %+v", b, a)
	}
	if a, b := c.requests(c.there), c.requests(c.away); !slices.Equal(a, b) {
		c.t.Errorf("requests %v; want %v", b, a)
	}
}

func (c *couple) requests(b *bench) (names []string) {
	c.t.Helper()
	cases, err := b.ledgers.Cases(c.t.Context(), b.vault.ID(), ident.CID{})
	must(c.t, err)
	for _, p := range cases {
		parsed, err := ledger.ParseCase(p)
		must(c.t, err)
		names = append(names, fmt.Sprint(parsed.Request.CID(), len(parsed.Approvals), len(parsed.Vetoes), parsed.Releases, parsed.Undone))
	}
	slices.Sort(names)
	return names
}

// countingPeer counts what it is asked for.
type countingPeer struct {
	peer
	bodies *int
}

func (p countingPeer) Body(ctx context.Context, vault, body ident.CID) ([]byte, error) {
	*p.bodies++
	return p.peer.Body(ctx, vault, body)
}

// deafPeer is a member that does not answer.
type deafPeer struct{}

func (deafPeer) Heads(context.Context, ident.CID, [16]byte) (ident.Signed, error) {
	return ident.Signed{}, errNoAnswer
}

func (deafPeer) Links(context.Context, ident.CID, ident.PublicKey, int64, int) ([][]byte, error) {
	return nil, errNoAnswer
}

func (deafPeer) Body(context.Context, ident.CID, ident.CID) ([]byte, error) { return nil, errNoAnswer }

func (deafPeer) Released(context.Context, ident.CID, int64, int) ([][]byte, error) {
	return nil, errNoAnswer
}

func (deafPeer) Cases(context.Context, ident.CID, ident.CID) ([][]byte, error) {
	return nil, errNoAnswer
}

func (deafPeer) Confirmations(context.Context, ident.CID) ([]ident.Signed, error) {
	return nil, errNoAnswer
}

func (deafPeer) Moves(context.Context, ident.CID, ledger.MovesCursor) ([]ledgerrpc.Placement, ledger.MovesCursor, error) {
	return nil, ledger.MovesCursor{}, errNoAnswer
}

// A member that was away comes to the same lanes, and takes nothing twice.
func TestCatchUp(t *testing.T) {
	c := newCouple(t)
	const commits = 7
	for i := range commits {
		c.adopt(c.there, c.lane, c.lane.Snapshot(fmt.Sprint(i), 2))
	}
	must(t, c.puller.run(t.Context()))
	c.wantEqual()
	if c.asked != commits+1 {
		t.Errorf("%d bodies were asked for", c.asked)
	}
	must(t, c.puller.run(t.Context()))
	if c.asked != commits+1 {
		t.Errorf("%d bodies were asked for in the end", c.asked)
	}
	// A little more: only that.
	c.adopt(c.there, c.lane, c.lane.Snapshot("more", 1))
	must(t, c.puller.run(t.Context()))
	c.wantEqual()
	if c.asked != commits+2 {
		t.Errorf("%d bodies were asked for after one more commit", c.asked)
	}
}

// Shards of entries that were pulled are certified in the book.
func TestCatchUpMarksShards(t *testing.T) {
	c := newCouple(t)
	step := c.lane.Snapshot("one", 1)
	effect, err := ledger.ReadEffect(c.there.vault.Charter, step.Entry, step.Body)
	must(t, err)
	k := c.away.key(effect.Segments[0].CID)
	must(t, c.away.parts().book.arrived(k, deviceA, nonce, 1, nil))
	c.adopt(c.there, c.lane, step)
	must(t, c.puller.run(t.Context()))
	if r, _ := c.away.record(k); !r.Certified {
		t.Error("it is provisional")
	}
}

// Requests, releases and their undoing come over too.
func TestCatchUpWithReleases(t *testing.T) {
	c := newCouple(t)
	step := c.lane.Snapshot("one", 1)
	effect, err := ledger.ReadEffect(c.there.vault.Charter, step.Entry, step.Body)
	must(t, err)
	c.adopt(c.there, c.lane, step)
	v, ctx := c.there.vault, t.Context()
	request, err := ledger.SignRequest(v.Owner, ledger.Request{
		Vault: v.ID(), Charter: v.ID(), Kind: ledger.RequestRelease, Targets: []ident.CID{step.Entry.CID()},
		By: v.Owner.Public(), Clock: ledger.Millis(c.there.clock.now()),
	})
	must(t, err)
	must(t, c.there.ledgers.Request(ctx, v.ID(), request, ident.Signed{}))
	must(t, c.puller.run(ctx))
	c.wantEqual()

	court := c.there.court()
	release := court.releaseOf(request.CID(), effect.Segments[0].CID)
	certified, err := ledger.ParseReleased(court.serves[0])
	must(t, err)
	must(t, c.there.ledgers.Release(ctx, v.ID(), certified.Cert))
	must(t, c.puller.run(ctx))
	c.wantStanding(release, rCertified)

	court.undo(release)
	undone, err := ledger.ParseReleased(court.serves[1])
	must(t, err)
	must(t, c.there.ledgers.Undone(ctx, v.ID(), undone.Undo))
	must(t, c.puller.run(ctx))
	c.wantStanding(release, rUndone)
	if c.away.releases == 0 {
		t.Error("the holder's loop was not told")
	}
}

func (c *couple) wantStanding(r ledger.Release, want ledger.ReleaseState) {
	c.t.Helper()
	b := c.away
	signed, err := b.ledgers.Standing(c.t.Context(), r.Vault, nonce, []ident.CID{r.CID()})
	must(c.t, err)
	m, _ := b.vault.Charter.MemberByNode(b.me.Node.Public())
	a, err := ledger.VerifyStanding(signed, b.vault.Charter, m, nonce, []ident.CID{r.CID()})
	if err != nil || a.States[0].State != want {
		c.t.Errorf("%+v, %v; want %v", a.States, err, want)
	}
}

// lyingPeer sends something else than what is there.
type lyingPeer struct {
	peer
	links func([][]byte) [][]byte
	body  func([]byte) []byte
}

func (p lyingPeer) Links(ctx context.Context, vault ident.CID, lane ident.PublicKey, from int64, limit int) ([][]byte, error) {
	l, err := p.peer.Links(ctx, vault, lane, from, limit)
	if p.links != nil && len(l) > 0 {
		l = p.links(l)
	}
	return l, err
}

func (p lyingPeer) Body(ctx context.Context, vault, body ident.CID) ([]byte, error) {
	b, err := p.peer.Body(ctx, vault, body)
	if p.body != nil {
		b = p.body(b)
	}
	return b, err
}

// Whatever a member sends, nothing is taken that does not prove itself, the run ends,
// and an honest answer heals everything.
func TestCatchUpWithALiar(t *testing.T) {
	for name, lie := range map[string]lyingPeer{
		"no links":            {links: func([][]byte) [][]byte { return [][]byte{{0xa0}} }},
		"links out of order":  {links: func(l [][]byte) [][]byte { slices.Reverse(l); return l }},
		"one link for ever":   {links: func(l [][]byte) [][]byte { return l[:1] }},
		"no certificates":     {links: func(l [][]byte) [][]byte { return stripped(t, l) }},
		"bodies of others":    {body: func(b []byte) []byte { return append(bytes.Clone(b), 0) }},
		"bodies that are not": {body: func([]byte) []byte { return nil }},
	} {
		c := newCouple(t)
		for i := range 4 {
			c.adopt(c.there, c.lane, c.lane.Snapshot(fmt.Sprint(i), 1))
		}
		honest := c.peer
		lie.peer = honest
		c.peer = lie
		must(t, c.puller.run(t.Context()))
		for _, h := range c.heads(c.away) {
			if h.Height > 4 || name != "one link for ever" && h.Height > 1 {
				t.Errorf("%s: height %d", name, h.Height)
			}
		}
		c.peer = honest
		must(t, c.puller.run(t.Context()))
		c.wantEqual()
	}
}

// stripped takes the certificates off links.
func stripped(t *testing.T, links [][]byte) (out [][]byte) {
	for _, p := range links {
		l, err := ledger.ParseLink(p)
		must(t, err)
		l.Cert = nil
		p, err := l.Encode()
		must(t, err)
		out = append(out, p)
	}
	return out
}

// A run is bounded; the next one, which begins soon, goes on.
func TestCatchUpInParts(t *testing.T) {
	c := newCouple(t)
	for i := range 5 {
		c.adopt(c.there, c.lane, c.lane.Snapshot(fmt.Sprint(i), 1))
	}
	trip := &trip{puller: c.puller, vault: c.away.vault.ID(), left: 3, silent: map[ident.PublicKey]bool{}}
	m, _ := c.away.vault.Charter.MemberByNode(c.there.me.Node.Public())
	for _, l := range []ident.PublicKey{c.owner.Key.Public(), c.lane.Key.Public()} {
		must(t, trip.lane(t.Context(), m, l))
	}
	if trip.left != 0 || c.asked != 3 {
		t.Errorf("%d left, %d bodies", trip.left, c.asked)
	}
	must(t, c.puller.run(t.Context()))
	c.wantEqual()
}

// It runs at once, then after an interval, and sooner when this member was shown what
// it cannot follow.
func TestWhenToCatchUp(t *testing.T) {
	c := newCouple(t)
	u, clock := c.puller, c.away.clock
	runs := func() bool {
		t.Helper()
		before := u.ended
		must(t, u.tick(t.Context()))
		return u.ended != before
	}
	if !runs() || runs() {
		t.Error("it does not run once at first")
	}
	clock.advance(pullEvery + pullJitter)
	if !runs() {
		t.Error("it does not run after its interval")
	}
	u.hurry()
	clock.advance(pullSoonest - time.Second)
	if runs() {
		t.Error("it runs too often")
	}
	clock.advance(time.Second)
	if !runs() || runs() {
		t.Error("it does not run once when it is in a hurry")
	}
	c.away.wipe()
	u.hurry()
	clock.advance(pullSoonest)
	if !runs() {
		t.Error("a paused volume stops it")
	}
}

// What shows a member that it is behind puts it into a hurry.
func TestBehindHurries(t *testing.T) {
	c := newCouple(t)
	c.adopt(c.there, c.lane, c.lane.Snapshot("one", 1))
	second := c.lane.Snapshot("two", 1)
	_, err := c.away.ledgers.Propose(t.Context(), c.away.vault.ID(), second.Proposal, second.Signed, second.Body)
	if !errors.Is(err, ledger.ErrBehind) || c.away.behind != 1 {
		t.Errorf("%v, %d times", err, c.away.behind)
	}
}

// A charter that came into force meanwhile comes with the owner's lane, and what was
// added under it with the others.
func TestCatchUpOverACharter(t *testing.T) {
	c := newCouple(t)
	v := c.there.vault
	c.adopt(c.there, c.lane, c.lane.Snapshot("before", 1))
	next := v.Next(func(ch *ledger.Charter) { ch.Retention++ })
	link := v.Succeed(c.owner, next, false, c.lane)
	body := link.Body
	link.Body = nil
	encoded, err := link.Encode()
	must(t, err)
	must(t, c.there.ledgers.Adopt(t.Context(), v.ID(), encoded, body))
	c.adopt(c.there, c.lane, c.lane.Snapshot("after", 1))
	must(t, c.puller.run(t.Context()))
	c.wantEqual()
	now, err := c.away.parts().charter(v.ID())
	if err != nil || now.CID() != next.CID() {
		t.Errorf("charter %v in force, %v", now.CID(), err)
	}
}
