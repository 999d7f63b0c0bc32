package vault_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"holdfast/ledger"
	"holdfast/seal"
	"holdfast/vault"
)

// TestRevokeReader: after a reader was revoked, new data goes to a recipient that it
// cannot open, and the readers that are left get the identity for it without a word
// being typed on their machines.
func TestRevokeReader(t *testing.T) {
	n := newNetwork(t, 4, 4)
	m := createVault(t, n)
	tree := makeTree(t, 31)
	first := m.backup(tree)
	gone := m.joined("gone", vault.NewDevice{Rights: ledger.Read})
	left := m.joined("left", vault.NewDevice{Rights: ledger.Read})
	host := m.joined("host", vault.NewDevice{Rights: ledger.Append})
	gone.restore(first.ID(), tree)

	s := m.open()
	r, err := s.RevokeDevice(t.Context(), m.kit.Entropy, "gone")
	if err != nil || !r.Rotated || s.Charter().Number != 2 || s.Charter().Identity != 2 {
		t.Fatalf("rotated %v, charter %d with identity %d: %v", r.Rotated, s.Charter().Number, s.Charter().Identity, err)
	}
	if _, err := s.RevokeDevice(t.Context(), m.kit.Entropy, "gone"); !errors.Is(err, ledger.ErrRevoked) {
		t.Errorf("revoked twice: %v", err)
	}
	s.Close()

	if err := os.WriteFile(filepath.Join(tree, "new"), noise(9, 200_000), 0o600); err != nil {
		t.Fatal(err)
	}
	ours, hosts := m.backup(tree), host.backup(tree)
	for _, id := range []string{ours.ID(), hosts.ID()} {
		left.restore(id, tree)
		m.restore(id, tree)
	}
	if _, err := gone.sync(); !errors.Is(err, vault.ErrNoRight) {
		t.Errorf("the revoked reader looks: %v", err)
	}
	wantSealed(t, m, gone, ours.ID())
	wantSealed(t, m, gone, hosts.ID())

	// A cache that is lost takes no key away.
	if err := os.RemoveAll(left.home.Cache); err != nil {
		t.Fatal(err)
	}
	left.restore(ours.ID(), tree)
	if err := os.RemoveAll(m.home.Cache); err != nil {
		t.Fatal(err)
	}
	m.restore(ours.ID(), tree)
	shownReceipt(t, m, ours.ID())
}

// Whoever rotates without revoking anybody leaves no reader behind.
func TestRotateLeavesNoReaderBehind(t *testing.T) {
	n := newNetwork(t, 4, 4)
	m := createVault(t, n)
	tree := makeTree(t, 32)
	m.backup(tree)
	reader := m.joined("reader", vault.NewDevice{Rights: ledger.Read})
	if next := m.changed(vault.Change{Rotate: true}); next.Identity != 2 {
		t.Fatalf("identity %d", next.Identity)
	}
	if err := os.WriteFile(filepath.Join(tree, "new"), noise(9, 200_000), 0o600); err != nil {
		t.Fatal(err)
	}
	reader.restore(m.backup(tree).ID(), tree)
}

// wantSealed tries to open a snapshot, however it was come by, with what a revoked
// device has.
func wantSealed(t *testing.T, m, gone *merchant, id string) {
	t.Helper()
	p, err := gone.home.Load("shop")
	if err != nil || len(p.Identities) != 1 {
		t.Fatalf("the revoked reader has %d identities, %v", len(p.Identities), err)
	}
	s, err := m.sync()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	snap, err := s.Resolve(t.Context(), id, vault.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	body, err := s.Body(t.Context(), snap.Link)
	if err != nil {
		t.Fatal(err)
	}
	b, err := ledger.ParseSnapshotBody(body)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := seal.OpenBytes(b.Sealed, 1<<20, p.Identities[0]); !errors.Is(err, seal.ErrSealed) {
		t.Errorf("the revoked reader opens %.8s: %v", id, err)
	}
}

// shownReceipt: a receipt of a snapshot under a later charter verifies, with what it
// shares with snapshots before.
func shownReceipt(t *testing.T, m *merchant, id string) {
	t.Helper()
	s, err := m.sync()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	snap, err := s.Resolve(t.Context(), id, vault.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	if out := shown(t, s, snap, false); out.Charter.Number != 2 || !out.Whole || out.Losses != 2 {
		t.Errorf("charter %d, whole %v, %d losses", out.Charter.Number, out.Whole, out.Losses)
	}
}
