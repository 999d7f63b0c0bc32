package node

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
	"holdfast/p2p/ledgerrpc"
	"holdfast/store"
)

// wantNoVote tries everything that a member signs, and everything that it tells.
func (b *bench) wantNoVote() {
	b.t.Helper()
	ctx, id := b.t.Context(), b.vault.ID()
	step := b.vault.OwnerLane().Enrol(b.vault.Grant(ledgertest.Key("new"), ledger.Full))
	_, charters := b.ledgers.Charters(ctx, id)
	_, vaults := b.ledgers.Vaults(ctx, b.vault.Owner.Public().ID())
	_, heads := b.ledgers.Heads(ctx, id, nonce)
	_, links := b.ledgers.Links(ctx, id, b.vault.Owner.Public(), 1, 10)
	_, body := b.ledgers.Body(ctx, id, step.Entry.Body)
	_, accept := b.ledgers.Accept(ctx, b.vault.Signed)
	_, vote := b.ledgers.Propose(ctx, id, step.Proposal, step.Signed, step.Body)
	_, ack := b.ledgers.Certify(ctx, id, b.vault.Certificate(step))
	_, segments := b.ledgers.Segments(ctx, id, nonce, []ident.CID{id})
	_, placements := b.ledgers.Placements(ctx, id, []ident.CID{id})
	request := b.vault.Request(b.vault.Owner, ledger.RequestRelease, step.Entry.CID())
	release := b.vault.Release(request.CID())
	name := ident.SumDagCBOR(release)
	certificate, _, err := ledger.NewReleaseCertificate(release, b.vault.Consents(release, 3), b.vault.Charter)
	must(b.t, err)
	undone, _, err := ledger.NewUndoCertificate(name, b.vault.Undone(name, 3), b.vault.Charter)
	must(b.t, err)
	_, cases := b.ledgers.Cases(ctx, id, ident.CID{})
	_, _, free := b.ledgers.Free(ctx, id, request.CID(), ident.CID{})
	_, consent := b.ledgers.Consent(ctx, id, release)
	_, released := b.ledgers.Released(ctx, id, 1, 10)
	_, undo := b.ledgers.Undo(ctx, id, b.vault.Undo(b.vault.Owner, name))
	_, standing := b.ledgers.Standing(ctx, id, nonce, []ident.CID{name})
	link, err := b.vault.Link(step).Encode()
	must(b.t, err)
	for what, err := range map[string]error{
		"charters": charters, "vaults": vaults, "heads": heads, "links": links, "body": body, "accept": accept, "propose": vote,
		"certify": ack, "segments": segments, "placements": placements,
		"adopt": b.ledgers.Adopt(ctx, id, link, step.Body), "place": b.ledgers.AddPlacement(ctx, id, ledgerrpc.Placement{}),
		"request": b.ledgers.Request(ctx, id, request, ident.Signed{}), "cases": cases, "free": free, "consent": consent,
		"opine":   b.ledgers.Opine(ctx, id, ledger.Veto, b.vault.Opinion(b.vault.Owner, ledger.Veto, request.CID())),
		"release": b.ledgers.Release(ctx, id, certificate), "released": released, "undo": undo,
		"undone": b.ledgers.Undone(ctx, id, undone), "standing": standing,
		"admit": b.ledgers.admit(ctx, ledgerrpc.Request{Verb: ledgerrpc.Charters}),
	} {
		if !errors.Is(err, ledgerrpc.ErrPaused) {
			b.t.Errorf("%s: %v; want %v", what, err, ledgerrpc.ErrPaused)
		}
	}
}

// One row for each reason to answer somebody, or not.
func TestAdmission(t *testing.T) {
	b := newBench(t, 4)
	admitted := ledgertest.NewMember("admitted")
	node := ledgertest.Key("node of an operator who is admitted").Public()
	b.ledgers.operator = func(_ context.Context, peer ident.PublicKey) ident.PublicKey {
		if peer == node {
			return b.vault.Members[3].Operator.Public()
		}
		return admitted.Operator.Public()
	}
	if _, err := b.ledgers.Accept(t.Context(), b.vault.Signed); err != nil || b.news != 1 {
		t.Fatal(err, b.news)
	}
	device, stranger := ledgertest.Key("device"), ledgertest.Key("stranger").Public()
	id, grant := b.vault.ID(), b.vault.Grant(device, ledger.Append)
	expired := b.grant(b.vault.Owner, b.vault.Signed, device.Public(), func(g *ledger.Grant) { g.Expires = ledger.Millis(b.clock.now()) })
	guarded := []ledgerrpc.Verb{ledgerrpc.Body, ledgerrpc.Propose, ledgerrpc.Adopt, ledgerrpc.Place, ledgerrpc.Placements,
		ledgerrpc.Free, ledgerrpc.Consent}
	for name, c := range map[string]struct {
		peer  ident.PublicKey
		vault ident.CID
		grant ident.Signed
		want  error
	}{
		"a device":                         {device.Public(), id, grant, nil},
		"a member's node":                  {b.vault.Members[1].Node.Public(), id, ident.Signed{}, nil},
		"a node of an admitted operator":   {node, id, ident.Signed{}, nil},
		"a stranger":                       {stranger, id, ident.Signed{}, ledger.ErrForbidden},
		"another device's grant":           {stranger, id, grant, ledger.ErrForbidden},
		"an expired grant":                 {device.Public(), id, expired, ledger.ErrForbidden},
		"a grant by a stranger":            {device.Public(), id, b.grant(ledgertest.Key("x"), b.vault.Signed, device.Public(), nil), ledger.ErrForbidden},
		"a vault that is not known":        {device.Public(), ident.SumDagCBOR(nil), grant, ledgerrpc.ErrUnknownVault},
		"a member's node, worthless grant": {b.vault.Members[1].Node.Public(), id, grant, ledger.ErrForbidden},
	} {
		for _, verb := range guarded {
			err := b.ledgers.admit(t.Context(), ledgerrpc.Request{Peer: c.peer, Verb: verb, Vault: c.vault, Grant: c.grant})
			if !errors.Is(err, c.want) {
				t.Errorf("%s, %s: %v; want %v", name, verb, err, c.want)
			}
		}
		for _, verb := range []ledgerrpc.Verb{ledgerrpc.Charters, ledgerrpc.Vaults, ledgerrpc.Heads, ledgerrpc.Links, ledgerrpc.Accept, ledgerrpc.Certify, ledgerrpc.Segments,
			ledgerrpc.Ask, ledgerrpc.Opine, ledgerrpc.Cases, ledgerrpc.Release, ledgerrpc.Released, ledgerrpc.Undo, ledgerrpc.Undone, ledgerrpc.Standing} {
			if err := b.ledgers.admit(t.Context(), ledgerrpc.Request{Peer: c.peer, Verb: verb, Vault: c.vault}); err != nil {
				t.Errorf("%s, %s: %v", name, verb, err)
			}
		}
	}
}

// A certified entry makes the shards of its segments certified in the book, whether
// this member voted for it or was told later.
func TestCertifiedShardsAreMarked(t *testing.T) {
	for _, later := range []bool{false, true} {
		b := newBench(t, 4)
		ctx, id := t.Context(), b.vault.ID()
		if _, err := b.ledgers.Accept(ctx, b.vault.Signed); err != nil {
			t.Fatal(err)
		}
		device, cred := b.device("device", ledger.Full)
		owner, lane := b.vault.OwnerLane(), b.vault.Lane(device)
		b.certify(owner, owner.Enrol(cred.Grant))
		step := lane.Snapshot("one", 3)
		effect, err := ledger.ReadEffect(b.vault.Charter, step.Entry, step.Body)
		must(t, err)
		p := b.parts()
		for _, s := range effect.Segments {
			must(t, p.book.arrived(b.key(s.CID), device.Public(), nonce, 1, nil))
		}
		other := b.key(id)
		must(t, p.book.arrived(other, device.Public(), nonce, 1, nil))
		if later {
			link, err := b.vault.Link(step).Encode()
			must(t, err)
			must(t, b.ledgers.Adopt(ctx, id, link, step.Body))
		} else {
			b.certify(lane, step)
		}
		for _, s := range effect.Segments {
			if r, _ := b.record(b.key(s.CID)); !r.Certified {
				t.Errorf("later %v: segment %v is provisional", later, s.CID)
			}
		}
		if r, _ := b.record(other); r.Certified {
			t.Errorf("later %v: a segment that no entry names is certified", later)
		}
		if body, err := b.ledgers.Body(ctx, id, step.Entry.Body); err != nil || !bytes.Equal(body, step.Body) {
			t.Errorf("body: %d bytes, %v", len(body), err)
		}
	}
}

// The refusals of a member's store reach the protocol under its own names.
func TestRefusalsOfTheLedger(t *testing.T) {
	b := newBench(t, 4)
	ctx, id := t.Context(), b.vault.ID()
	unknown := func(err error) {
		t.Helper()
		if !errors.Is(err, ledgerrpc.ErrUnknownVault) {
			t.Error(err)
		}
	}
	_, err := b.ledgers.Charters(ctx, id)
	unknown(err)
	_, err = b.ledgers.Heads(ctx, id, nonce)
	unknown(err)
	_, err = b.ledgers.Segments(ctx, id, nonce, []ident.CID{id})
	unknown(err)
	if vaults, err := b.ledgers.Vaults(ctx, b.vault.Owner.Public().ID()); err != nil || len(vaults) != 0 {
		t.Error(vaults, err)
	}
	foreign := ledgertest.NewVault("foreign", 4)
	if _, err := b.ledgers.Accept(ctx, foreign.Signed); !errors.Is(err, ledger.ErrNotMember) {
		t.Error("a vault of others is accepted:", err)
	}
	if b.news != 0 {
		t.Error("a vault that was refused is announced")
	}
	_, err = b.ledgers.Accept(ctx, b.vault.Signed)
	must(t, err)
	if _, err := b.ledgers.Body(ctx, id, id); !errors.Is(err, ledgerrpc.ErrNotFound) {
		t.Error(err)
	}
	owner := b.vault.OwnerLane()
	first := owner.Enrol(b.vault.Grant(ledgertest.Key("a"), ledger.Full))
	second := owner.Enrol(b.vault.Grant(ledgertest.Key("b"), ledger.Full))
	b.certify(owner, first)
	_, err = b.ledgers.Propose(ctx, id, second.Proposal, second.Signed, second.Body)
	var head *ledgerrpc.HeadError
	if !errors.Is(err, ledger.ErrStale) && !errors.Is(err, ledger.ErrFork) || !errors.As(err, &head) || head.Height != 1 || head.Entry != first.Entry.CID() {
		t.Errorf("%v (%+v)", err, head)
	}
}

func (b *bench) key(segment ident.CID) store.Key {
	return store.Key{Vault: b.vault.ID(), Segment: segment, Index: 0}
}
