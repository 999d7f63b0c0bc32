package node

import (
	"errors"
	"slices"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
	"holdfast/p2p/ledgerrpc"
	"holdfast/p2p/shardrpc"
	"holdfast/store/storetest"
)

// edited is the vault's charter with a change, signed by the owner: another vault.
func (b *bench) edited(edit func(*ledger.Charter)) ident.Signed {
	c := b.vault.Draft("bench")
	edit(&c)
	return b.signed(b.vault.Owner, c)
}

func (b *bench) signed(owner ident.PrivateKey, c ledger.Charter) ident.Signed {
	b.t.Helper()
	s, err := ledger.SignCharter(owner, c)
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

// grant makes a grant of a vault that a charter begins.
func (b *bench) grant(owner ident.PrivateKey, charter ident.Signed, device ident.PublicKey, edit func(*ledger.Grant)) ident.Signed {
	b.t.Helper()
	g := ledger.Grant{
		Vault: charter.CID(), Device: device, Name: "device", Rights: ledger.Full, Index: ledgertest.Recipient(), Issued: ledger.Millis(ledgertest.Start()),
	}
	if edit != nil {
		edit(&g)
	}
	s, err := ledger.SignGrant(owner, g)
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

// One row for each reason to let somebody in, or not.
func TestAuthorization(t *testing.T) {
	b := newBench(t, 4)
	owner, stranger := b.vault.Owner, ledgertest.Key("stranger")
	device := ledgertest.Key("device")
	good := b.vault.Signed
	grant := func(edit func(*ledger.Grant)) ident.Signed { return b.grant(owner, good, device.Public(), edit) }
	otherNetwork := b.edited(func(c *ledger.Charter) { c.Network = "test-other" })
	notAdmitted := b.edited(func(c *ledger.Charter) { c.Members = c.Members[1:] })
	admitted := b.edited(func(c *ledger.Charter) {
		c.Members, c.Admitted = c.Members[1:], []ident.PublicKey{b.me.Operator.Public()}
	})
	second := b.edited(func(c *ledger.Charter) { c.Number, c.Vault, c.Prev = 2, good.CID(), good.CID() })
	draft := b.vault.Draft("bench")
	draft.Number, draft.Vault, draft.Prev = 2, good.CID(), good.CID()
	stolen := b.signed(stranger, draft)
	forged := b.signed(stranger, b.vault.Draft("bench"))
	broken := good
	broken.Signature[3] ^= 1

	for name, c := range map[string]struct {
		peer  ident.PublicKey
		vault ident.CID
		cred  shardrpc.Credential
		want  error
	}{
		"a device":                         {device.Public(), good.CID(), shardrpc.Credential{Charter: good, Grant: grant(nil)}, nil},
		"an admitted operator's node":      {device.Public(), admitted.CID(), shardrpc.Credential{Charter: admitted, Grant: b.grant(owner, admitted, device.Public(), nil)}, nil},
		"a device of a reader":             {device.Public(), good.CID(), shardrpc.Credential{Charter: good, Grant: grant(func(g *ledger.Grant) { g.Rights = ledger.Read })}, nil},
		"a grant that is still valid":      {device.Public(), good.CID(), shardrpc.Credential{Charter: good, Grant: grant(func(g *ledger.Grant) { g.Expires = ledger.Millis(b.clock.now()) + 1 })}, nil},
		"a member's node":                  {b.vault.Members[2].Node.Public(), good.CID(), shardrpc.Credential{Charter: good}, nil},
		"a member's operator, not node":    {b.vault.Members[2].Operator.Public(), good.CID(), shardrpc.Credential{Charter: good}, shardrpc.ErrForbidden},
		"no grant":                         {device.Public(), good.CID(), shardrpc.Credential{Charter: good}, shardrpc.ErrForbidden},
		"nothing":                          {device.Public(), good.CID(), shardrpc.Credential{}, shardrpc.ErrUnknownVault},
		"another device's grant":           {stranger.Public(), good.CID(), shardrpc.Credential{Charter: good, Grant: grant(nil)}, shardrpc.ErrForbidden},
		"a grant by a stranger":            {device.Public(), good.CID(), shardrpc.Credential{Charter: good, Grant: b.grant(stranger, good, device.Public(), nil)}, shardrpc.ErrForbidden},
		"another vault's grant":            {device.Public(), good.CID(), shardrpc.Credential{Charter: good, Grant: b.grant(owner, admitted, device.Public(), nil)}, shardrpc.ErrForbidden},
		"an expired grant":                 {device.Public(), good.CID(), shardrpc.Credential{Charter: good, Grant: grant(func(g *ledger.Grant) { g.Expires = ledger.Millis(b.clock.now()) })}, shardrpc.ErrForbidden},
		"another vault's charter":          {device.Public(), good.CID(), shardrpc.Credential{Charter: admitted, Grant: grant(nil)}, shardrpc.ErrForbidden},
		"a charter of another owner":       {device.Public(), good.CID(), shardrpc.Credential{Charter: forged, Grant: grant(nil)}, shardrpc.ErrForbidden},
		"a charter with a bad signature":   {device.Public(), good.CID(), shardrpc.Credential{Charter: broken, Grant: grant(nil)}, shardrpc.ErrForbidden},
		"a charter that is not the first":  {device.Public(), second.CID(), shardrpc.Credential{Charter: second, Grant: grant(nil)}, shardrpc.ErrForbidden},
		"a charter with a successor":       {device.Public(), good.CID(), shardrpc.Credential{Charter: good, Successors: []ident.Signed{second}, Grant: grant(nil)}, nil},
		"a successor of another owner":     {device.Public(), good.CID(), shardrpc.Credential{Charter: good, Successors: []ident.Signed{stolen}, Grant: grant(nil)}, shardrpc.ErrForbidden},
		"a successor that skips one":       {device.Public(), good.CID(), shardrpc.Credential{Charter: good, Successors: []ident.Signed{second, second}, Grant: grant(nil)}, shardrpc.ErrForbidden},
		"another network":                  {device.Public(), otherNetwork.CID(), shardrpc.Credential{Charter: otherNetwork, Grant: b.grant(owner, otherNetwork, device.Public(), nil)}, shardrpc.ErrForbidden},
		"an operator who is not admitted":  {device.Public(), notAdmitted.CID(), shardrpc.Credential{Charter: notAdmitted, Grant: b.grant(owner, notAdmitted, device.Public(), nil)}, shardrpc.ErrForbidden},
		"a node with a worthless grant":    {b.vault.Members[2].Node.Public(), good.CID(), shardrpc.Credential{Charter: good, Grant: grant(nil)}, shardrpc.ErrForbidden},
		"the owner, with his own grant":    {stranger.Public(), good.CID(), shardrpc.Credential{Charter: good, Grant: b.grant(owner, good, stranger.Public(), nil)}, nil},
		"a member's node of another vault": {b.vault.Members[2].Node.Public(), notAdmitted.CID(), shardrpc.Credential{Charter: good}, shardrpc.ErrForbidden},
	} {
		s, err := b.shelf.Open(t.Context(), c.peer, c.vault, c.cred)
		if !errors.Is(err, c.want) || (err == nil) != (s != nil) {
			t.Errorf("%s: %v; want %v", name, err, c.want)
		}
	}
}

// A node whose operator a successor admits no more keeps and serves what it has, and
// takes nothing new.
func TestOperatorThatIsAdmittedNoMore(t *testing.T) {
	b := newBench(t, 4)
	g := segment(t, 100_000, 1)
	b.mustPut(b.session(), g, 0)
	next := b.vault.Next(func(c *ledger.Charter) {
		c.Members = slices.DeleteFunc(c.Members, func(m ledger.Member) bool { return m.Operator == b.shelf.keys.cert.Operator })
	})
	device := ledgertest.Key("device")
	s, err := b.open(device.Public(), shardrpc.Credential{
		Charter: b.vault.Signed, Successors: []ident.Signed{next}, Grant: b.vault.Grant(device, ledger.Full),
	})
	if err != nil {
		t.Fatal(err)
	}
	if p, err := readAll(s, g, 0); err != nil || len(p) != len(g.Rows[0]) {
		t.Errorf("it serves %d bytes, %v", len(p), err)
	}
	if err := put(t.Context(), s, nonce, segment(t, 100_000, 2), 0); !errors.Is(err, shardrpc.ErrForbidden) {
		t.Errorf("it takes more: %v", err)
	}
	if _, err := s.Receipt(t.Context(), nonce, []shardrpc.Ref{ref(g, 0)}); !errors.Is(err, shardrpc.ErrForbidden) {
		t.Errorf("it promises more: %v", err)
	}
}

// What a session may do depends on the rights, and ends with them.
func TestRights(t *testing.T) {
	b := newBench(t, 4)
	g := segment(t, 100_000, 1)
	full := b.session()
	b.mustPut(full, g, 0)
	reader := ledgertest.Key("reader")
	for name, c := range map[string]struct {
		peer ident.PublicKey
		cred shardrpc.Credential
		add  bool
	}{
		"append": {ledgertest.Key("adder").Public(), shardrpc.Credential{Charter: b.vault.Signed, Grant: b.vault.Grant(ledgertest.Key("adder"), ledger.Append)}, true},
		"read":   {reader.Public(), shardrpc.Credential{Charter: b.vault.Signed, Grant: b.vault.Grant(reader, ledger.Read)}, false},
		"member": {b.vault.Members[1].Node.Public(), shardrpc.Credential{Charter: b.vault.Signed}, false},
		"member who shows nothing, of a vault that has shards here": {b.vault.Members[1].Node.Public(), shardrpc.Credential{}, false},
	} {
		s, err := b.open(c.peer, c.cred)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if p, err := readAll(s, g, 0); err != nil || len(p) != len(g.Rows[0]) {
			t.Errorf("%s: get: %d bytes, %v", name, len(p), err)
		}
		if has, err := s.Has(t.Context(), []shardrpc.Ref{ref(g, 0), ref(g, 1)}); err != nil || !has[0] || has[1] {
			t.Errorf("%s: has: %v, %v", name, has, err)
		}
		other := segment(t, 100_000, 2)
		if err := put(t.Context(), s, nonce, other, 0); c.add != (err == nil) || !c.add && !errors.Is(err, shardrpc.ErrForbidden) {
			t.Errorf("%s: put: %v", name, err)
		}
		if _, err := s.Receipt(t.Context(), nonce, []shardrpc.Ref{ref(other, 0)}); c.add != (err == nil) || !c.add && !errors.Is(err, shardrpc.ErrForbidden) {
			t.Errorf("%s: receipt: %v", name, err)
		}
	}
}

// A grant that ends while the session is open ends the session.
func TestSessionEndsWithItsGrant(t *testing.T) {
	b := newBench(t, 4)
	g := segment(t, 100_000, 1)
	device := ledgertest.Key("device")
	soon := b.grant(b.vault.Owner, b.vault.Signed, device.Public(), func(g *ledger.Grant) { g.Expires = ledger.Millis(b.clock.now().Add(time.Hour)) })
	s, err := b.open(device.Public(), shardrpc.Credential{Charter: b.vault.Signed, Grant: soon})
	must(t, err)
	b.mustPut(s, g, 0)
	b.clock.advance(time.Hour)
	b.wantRefused(s, g, shardrpc.ErrForbidden)
}

// A member that has certified the revocation of a device refuses it.
func TestRevokedDevice(t *testing.T) {
	b := newBench(t, 4)
	g := segment(t, 100_000, 1)
	device, cred := b.device("device", ledger.Full)
	owner := b.vault.OwnerLane()
	if _, err := b.ledgers.Accept(t.Context(), b.vault.Signed); err != nil {
		t.Fatal(err)
	}
	b.certify(owner, owner.Enrol(cred.Grant))
	s := b.session()
	b.mustPut(s, g, 0)
	b.certify(owner, owner.Revoke(device.Public()))
	b.wantRefused(s, g, shardrpc.ErrRevoked)
	if _, err := b.open(device.Public(), cred); !errors.Is(err, shardrpc.ErrRevoked) {
		t.Error("a revoked device is let in:", err)
	}
	r := ledgerrpc.Request{Peer: device.Public(), Verb: ledgerrpc.Body, Vault: b.vault.ID(), Grant: cred.Grant}
	if err := b.ledgers.admit(t.Context(), r); !errors.Is(err, ledger.ErrRevoked) {
		t.Error("a revoked device gets bodies:", err)
	}
}

// certify has the member vote for a step and certify it.
func (b *bench) certify(l *ledgertest.Lane, s ledgertest.Step) {
	b.t.Helper()
	if _, err := b.ledgers.Propose(b.t.Context(), b.vault.ID(), s.Proposal, s.Signed, s.Body); err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.ledgers.Certify(b.t.Context(), b.vault.ID(), b.vault.Certificate(s)); err != nil {
		b.t.Fatal(err)
	}
	l.Advance(s)
}

// wantRefused tries every method of a session.
func (b *bench) wantRefused(s *session, g storetest.Segment, want error) {
	b.t.Helper()
	ctx := b.t.Context()
	_, has := s.Has(ctx, []shardrpc.Ref{ref(g, 0)})
	_, get := s.Get(ctx, ref(g, 0))
	_, receipt := s.Receipt(ctx, nonce, []shardrpc.Ref{ref(g, 0)})
	_, info := s.Info(ctx)
	for what, err := range map[string]error{
		"put": put(ctx, s, nonce, g, 1), "put again": put(ctx, s, nonce, g, 0), "get": get, "has": has, "receipt": receipt, "info": info,
		"slice": s.Slice(ctx, ref(g, 0), nil, 0, 1),
	} {
		if !errors.Is(err, want) {
			b.t.Errorf("%s: %v; want %v", what, err, want)
		}
	}
}
