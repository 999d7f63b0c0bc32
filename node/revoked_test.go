package node

import (
	"context"
	"errors"
	"testing"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
	"holdfast/p2p/shardrpc"
)

// outsider is a holder of a vault of whose ledger it knows nothing, and a member that
// it can ask.
type outsider struct {
	*couple
	revocations *revocations
}

// newOutsider makes a couple of which one has a shard, and no ledger.
func newOutsider(t *testing.T) *outsider {
	v := ledgertest.NewVault("bench", 7)
	c := &couple{t: t, there: newBenchOf(t, t.TempDir(), v, 5), away: newBenchOf(t, t.TempDir(), v, 6)}
	if _, err := c.there.ledgers.Accept(t.Context(), v.Signed); err != nil {
		t.Fatal(err)
	}
	c.owner, c.peer = v.OwnerLane(), countingPeer{c.there.ledgers, &c.asked}
	at := func(node ident.PublicKey) peer {
		if node == c.there.me.Node.Public() {
			return c.peer
		}
		return deafPeer{}
	}
	charters := &charters{volume: c.away.volume, witnesses: oneWitness{c.there.ledgers}, log: c.away.node.log}
	r := (&revocations{volume: c.away.volume, charters: charters, at: at, log: c.away.node.log}).start()
	return &outsider{c, r}
}

// oneWitness is the member that is asked, whoever is meant.
type oneWitness struct{ witness }

func (w oneWitness) at(ident.PublicKey) witness { return w.witness }

func (o *outsider) run() {
	o.t.Helper()
	must(o.t, o.revocations.run(o.t.Context()))
}

// TestRevokedAtAHolder: a holder that is no member learns of a revocation from one,
// refuses the device, and remembers it.
func TestRevokedAtAHolder(t *testing.T) {
	o := newOutsider(t)
	g := segment(t, 100_000, 1)
	device, cred := o.away.device("device", ledger.Full)
	_, kept := o.away.device("kept", ledger.Full)
	o.adopt(o.there, o.owner, o.owner.Enrol(cred.Grant))
	s, err := o.away.open(device.Public(), cred)
	must(t, err)
	o.away.mustPut(s, g, 0)
	o.run()
	if has, err := s.Has(t.Context(), []shardrpc.Ref{ref(g, 0)}); err != nil || !has[0] {
		t.Errorf("before: %v, %v", has, err)
	}
	o.adopt(o.there, o.owner, o.owner.Enrol(kept.Grant))
	o.adopt(o.there, o.owner, o.owner.Revoke(device.Public()))
	o.run()
	o.away.wantRefused(s, g, shardrpc.ErrRevoked)
	if _, err := o.away.open(device.Public(), cred); !errors.Is(err, shardrpc.ErrRevoked) {
		t.Errorf("a revoked device is let in: %v", err)
	}
	if _, err := o.away.open(ledgertest.Key("kept").Public(), kept); err != nil {
		t.Errorf("another device: %v", err)
	}
	book, err := o.away.parts().book.ownerLane(o.away.vault.ID())
	if err != nil || book.Height != 3 || len(book.Revoked) != 1 {
		t.Errorf("remembered %+v, %v", book, err)
	}
}

// TestRevocationIsNotUnlearned: what a member makes up, or leaves out, takes nothing
// back that was proved.
func TestRevocationIsNotUnlearned(t *testing.T) {
	o := newOutsider(t)
	g := segment(t, 100_000, 1)
	device, cred := o.away.device("device", ledger.Full)
	enrol := o.owner.Enrol(cred.Grant)
	o.adopt(o.there, o.owner, enrol)
	o.adopt(o.there, o.owner, o.owner.Revoke(device.Public()))
	_, other := o.away.device("other", ledger.Full)
	s, err := o.away.open(ledgertest.Key("other").Public(), other)
	must(t, err)
	o.away.mustPut(s, g, 0)
	o.run()
	refused := func(what string) {
		t.Helper()
		if _, err := o.away.open(device.Public(), cred); !errors.Is(err, shardrpc.ErrRevoked) {
			t.Errorf("%s: %v", what, err)
		}
	}
	refused("after the revocation")
	first, err := o.away.vault.Link(enrol).Encode()
	must(t, err)
	honest := o.peer
	for what, links := range map[string][][]byte{
		"the first entry again": {first}, "garbage": {[]byte("garbage")}, "nothing": nil,
	} {
		o.peer = forgingPeer{honest, links}
		o.run()
		refused(what)
	}
}

// forgingPeer answers every question for links alike.
type forgingPeer struct {
	peer
	links [][]byte
}

func (p forgingPeer) Links(context.Context, ident.CID, ident.PublicKey, int64, int) ([][]byte, error) {
	return p.links, nil
}
