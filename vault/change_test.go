package vault_test

import (
	"errors"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/testnet"
	"holdfast/vault"
	"holdfast/vault/guardian"
)

// change runs one change in a session of its own.
func (m *merchant) change(c vault.Change) (vault.Changed, error) {
	m.t.Helper()
	s := m.open()
	defer s.Close()
	return s.Change(m.t.Context(), m.kit.Entropy, c)
}

func (m *merchant) changed(c vault.Change) ledger.Charter {
	m.t.Helper()
	out, err := m.change(c)
	if err != nil || !out.Done {
		m.t.Fatalf("%+v, %v", out, err)
	}
	return out.Charter
}

// createOn makes a vault with these operators alone, with short times.
func createOn(t testing.TB, n *testnet.Network, cooling time.Duration, operators ...ident.PublicKey) *merchant {
	t.Helper()
	m := emptyMachine(t, n)
	_, _, err := m.home.Create(t.Context(), vault.Create{
		Name: "shop", Bootstrap: n.Bootstrap()[:1], Retention: time.Hour, Cooling: cooling, Rights: ledger.Full, Device: "machine",
		Operators: operators, Options: m.options(),
		KeepKit: func(k vault.Kit) error { m.kit = k; return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// charter returns the charter in force, and leaves nothing open: whoever opens the vault
// then would wait for the index.
func (m *merchant) charter() ledger.Charter {
	m.t.Helper()
	s := m.open()
	defer s.Close()
	return s.Charter()
}

// TestChangeRenews: every member gets another vote key; what was stored before is read,
// and more is stored, by a device that was away meanwhile.
func TestChangeRenews(t *testing.T) {
	n := newNetwork(t, 4, 4)
	m := createVault(t, n)
	tree := makeTree(t, 31)
	m.backup(tree)
	other := m.joined("host", vault.NewDevice{Rights: ledger.Full})
	before := m.charter()
	next := m.changed(vault.Change{Renew: true})
	if next.Number != 2 || next.Prev != before.CID() {
		t.Fatalf("charter %d after %s", next.Number, next.Prev)
	}
	for i, was := range before.Members {
		if is := next.Members[i]; is.Vote == was.Vote || is.Node != was.Node {
			t.Errorf("%s keeps its vote key", was.Name)
		}
	}
	r := other.backup(tree, makeTree(t, 32))
	if !r.Complete() {
		t.Errorf("not complete: %+v", r.Durability)
	}
	if st := m.restore(r.ID(), tree); st.Freshness != ledger.FreshProven {
		t.Errorf("freshness %v", st.Freshness)
	}
	empty := emptyMachine(t, n)
	got, err := empty.home.Claim(t.Context(), vault.Claim{Kit: m.kit, Name: "shop", Rights: ledger.Read, Device: "empty", Options: empty.options()})
	if err != nil || got.Charter.CID() != next.CID() || got.Standing.Freshness != ledger.FreshProven {
		t.Fatalf("charter %d, %+v, %v", got.Charter.Number, got.Standing, err)
	}
	empty.restore("latest", tree)
	if again := m.changed(vault.Change{}); again.CID() != next.CID() {
		t.Error("a change of nothing changes the charter")
	}
}

// TestChangeBringsBackAMember: a member whose volume was lost, and its ledgers with it,
// keeps the vault again, and votes in it under another key.
func TestChangeBringsBackAMember(t *testing.T) {
	n := newNetwork(t, 4, 4)
	m := createVault(t, n)
	tree := makeTree(t, 38)
	m.backup(tree)
	if _, err := n.Break(t.Context(), testnet.Wipe, "node-2"); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Heal(t.Context(), "node-2"); err != nil {
		t.Fatal(err)
	}
	if next := m.changed(vault.Change{Renew: true}); next.Number != 2 {
		t.Fatalf("charter %d", next.Number)
	}
	if r := m.backup(tree, makeTree(t, 39)); !r.Complete() {
		t.Errorf("%d of %d members, %+v", r.Final.Acks, r.Final.Members, r.Durability)
	}
}

// TestChangeInterrupted: a run that is killed when the members have frozen holds other
// machines up, and takes nothing from them; the same command, or another change, goes on.
func TestChangeInterrupted(t *testing.T) {
	n := newNetwork(t, 4, 4)
	m := createVault(t, n)
	tree := makeTree(t, 35)
	m.backup(tree)
	s := m.open()
	if err := s.FreezeFor(t.Context(), m.kit.Entropy, vault.Change{Renew: true}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := m.tryBackup([]byte("meanwhile")); !errors.Is(err, ledger.ErrFrozen) {
		t.Errorf("a backup under a frozen charter: %v", err)
	}
	m.restore("latest", tree)
	if next := m.changed(vault.Change{Alter: func(c *ledger.Charter) error { c.Retention = 7200; return nil }}); next.Number != 2 || next.Retention != 7200 {
		t.Errorf("charter %d, retention %d", next.Number, next.Retention)
	}
	if err := m.tryBackup([]byte("afterwards")); err != nil {
		t.Errorf("a backup under the next charter: %v", err)
	}
}

// operatorsOf returns the operators of a network's nodes.
func operatorsOf(t testing.TB, n *testnet.Network) []ident.PublicKey {
	t.Helper()
	m := createVault(t, n)
	var out []ident.PublicKey
	for _, member := range m.charter().Members {
		out = append(out, member.Operator)
	}
	return out
}

// TestChangeReplacesAMember: the new member has the ledger and votes, the old one does
// not; when f others are away the vault goes on. A rotated recipient is read by who has
// the words.
func TestChangeReplacesAMember(t *testing.T) {
	n := newNetwork(t, 5, 5)
	all := operatorsOf(t, n)
	m := createOn(t, n, 0, all[:4]...)
	tree := makeTree(t, 33)
	m.backup(tree)
	replace := vault.Change{Replace: map[ident.PublicKey]ident.PublicKey{all[0]: all[4]}, Rotate: true}
	next := m.changed(replace)
	if _, ok := next.Member(all[0]); ok || len(next.Members) != 4 || next.Identity != 2 {
		t.Fatalf("members %v, identity %d", next.Members, next.Identity)
	}
	r := m.backup(tree, makeTree(t, 34))
	if !r.Complete() {
		t.Errorf("not complete: %+v, acks %d", r.Durability, r.Final.Acks)
	}
	m.restore("latest", tree)
	empty := emptyMachine(t, n)
	if _, err := empty.home.Claim(t.Context(), vault.Claim{Kit: m.kit, Name: "shop", Rights: ledger.Read, Device: "empty", Options: empty.options()}); err != nil {
		t.Fatal(err)
	}
	empty.restore("latest", tree)
	// One more of the first members cannot go without anybody's consent.
	if _, err := m.change(vault.Change{Remove: all[1:2]}); !errors.Is(err, vault.ErrUnguarded) {
		t.Errorf("a second member is removed: %v", err)
	}
	if _, err := m.change(vault.Change{Replace: map[ident.PublicKey]ident.PublicKey{{1}: {2}}}); !errors.Is(err, vault.ErrNoMember) {
		t.Errorf("nobody is replaced: %v", err)
	}
}

// TestChangeThatLowers: without guardians nothing is lowered; the first guardians wait
// for the cooling-off; with them, a lowering waits for two of them, and the same call
// completes it.
func TestChangeThatLowers(t *testing.T) {
	n := newNetwork(t, 4, 4)
	m := createOn(t, n, 0, operatorsOf(t, n)...)
	lower := vault.Change{Alter: func(c *ledger.Charter) error { c.Retention = 60; return nil }}
	if _, err := m.change(lower); !errors.Is(err, vault.ErrUnguarded) {
		t.Fatalf("retention is lowered without guardians: %v", err)
	}
	keys, appoint := appointing(t, m)
	out, err := m.change(appoint)
	if err != nil || !out.Done || len(out.Lowers) != 1 {
		t.Fatalf("%+v, %v", out, err)
	}
	out, err = m.change(lower)
	if !errors.Is(err, vault.ErrWaits) || out.Done || !out.Request.Defined() {
		t.Fatalf("%+v, %v", out, err)
	}
	again, err := m.change(lower)
	if !errors.Is(err, vault.ErrWaits) || again.Request != out.Request {
		t.Fatalf("%+v, %v", again, err)
	}
	m.approve(out.Request, keys[0])
	if _, err := m.change(lower); !errors.Is(err, vault.ErrWaits) {
		t.Fatalf("one guardian is enough: %v", err)
	}
	m.approve(out.Request, keys[2])
	if next := m.changed(vault.Change{Request: out.Request}); next.Retention != 60 || next.Number != 3 {
		t.Errorf("charter %d, retention %d", next.Number, next.Retention)
	}
	if next := m.changed(lower); next.Number != 3 {
		t.Errorf("charter %d", next.Number)
	}
	raise := vault.Change{Alter: func(c *ledger.Charter) error { c.Retention = 3600; return nil }}
	if next := m.changed(raise); next.Retention != 3600 || next.Number != 4 {
		t.Errorf("charter %d, retention %d", next.Number, next.Retention)
	}
}

// appointing makes three guardians, and the change that appoints them.
func appointing(t testing.TB, m *merchant) ([]guardian.Key, vault.Change) {
	t.Helper()
	keys, public := people(t, "Ann", "Bob", "Eve")
	sharing, err := guardian.Split(m.kit.Entropy, m.charter().Salt, public, 2)
	if err != nil {
		t.Fatal(err)
	}
	return keys, vault.Change{Alter: func(c *ledger.Charter) error {
		c.Guardians, c.Threshold, c.Secret = sharing.Guardians, sharing.Threshold, sharing.Secret
		return nil
	}}
}

// approve hands a guardian's approval to every member.
func (m *merchant) approve(request ident.CID, key guardian.Key) {
	m.t.Helper()
	s := m.open()
	defer s.Close()
	signed, err := ledger.SignOpinion(key.Approval, ledger.Approve, ledger.Opinion{
		Vault: s.Vault(), Charter: s.Charter().CID(), Request: request, Clock: ledger.Millis(time.Now()),
	})
	if err != nil {
		m.t.Fatal(err)
	}
	if err := s.HandOpinion(m.t.Context(), ledger.Approve, signed); err != nil {
		m.t.Fatal(err)
	}
}
