package node

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p"
)

// fakeNetwork remembers what is announced.
type fakeNetwork struct {
	mu     sync.Mutex
	fail   error
	vaults []ident.CID
	owners [][ident.HashSize]byte
	hints  []ident.Signed
	nodes  map[ident.PublicKey][]string
}

func (f *fakeNetwork) ProvideVault(_ context.Context, vault ident.CID) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.vaults = append(f.vaults, vault)
	return f.fail
}

func (f *fakeNetwork) ProvideOwner(_ context.Context, owner [ident.HashSize]byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.owners = append(f.owners, owner)
	return f.fail
}

func (f *fakeNetwork) PutHint(_ context.Context, hint ident.Signed) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hints = append(f.hints, hint)
	return 1, f.fail
}

func (f *fakeNetwork) Node(_ context.Context, key ident.PublicKey) (p2p.Node, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if addrs, ok := f.nodes[key]; ok {
		return p2p.Node{Addrs: addrs}, nil
	}
	return p2p.Node{}, p2p.ErrNotFound
}

func (f *fakeNetwork) Addrs() []string {
	return []string{"/ip4/192.0.2.1/tcp/1/p2p/me", "/ip6/::1/tcp/2/p2p/me"}
}

func (f *fakeNetwork) said() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.hints)
}

func (b *bench) announcer(f *fakeNetwork) *announcer {
	return newAnnouncer(f, b.me.Node, b.node.memberships, b.clock.now, b.node.log)
}

func TestAnnounce(t *testing.T) {
	b := newBench(t, 4)
	other := b.vault.Members[2].Node.Public()
	f := &fakeNetwork{nodes: map[ident.PublicKey][]string{other: {"/ip4/192.0.2.9/tcp/9"}}}
	a := b.announcer(f)
	must(t, a.run(t.Context()))
	if f.said() > 0 {
		t.Fatal("announced without a vault")
	}
	if _, err := b.ledgers.Accept(t.Context(), b.vault.Signed); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		must(t, a.run(t.Context()))
	}
	if f.said() != 1 || len(f.vaults) != 1 || f.vaults[0] != b.vault.ID() || len(f.owners) != 1 || f.owners[0] != b.vault.Owner.Public().ID() {
		t.Fatalf("%d hints, vaults %v, owners %v", f.said(), f.vaults, f.owners)
	}
	hint, err := ledger.VerifyVaultHint(f.hints[0], b.vault.ID())
	must(t, err)
	if hint.Node != b.me.Node.Public() || hint.Seq != ledger.Millis(b.clock.now()) || len(hint.Members) != 2 {
		t.Errorf("%+v", hint)
	}
	for _, m := range hint.Members {
		want := []string{"/ip4/192.0.2.9/tcp/9"}
		if m.Node == b.me.Node.Public() {
			want = []string{"/ip4/192.0.2.1/tcp/1", "/ip6/::1/tcp/2"}
		} else if m.Node != other {
			t.Errorf("hint of %v", m.Node)
		}
		if !slices.Equal(m.Addrs, want) {
			t.Errorf("%v", m.Addrs)
		}
	}
	b.clock.advance(announceEvery - time.Minute)
	must(t, a.run(t.Context()))
	if f.said() != 1 {
		t.Error("announced again too early")
	}
	b.clock.advance(time.Minute)
	must(t, a.run(t.Context()))
	if f.said() != 2 {
		t.Error("not announced again")
	}
	if again, err := ledger.VerifyVaultHint(f.hints[1], b.vault.ID()); err != nil || again.Seq <= hint.Seq {
		t.Errorf("%d after %d, %v", again.Seq, hint.Seq, err)
	}
}

// What nobody heard is said again the next time; being alone is no failure.
func TestAnnounceAgainAfterFailure(t *testing.T) {
	b := newBench(t, 4)
	if _, err := b.ledgers.Accept(t.Context(), b.vault.Signed); err != nil {
		t.Fatal(err)
	}
	f := &fakeNetwork{fail: p2p.ErrUnreachable}
	a := b.announcer(f)
	must(t, a.run(t.Context()))
	f.fail = errors.New("trouble")
	if err := a.run(t.Context()); !errors.Is(err, f.fail) {
		t.Error(err)
	}
	f.fail = nil
	must(t, a.run(t.Context()))
	must(t, a.run(t.Context()))
	if f.said() != 3 {
		t.Errorf("said %d times", f.said())
	}
}

// A node whose volume is gone is a member of nothing it can prove.
func TestAnnounceWithoutVolume(t *testing.T) {
	b := newBench(t, 4)
	if _, err := b.ledgers.Accept(t.Context(), b.vault.Signed); err != nil {
		t.Fatal(err)
	}
	b.wipe()
	f := &fakeNetwork{}
	must(t, b.announcer(f).run(t.Context()))
	if f.said() > 0 {
		t.Error("announced")
	}
}

// A vault of which nobody has heard for a while is overdue, until somebody has, or this
// node is a member no more.
func TestAnnounceOverdue(t *testing.T) {
	b := newBench(t, 4)
	_, err := b.ledgers.Accept(t.Context(), b.vault.Signed)
	must(t, err)
	f := &fakeNetwork{fail: p2p.ErrUnreachable}
	a := b.announcer(f)
	want := func(due, overdue int) {
		t.Helper()
		must(t, a.run(t.Context()))
		if d, o := a.waiting(); d != due || o != overdue {
			t.Errorf("%d due, %d overdue; want %d and %d", d, o, due, overdue)
		}
	}
	want(1, 0)
	b.clock.advance(announceLate)
	want(1, 1)
	f.fail = nil
	want(0, 0)
	b.clock.advance(announceEvery)
	f.fail = p2p.ErrUnreachable
	want(1, 0)
	b.clock.advance(announceLate)
	a.vaults = func(context.Context) ([]ident.Signed, error) { return nil, nil }
	want(0, 0)
}
