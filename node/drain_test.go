package node

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p/ledgerrpc"
	"holdfast/p2p/shardrpc"
)

// says is a member who says how many shards a node holds.
type says struct {
	b      *bench
	member int
	shards *int64
}

func (s says) Held(_ context.Context, vault ident.CID, nonce [16]byte, node ident.PublicKey) (ident.Signed, error) {
	m := s.b.vault.Members[s.member]
	return ledger.SignHeld(m.Vote, ledger.Held{
		Vault: vault, Charter: s.b.vault.Charter.CID(), Nonce: nonce, Operator: m.Operator.Public(), Clock: ledger.Millis(s.b.clock.now()), Node: node, Shards: *s.shards,
	})
}

// draining is a node that drains, and holds for a vault of 4 members although it is none
// of them.
type draining struct {
	*bench
	orders *orders
	who    *fakeWitnesses
	left   int64 // shards that are placed here, as members say
	*drainer
}

func newDraining(t *testing.T) *draining {
	d := &draining{bench: newBench(t, 4)}
	d.orders = testOrders(Config{}, d.clock.now)
	d.shelf.orders = d.orders
	d.who = &fakeWitnesses{vault: d.vault}
	d.drainer = &drainer{
		dir: d.node.dir, keys: d.node.keys, volume: d.bench.volume, charters: d.releaser(d.who).charters, intent: d.orders.intent.get,
		refuse: d.orders.emptied.Store, certifier: &certifier{witnesses: d.who, log: d.node.log}, now: d.clock.now, log: d.node.log,
		at: func(node ident.PublicKey) ledgerrpc.Counter {
			for i, m := range d.vault.Members {
				if m.Node.Public() == node {
					return says{d.bench, i, &d.left}
				}
			}
			return nil
		},
	}
	return d
}

func (d *draining) drain(since time.Time) { d.orders.intent.value.Draining = since }

// look has the drainer look once, later than before.
func (d *draining) look(t *testing.T) DrainStatus {
	t.Helper()
	d.clock.advance(settleEvery)
	must(t, d.run(t.Context()))
	if s := d.drainer.status(); s != nil {
		return *s
	}
	return DrainStatus{}
}

// SPEC: a node is not empty while a commit that it has signed a receipt for may still be
// certified; once it says that it is, it signs none.
func TestDrainWaitsForCommits(t *testing.T) {
	d := newDraining(t)
	g := segment(t, 50_000, 1)
	s := d.session()
	d.mustPut(s, g, 0)
	receipt := func() error {
		_, err := s.Receipt(t.Context(), nonce, []shardrpc.Ref{ref(g, 0)})
		return err
	}
	must(t, receipt())
	d.drain(d.clock.now())
	d.who.says = d.say(unknown, unknown, unknown, unknown)
	if got := d.look(t); got.Done || got.Waits == "" {
		t.Errorf("a commit is under way: %+v", got)
	}
	must(t, receipt()) // the commit goes on

	// It is certified, and this node is one of those that it names.
	d.who.says, d.left = d.say(certified, certified, certified), 1
	if got := d.look(t); got.Done || got.Shards != 1 {
		t.Errorf("a shard is here: %+v", got)
	}
	d.left = 0
	got := d.look(t)
	if !got.Done || got.Waits != "" || got.Receipt != filepath.Join(d.node.dir, receiptsName, filepath.Base(got.Receipt)) {
		t.Fatalf("moved: %+v", got)
	}
	if r, err := VerifyDrain(got.Receipt); err != nil || len(r.Vaults) != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	if err := receipt(); !errors.Is(err, shardrpc.ErrFull) {
		t.Error("a receipt of a node that has said that it is empty:", err)
	}
	d.drain(time.Time{})
	d.look(t)
	must(t, receipt())
}

// A commit that was given up is waited for no longer than any could take.
func TestDrainForgetsWhatWasGivenUp(t *testing.T) {
	d := newDraining(t)
	d.mustPut(d.session(), segment(t, 50_000, 1), 0)
	d.drain(d.clock.now())
	d.who.says = d.say(unknown, unknown, unknown, unknown)
	if got := d.look(t); got.Done {
		t.Errorf("%+v", got)
	}
	d.clock.advance(settleTime)
	if got := d.look(t); !got.Done {
		t.Errorf("an hour later: %+v", got)
	}
}

// A vault whose charter was lost with the book keeps a drain waiting, and breaks nothing.
func TestDrainWithoutCharter(t *testing.T) {
	d := newDraining(t)
	must(t, d.parts().book.found(segment(t, 50_000, 1).Key(vaultA, 0), 25_000))
	d.drain(d.clock.now())
	if got := d.look(t); got.Done || len(got.Vaults) != 1 || got.Vaults[0].Waits == "" {
		t.Errorf("%+v", got)
	}
}
