package p2p

import (
	"errors"
	"testing"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

func TestHint(t *testing.T) {
	nodes := cluster(t, 4)
	meshed(t, nodes...)
	charter, vault := vaultOf(t, nodes...)
	held, err := nodes[1].PutHint(t.Context(), hintBy(t, nodes[1], charter, 1))
	if err != nil || held != 3 {
		t.Fatalf("held by %d, %v", held, err)
	}
	c := start(t, asClient(), withBootstrap(nodes[3].Addrs()...))
	hint, err := c.GetHint(t.Context(), vault)
	if err != nil || hint.Node != nodes[1].ID() || hint.FirstCharter().ID() != vault {
		t.Fatalf("hint %+v, %v", hint, err)
	}
	// A newer one by another member replaces it; an older one does not come back.
	if held, err = nodes[2].PutHint(t.Context(), hintBy(t, nodes[2], charter, 7)); err != nil || held != 3 {
		t.Fatalf("newer hint: held by %d, %v", held, err)
	}
	if held, err = nodes[1].PutHint(t.Context(), hintBy(t, nodes[1], charter, 3)); err == nil || held != 0 {
		t.Errorf("older hint: held by %d, %v", held, err)
	}
	if hint, err = c.GetHint(t.Context(), vault); err != nil || hint.Seq != 7 {
		t.Errorf("hint number %d, %v", hint.Seq, err)
	}
	_, other := vaultOf(t, nodes[0])
	if _, err := c.GetHint(t.Context(), other); !errors.Is(err, ErrNotFound) {
		t.Errorf("another vault's hint: %v", err)
	}
	if _, err := c.GetHint(t.Context(), ident.CID{}); !errors.Is(err, ident.ErrCID) {
		t.Errorf("no vault's hint: %v", err)
	}
}

// The trap of PutValue: when all others refuse, it succeeds, and the writer reads
// back its own copy. PutHint says 0.
func TestHintThatAllRefuse(t *testing.T) {
	h := start(t)
	for range 3 {
		r := newRogue(t)
		r.serveDHT(t, nothing{})
		r.answer(t, func(*helloAnswer) {})
		if err := h.Learn(r.key.Public(), []string{r.addr()}); err != nil {
			t.Fatal(err)
		}
		if _, err := h.greet(t.Context(), r.ID(), 0); err != nil {
			t.Fatal(err)
		}
	}
	charter, vault := vaultOf(t, h)
	held, err := h.PutHint(t.Context(), hintBy(t, h, charter, 1))
	if err != nil || held != 0 {
		t.Errorf("held by %d, %v", held, err)
	}
	if _, err := h.GetHint(t.Context(), vault); err != nil {
		t.Errorf("the trap is gone, its own copy is not found: %v", err)
	}
}

// Some refuse, one takes it: that one is counted.
func TestHintThatSomeRefuse(t *testing.T) {
	nodes := cluster(t, 2)
	meshed(t, nodes...)
	r := newRogue(t)
	r.serveDHT(t, nothing{})
	r.answer(t, func(*helloAnswer) {})
	if err := nodes[0].Learn(r.key.Public(), []string{r.addr()}); err != nil {
		t.Fatal(err)
	}
	if _, err := nodes[0].greet(t.Context(), r.ID(), 0); err != nil {
		t.Fatal(err)
	}
	charter, _ := vaultOf(t, nodes[0])
	if held, err := nodes[0].PutHint(t.Context(), hintBy(t, nodes[0], charter, 1)); err != nil || held != 1 {
		t.Errorf("held by %d, %v", held, err)
	}
}

// The trap of the empty routing table: where nobody can be asked, the answer is not
// "not found".
func TestAskingNobody(t *testing.T) {
	alone := start(t)
	charter, vault := vaultOf(t, alone)
	if _, err := alone.GetHint(t.Context(), vault); !errors.Is(err, ErrUnreachable) || errors.Is(err, ErrNotFound) {
		t.Errorf("hint: %v", err)
	}
	if _, err := alone.FindVault(t.Context(), vault); !errors.Is(err, ErrUnreachable) || errors.Is(err, ErrNotFound) {
		t.Errorf("vault: %v", err)
	}
	if held, err := alone.PutHint(t.Context(), hintBy(t, alone, charter, 1)); !errors.Is(err, ErrUnreachable) || held != 0 {
		t.Errorf("put: held by %d, %v", held, err)
	}
	if err := alone.ProvideVault(t.Context(), vault); !errors.Is(err, ErrUnreachable) {
		t.Errorf("provide: %v", err)
	}
	// What could not be said is said when somebody comes.
	c := start(t, asClient(), withBootstrap(start(t, withBootstrap(alone.Addrs()...)).Addrs()...))
	until(t, "the hint", func() bool { _, err := c.GetHint(t.Context(), vault); return err == nil })
	until(t, "the member", func() bool {
		found, err := c.FindVault(t.Context(), vault)
		return err == nil && len(found) == 1 && found[0].Certificate.Node == alone.ID()
	})
}

// A look-up that comes while the table is still empty waits for it.
func TestAskingEarly(t *testing.T) {
	nodes := cluster(t, 2)
	meshed(t, nodes...)
	charter, vault := vaultOf(t, nodes[0])
	if held, err := nodes[0].PutHint(t.Context(), hintBy(t, nodes[0], charter, 1)); err != nil || held != 1 {
		t.Fatal(held, err)
	}
	c := build(t, asClient(), withBootstrap(nodes[1].Addrs()...), withTiming(func(tm *timing) { tm.table = patience }))
	type answer struct {
		hint ledger.VaultHint
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		hint, err := c.GetHint(t.Context(), vault)
		got <- answer{hint, err}
	}()
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a := <-got; a.err != nil || a.hint.Seq != 1 {
		t.Errorf("%+v", a)
	}
}

func TestVaultMembersAreFound(t *testing.T) {
	nodes := cluster(t, 5)
	meshed(t, nodes...)
	_, vault := vaultOf(t, nodes[1], nodes[2])
	owner := newKey(t).Public().ID()
	for _, h := range nodes[1:3] {
		if err := h.ProvideVault(t.Context(), vault); err != nil {
			t.Fatal(err)
		}
		if err := h.ProvideOwner(t.Context(), owner); err != nil {
			t.Fatal(err)
		}
	}
	c := start(t, asClient(), withBootstrap(nodes[4].Addrs()...))
	for name, find := range map[string]func() ([]Node, error){
		"vault": func() ([]Node, error) { return c.FindVault(t.Context(), vault) },
		"owner": func() ([]Node, error) { return c.FindOwner(t.Context(), owner) },
	} {
		found, err := find()
		if got := names(found); err != nil || len(got) != 2 || !got[nodes[1].ID()] || !got[nodes[2].ID()] {
			t.Errorf("%s: %d members, %v", name, len(got), err)
		}
	}
	if _, err := c.FindVault(t.Context(), ident.SumRaw([]byte("another"))); !errors.Is(err, ErrNotFound) {
		t.Errorf("another vault: %v", err)
	}
	if _, err := c.FindVault(t.Context(), ident.CID{}); !errors.Is(err, ident.ErrCID) {
		t.Errorf("no vault: %v", err)
	}
	nodes[1].Withdraw(vault, owner)
	if provided, hints := nodes[1].memory.all(); len(provided)+len(hints) != 0 {
		t.Errorf("still announced: %v, %v", provided, hints)
	}
}

// Clients store nothing: neither their own announcements nor others' hints.
func TestClientsStoreNothing(t *testing.T) {
	node := start(t)
	c := start(t, asClient(), withBootstrap(node.Addrs()...))
	charter, vault := vaultOf(t, node)
	if _, err := c.PutHint(t.Context(), hintBy(t, node, charter, 1)); !errors.Is(err, ErrNotNode) {
		t.Error(err)
	}
	if err := c.ProvideVault(t.Context(), vault); !errors.Is(err, ErrNotNode) {
		t.Error(err)
	}
	d, err := c.ready(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// Around its own checks: the node refuses.
	if held, err := c.putHint(t.Context(), d, vaultKey(vault), encode(t, hintBy(t, node, charter, 1))); held != 0 || err != nil {
		t.Errorf("held by %d, %v", held, err)
	}
}
