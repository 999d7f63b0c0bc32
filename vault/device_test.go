package vault_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"holdfast/ledger"
	"holdfast/p2p/shardrpc"
	"holdfast/testnet"
	"holdfast/vault"
)

// request has a machine ask, and returns the file.
func (m *merchant) request(name string) string {
	m.t.Helper()
	text, _, err := m.home.Request("shop", name, m.options())
	if err != nil {
		m.t.Fatal(err)
	}
	path := filepath.Join(m.t.TempDir(), "request")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		m.t.Fatal(err)
	}
	return path
}

// admits has the owner answer a request, and returns the invitation.
func (m *merchant) admits(request string, n vault.NewDevice) (vault.Invite, error) {
	m.t.Helper()
	var err error
	if n.Request, err = vault.ReadRequest(request); err != nil {
		m.t.Fatal(err)
	}
	s := m.open()
	defer s.Close()
	invite, _, err := s.AddDevice(m.t.Context(), m.kit.Entropy, n)
	if err != nil {
		return vault.Invite{}, err
	}
	text, err := invite.Text()
	if err != nil {
		m.t.Fatal(err)
	}
	path := request + ".invite"
	if err := os.WriteFile(path, text, 0o600); err != nil {
		m.t.Fatal(err)
	}
	return vault.ReadInvite(path)
}

// joined is a machine that has joined by request and invitation.
func (m *merchant) joined(name string, n vault.NewDevice) *merchant {
	m.t.Helper()
	other := emptyMachine(m.t, m.net)
	invite, err := m.admits(other.request(name), n)
	if err != nil {
		m.t.Fatal(err)
	}
	got, err := other.home.Join(m.t.Context(), vault.Join{Invite: invite, Vault: m.kit.Vault, Options: other.options()})
	if err != nil {
		m.t.Fatal(err)
	}
	if got.Profile.Name != "shop" || got.Profile.Vault != m.kit.Vault {
		m.t.Errorf("joined %s %s", got.Profile.Name, got.Profile.Vault)
	}
	return other
}

// sync opens the vault and looks at it.
func (m *merchant) sync() (*vault.Session, error) {
	s := m.open()
	_, err := s.Sync(m.t.Context())
	return s, err
}

// tryBackup is backup where it may fail.
func (m *merchant) tryBackup(p []byte) error {
	s := m.open()
	defer s.Close()
	if _, err := s.Begin(m.t.Context()); err != nil {
		return err
	}
	_, err := s.Backup(m.t.Context(), vault.Backup{Name: "f", Stream: bytes.NewReader(p), Program: "test"})
	return err
}

// TestJoinByInvitation: a machine becomes a device without a secret leaving another
// one, and has what its rights ask for, and no more.
func TestJoinByInvitation(t *testing.T) {
	n := newNetwork(t, 4, 4)
	m := createVault(t, n)
	tree := makeTree(t, 11)
	m.backup(tree)

	host := m.joined("host", vault.NewDevice{Rights: ledger.Append})
	r := host.backup(tree)
	m.restore(r.ID(), tree)
	s, err := host.sync()
	if err != nil {
		t.Fatal(err)
	}
	snap, err := s.Resolve(t.Context(), r.ID(), vault.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Read(t.Context(), snap, nil); !errors.Is(err, vault.ErrNoRight) || snap.Open {
		t.Errorf("a device that may only add reads: %v", err)
	}

	reader := m.joined("reader", vault.NewDevice{Rights: ledger.Read, Life: time.Hour})
	reader.restore("latest", tree)
	if err := reader.tryBackup([]byte("x")); !errors.Is(err, vault.ErrNoRight) {
		t.Errorf("a device that may only read adds: %v", err)
	}
	later := reader.options()
	later.Now = func() time.Time { return time.Now().Add(2 * time.Hour) }
	old, err := reader.home.Open(t.Context(), "shop", later)
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	if _, err := old.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := old.Read(t.Context(), snap, nil); !errors.Is(err, vault.ErrNoRight) {
		t.Errorf("reads after the grant's end: %v", err)
	}
}

// TestJoinRefusals: an invitation is for one machine and one vault, and stands for
// nothing that the ledger does not say.
func TestJoinRefusals(t *testing.T) {
	n := newNetwork(t, 4, 4)
	m := createVault(t, n)
	host := emptyMachine(t, n)
	request := host.request("host")
	invite, err := m.admits(request, vault.NewDevice{Rights: ledger.Append})
	if err != nil {
		t.Fatal(err)
	}
	join := func(on *merchant, j vault.Join) error {
		j.Options = on.options()
		_, err := on.home.Join(t.Context(), j)
		return err
	}
	if err := join(emptyMachine(t, n), vault.Join{Invite: invite, Name: "shop"}); !errors.Is(err, vault.ErrNotInvited) {
		t.Errorf("another machine: %v", err)
	}
	other := createVault(t, n)
	if err := join(host, vault.Join{Invite: invite, Vault: other.kit.Vault}); !errors.Is(err, vault.ErrMismatch) {
		t.Errorf("another vault: %v", err)
	}
	if err := join(host, vault.Join{Invite: invite, Name: "no name"}); !errors.Is(err, vault.ErrName) {
		t.Errorf("no name: %v", err)
	}
	if err := join(host, vault.Join{Invite: invite}); err != nil {
		t.Errorf("after all that: %v", err)
	}
	if err := join(host, vault.Join{Invite: invite, Name: "again"}); !errors.Is(err, vault.ErrNotInvited) {
		t.Errorf("twice: %v", err)
	}

	wrong := m.kit.Entropy
	wrong[0] ^= 1
	s := m.open()
	defer s.Close()
	if _, _, err := s.AddDevice(t.Context(), wrong, vault.NewDevice{}); !errors.Is(err, vault.ErrWrongWords) {
		t.Errorf("wrong words: %v", err)
	}
	if _, err := s.RevokeDevice(t.Context(), wrong, "host"); !errors.Is(err, vault.ErrWrongWords) {
		t.Errorf("wrong words: %v", err)
	}
	if _, err := s.RevokeDevice(t.Context(), m.kit.Entropy, "nobody"); !errors.Is(err, vault.ErrNoDevice) {
		t.Errorf("no such device: %v", err)
	}
}

// TestRevoke: a revoked device is refused by members and by holders, is told so, and
// cannot come back. What it has added stays.
func TestRevoke(t *testing.T) {
	n := newNetwork(t, 4, 4)
	m := createVault(t, n)
	tree := makeTree(t, 12)
	host := m.joined("host", vault.NewDevice{Rights: ledger.Full})
	kept := host.backup(tree)
	busy := host.open()
	if _, err := busy.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	snap, err := busy.Resolve(t.Context(), kept.ID(), vault.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	s := m.open()
	r, err := s.RevokeDevice(t.Context(), m.kit.Entropy, "host")
	if err != nil || r.Final.Acks != 4 || r.Device.Grant.Name != "host" {
		t.Fatalf("revoke: %+v, %v", r.Final, err)
	}
	if _, err := s.RevokeDevice(t.Context(), m.kit.Entropy, r.Device.Grant.Device.String()); !errors.Is(err, ledger.ErrRevoked) {
		t.Errorf("revoked twice: %v", err)
	}
	s.Close()

	if err := os.RemoveAll(host.home.Cache); err != nil { // what it has in its cache it may read for ever
		t.Fatal(err)
	}
	if _, err := busy.Backup(t.Context(), vault.Backup{Name: "f", Stream: bytes.NewReader(noise(1, 1<<20)), Program: "test"}); !errors.Is(err, ledger.ErrRevoked) && !errors.Is(err, shardrpc.ErrRevoked) {
		t.Errorf("a run that was under way goes on: %v", err)
	}
	if v, err := busy.Read(t.Context(), snap, nil); err == nil {
		if _, err := v.Tree(t.Context(), snap.Info.Root); !errors.Is(err, shardrpc.ErrRevoked) {
			t.Errorf("a run that was under way reads on: %v", err)
		}
		v.Close()
	}
	busy.Close()
	if _, err := host.sync(); !errors.Is(err, vault.ErrNoRight) || !errors.Is(err, ledger.ErrRevoked) {
		t.Errorf("a revoked device looks: %v", err)
	}
	if err := host.tryBackup([]byte("x")); !errors.Is(err, vault.ErrNoRight) || !errors.Is(err, ledger.ErrRevoked) {
		t.Errorf("a revoked device adds: %v", err)
	}
	m.restore(kept.ID(), tree)
}

// TestAddAgain: to add a device again replaces what it may do, and it takes what is
// sealed to it without a word being typed.
func TestAddAgain(t *testing.T) {
	n := newNetwork(t, 4, 4)
	m := createVault(t, n)
	tree := makeTree(t, 13)
	first := m.backup(tree)
	host := emptyMachine(t, n)
	request := host.request("host")
	invite, err := m.admits(request, vault.NewDevice{Rights: ledger.Append})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := host.home.Join(t.Context(), vault.Join{Invite: invite, Options: host.options()}); err != nil {
		t.Fatal(err)
	}
	if _, err := m.admits(request, vault.NewDevice{Rights: ledger.Full}); err != nil {
		t.Fatal(err)
	}
	host.restore(first.ID(), tree)
	host.backup(tree)
	if _, err := m.admits(request, vault.NewDevice{Rights: ledger.Append}); err != nil {
		t.Fatal(err)
	}
	s, err := host.sync()
	if err != nil || s.Rights() != ledger.Append {
		t.Errorf("rights %s, %v", s.Rights(), err)
	}
	p, err := host.home.Load("shop")
	if err != nil || len(p.Identities) != 0 {
		t.Errorf("a device that may only add keeps identities: %v", err)
	}
	s.Close()
	s = m.open()
	defer s.Close()
	if _, err := s.RevokeDevice(t.Context(), m.kit.Entropy, "host"); err != nil {
		t.Fatal(err)
	}
	if _, err := m.admits(request, vault.NewDevice{Rights: ledger.Full}); !errors.Is(err, vault.ErrBusy) {
		t.Errorf("two writers on one machine: %v", err)
	}
	s.Close()
	if _, err := m.admits(request, vault.NewDevice{Rights: ledger.Full}); !errors.Is(err, ledger.ErrRevoked) {
		t.Errorf("a revoked device comes back: %v", err)
	}
}

// TestQuotaOfADevice: what a stolen device can add is bounded, by every node, and
// shown; a node that is silent counts as empty.
func TestQuotaOfADevice(t *testing.T) {
	n := newNetwork(t, 4, 4)
	m := createVault(t, n)
	const quota = 8 << 20
	host := m.joined("host", vault.NewDevice{Rights: ledger.Append, Quota: quota})
	use := func(on *merchant) vault.DeviceUse {
		t.Helper()
		s, err := on.sync()
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		uses, err := s.DeviceUses(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range uses {
			if u.Grant.Name == "host" {
				return u
			}
		}
		t.Fatal("the device is not listed")
		return vault.DeviceUse{}
	}
	if u := use(m); u.Used != 0 || u.Bound != quota || u.Unbounded || u.Nodes != 4 || u.Silent != 0 {
		t.Errorf("before: %+v", u)
	}
	if err := host.tryBackup(noise(1, 1<<20)); err != nil {
		t.Fatal(err)
	}
	u := use(m)
	if u.Used < 2<<20 || u.Used > 4<<20 || u.Used+u.Bound != quota {
		t.Errorf("after 1 MiB at 2/4: %d used, %d may follow", u.Used, u.Bound)
	}
	if own := use(host); own.Used != u.Used || own.Bound != u.Bound {
		t.Errorf("the device itself is told %d used, %d may follow", own.Used, own.Bound)
	}
	if err := host.tryBackup(noise(2, 8<<20)); !errors.Is(err, shardrpc.ErrQuota) {
		t.Errorf("above the quota: %v", err)
	}
	if u := use(m); u.Used > quota || u.Used+u.Bound != quota {
		t.Errorf("after all: %d used, %d may follow", u.Used, u.Bound)
	}
	if _, err := n.Break(t.Context(), testnet.Kill, "node-1"); err != nil {
		t.Fatal(err)
	}
	before := u
	if u := use(m); u.Silent != 1 || u.Used >= quota || u.Bound <= quota-before.Used-quota/2 {
		t.Errorf("with a silent node: %+v", u)
	}
}
