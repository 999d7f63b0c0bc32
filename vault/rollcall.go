package vault

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/custody"
	"holdfast/p2p/shardrpc"
)

// roll is what one holder has shown of what it must have, just now.
type roll struct {
	holder  int // its number in the map
	node    ident.PublicKey
	shards  int64           // that it must have
	missing []custody.Shard // of these, that it does not have, or cannot show
	asked   int             // groups of bytes that it was asked for
	proved  int             // of these, that it has sent
	lied    int             // and those that it has sent wrong
	err     error           // why nothing is known of it now; nil if it has answered

	challenges []shardrpc.Challenge
}

// shelf is what a holder is asked. A shardrpc.Holder is one.
type shelf interface {
	Has(ctx context.Context, refs []shardrpc.Ref) ([]bool, error)
	Audit(ctx context.Context, challenges []shardrpc.Challenge) ([]shardrpc.Outcome, error)
	Inventory(ctx context.Context, nonce shardrpc.Nonce) (ident.Signed, error)
}

// rollCall asks holders to show what they have of a vault.
type rollCall struct {
	vault       ident.CID
	samples     int // groups of bytes that each is asked for
	shelf       func(node ident.PublicKey) shelf
	certificate func(ctx context.Context, node ident.PublicKey) (ledger.NodeCertificate, error)
	lied        func(node ident.PublicKey, ref shardrpc.Ref)
	descriptors func(ctx context.Context, segments []ident.CID) (map[ident.CID]erasure.Descriptor, error)
	pause       func(ctx context.Context) // before a holder that is busy is asked again
}

// rollCall is the session's own, which asks each holder for so many groups.
func (s *Session) rollCall(samples int) rollCall {
	return rollCall{
		vault: s.vault, samples: samples, descriptors: s.descriptors, pause: pauseBusy,
		shelf: func(node ident.PublicKey) shelf { return s.holder(node) },
		certificate: func(ctx context.Context, node ident.PublicKey) (ledger.NodeCertificate, error) {
			n, err := s.host.Node(ctx, node)
			return n.Certificate, err
		},
		lied: func(node ident.PublicKey, ref shardrpc.Ref) {
			s.warn("node %s gave bad bytes for shard %d of segment %.8s", node.Short(), ref.Index, ref.Segment.Hex())
		},
	}
}

const (
	rollAtOnce = 32 // holders that are asked at the same time
	// listLimit is how long one holder may take to say which of its shards it has.
	listLimit = time.Minute
	// A holder that is busy is asked again so many times, with so long a pause. What it
	// gives to one peer in a second is more than StatusSamples.
	busyTries = 4
	busyPause = time.Second
)

func pauseBusy(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(busyPause):
	}
}

// call asks every holder that must have something for its inventory over a fresh
// nonce, and for some groups of bytes that nobody can foresee.
func (c rollCall) call(ctx context.Context, m *custody.Map) ([]roll, error) {
	expected := m.ExpectedAll()
	var rolls []roll
	for i, h := range m.Holders() {
		if expected[i].Shards > 0 {
			rolls = append(rolls, roll{holder: i, node: h.Node, shards: expected[i].Shards})
		}
	}
	if err := c.drawChallenges(ctx, m, rolls, expected); err != nil {
		return nil, err
	}
	turns := make(chan struct{}, rollAtOnce)
	var group sync.WaitGroup
	for i := range rolls {
		turns <- struct{}{}
		group.Go(func() {
			defer func() { <-turns }()
			r := &rolls[i]
			if r.err = c.takeInventory(ctx, m, r, &expected[r.holder]); r.err == nil {
				r.err = c.challenge(ctx, r)
			}
		})
	}
	group.Wait()
	return rolls, ctx.Err()
}

// takeInventory compares what a holder signs with what the ledger says. Of what differs
// it is asked for each shard: what it has besides, for a commit under way, is no fault.
func (c rollCall) takeInventory(ctx context.Context, m *custody.Map, r *roll, want *custody.Digests) error {
	short, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	inv, err := c.inventory(short, r.node)
	if err != nil {
		return err
	}
	long, cancel := context.WithTimeout(ctx, listLimit)
	defer cancel()
	for _, bucket := range want.Differ(inv.Buckets) {
		refs := refsOf(m.Bucket(r.holder, bucket))
		if len(refs) == 0 {
			continue
		}
		has, err := c.shelf(r.node).Has(long, refs)
		if err != nil {
			return err
		}
		for i, ref := range refs {
			if i >= len(has) || !has[i] {
				r.missing = append(r.missing, custody.Shard{Segment: ref.Segment, Index: ref.Index})
			}
		}
	}
	return nil
}

func refsOf(rows []custody.Row) []shardrpc.Ref {
	refs := make([]shardrpc.Ref, len(rows))
	for i, row := range rows {
		shard := row.Shard()
		refs[i] = shardrpc.Ref{Segment: shard.Segment, Index: shard.Index}
	}
	return refs
}

// inventory returns what a holder signs over a fresh nonce.
func (c rollCall) inventory(ctx context.Context, node ident.PublicKey) (ledger.Inventory, error) {
	certificate, err := c.certificate(ctx, node)
	if err != nil {
		return ledger.Inventory{}, err
	}
	var nonce shardrpc.Nonce
	rand.Read(nonce[:]) // never fails: crypto/rand ends the program instead
	signed, err := c.shelf(node).Inventory(ctx, nonce)
	if err != nil {
		return ledger.Inventory{}, err
	}
	inv, err := ledger.VerifyInventory(signed, certificate, c.vault, nonce)
	if err != nil {
		return ledger.Inventory{}, fmt.Errorf("inventory of node %s: %w", node.Short(), err)
	}
	return inv, nil
}

// challenge asks a holder for the groups that were chosen. What it does not have, or has
// in another form, or cannot show now, is missing. One that stays busy keeps its word of
// the inventory for the rest if it has proved some; its word alone is no proof.
func (c rollCall) challenge(ctx context.Context, r *roll) error {
	r.asked = len(r.challenges)
	for some := range slices.Chunk(r.challenges, shardrpc.MaxChallenges) {
		outcomes, err := c.audit(ctx, r.node, some)
		if errors.Is(err, shardrpc.ErrBusy) && r.proved > 0 {
			return nil
		}
		if err != nil {
			return err
		}
		for i, o := range outcomes {
			c.judge(r, some[i], o)
		}
	}
	return nil
}

// audit asks a holder for some groups, and again while it is busy.
func (c rollCall) audit(ctx context.Context, node ident.PublicKey, some []shardrpc.Challenge) (outcomes []shardrpc.Outcome, err error) {
	for try := range busyTries {
		if try > 0 {
			c.pause(ctx)
		}
		short, cancel := context.WithTimeout(ctx, askLimit)
		outcomes, err = c.shelf(node).Audit(short, some)
		cancel()
		if !errors.Is(err, shardrpc.ErrBusy) {
			break
		}
	}
	return outcomes, err
}

// judge takes in what came of one challenge.
func (c rollCall) judge(r *roll, asked shardrpc.Challenge, o shardrpc.Outcome) {
	switch o {
	case shardrpc.Proved:
		r.proved++
		return
	case shardrpc.Lied:
		r.lied++
		c.lied(r.node, asked.Ref)
	}
	r.missing = append(r.missing, custody.Shard{Segment: asked.Segment, Index: asked.Index})
}
