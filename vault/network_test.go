package vault_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/internal/leaktest"
	"holdfast/ledger"
	"holdfast/testnet"
	"holdfast/vault"
	"holdfast/vault/snapshot"
)

func TestMain(m *testing.M) { os.Exit(leaktest.Run(m)) }

// merchant is one machine of a merchant, with the kit of its vault.
type merchant struct {
	t    testing.TB
	net  *testnet.Network
	home vault.Home
	kit  vault.Kit
	log  *slog.Logger
}

func newNetwork(t testing.TB, nodes, operators int) *testnet.Network {
	t.Helper()
	n, err := testnet.InProcess(t.Context(), testnet.Config{Dir: t.TempDir(), Nodes: nodes, Operators: operators})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Down(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return n
}

func emptyMachine(t testing.TB, n *testnet.Network) *merchant {
	dir := t.TempDir()
	return &merchant{t: t, net: n, home: vault.Home{Dir: filepath.Join(dir, "home"), Cache: filepath.Join(dir, "cache")}}
}

func (m *merchant) options() vault.Options {
	return vault.Options{Warn: func(text string) { m.t.Log("warning:", text) }, Log: m.log}
}

func createVault(t testing.TB, n *testnet.Network) *merchant {
	t.Helper()
	m := emptyMachine(t, n)
	_, _, err := m.home.Create(t.Context(), vault.Create{
		Name: "shop", Bootstrap: n.Bootstrap()[:1], Retention: time.Hour, Rights: ledger.Full, Device: "machine", Options: m.options(),
		KeepKit: func(k vault.Kit) error { m.kit = k; return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *merchant) open() *vault.Session {
	m.t.Helper()
	s, err := m.home.Open(m.t.Context(), "shop", m.options())
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { s.Close() })
	return s
}

func (m *merchant) backup(paths ...string) vault.Result {
	m.t.Helper()
	s := m.open()
	defer s.Close()
	if _, err := s.Begin(m.t.Context()); err != nil {
		m.t.Fatal(err)
	}
	r, err := s.Backup(m.t.Context(), vault.Backup{Paths: paths, Program: "test"})
	if err != nil {
		m.t.Fatal(err)
	}
	return r
}

// restore brings back a snapshot and compares it with the tree that was backed up.
func (m *merchant) restore(ref, tree string) vault.Standing {
	m.t.Helper()
	s := m.open()
	defer s.Close()
	st, err := s.Sync(m.t.Context())
	if err != nil {
		m.t.Fatal(err)
	}
	snap, err := s.Resolve(m.t.Context(), ref, vault.Filter{})
	if err != nil {
		m.t.Fatal(err)
	}
	v, err := s.Read(m.t.Context(), snap, nil)
	if err != nil {
		m.t.Fatal(err)
	}
	defer v.Close()
	target := m.t.TempDir()
	r := snapshot.Restorer{Source: v, Options: snapshot.RestoreOptions{Target: target}}
	sum, err := r.Restore(m.t.Context(), snap.Info.Root, tree)
	if err != nil || sum.Failed > 0 {
		m.t.Fatalf("restore: %v, %v", err, sum.Failures)
	}
	if _, err := testnet.Compare(m.t.Context(), tree, target); err != nil {
		m.t.Fatal(err)
	}
	return st
}

// makeTree writes files of many sizes, folders and links.
func makeTree(t *testing.T, seed uint64) string {
	t.Helper()
	t.Logf("seed %d", seed)
	random := mathrand.New(mathrand.NewPCG(seed, 1))
	dir := t.TempDir()
	for i := range 60 {
		sub := filepath.Join(dir, fmt.Sprintf("d%d", i%7), fmt.Sprintf("e%d", i%3))
		if err := os.MkdirAll(sub, 0o755); err != nil {
			t.Fatal(err)
		}
		size := random.IntN(1 << uint(random.IntN(21)+1))
		p := make([]byte, size)
		if i%2 == 0 {
			rand.Read(p)
		} else {
			for j := range p {
				p[j] = "holdfast "[j%9]
			}
		}
		if err := os.WriteFile(filepath.Join(sub, fmt.Sprintf("f%d", i)), p, 0o640); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("d1/e1", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "empty"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestFirstLight is the main job: back up, lose n-k operators and the machine,
// recover with the kit on an empty one, and get every byte back.
func TestFirstLight(t *testing.T) {
	n := newNetwork(t, 8, 8)
	m := createVault(t, n)
	tree := makeTree(t, 1)
	r := m.backup(tree)
	if !r.Complete() || r.Durability.K != 4 || r.Durability.N != 8 || r.Durability.Operators != 8 || r.Durability.MinShards != 8 {
		t.Fatalf("not complete: %+v, acks %d", r.Durability, r.Final.Acks)
	}
	if st := m.restore("latest", tree); st.Freshness != ledger.FreshProven {
		t.Errorf("all members answer, and the head is %v", st.Freshness)
	}

	for _, name := range []string{"node-1", "node-2"} {
		if _, err := n.Break(t.Context(), testnet.Wipe, name); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"node-3", "node-4"} {
		if _, err := n.Break(t.Context(), testnet.Kill, name); err != nil {
			t.Fatal(err)
		}
	}
	empty := emptyMachine(t, n)
	got, err := empty.home.Claim(t.Context(), vault.Claim{Kit: m.kit, Name: "shop", Rights: ledger.Read, Device: "empty", Options: empty.options()})
	if err != nil {
		t.Fatal(err)
	}
	if got.Standing.Freshness != ledger.FreshUnlessHidden || got.Standing.Answers != 4 {
		t.Errorf("4 of 8 members answer: %v", got.Standing)
	}
	if st := empty.restore("latest", tree); st.Freshness != ledger.FreshUnlessHidden {
		t.Errorf("4 of 8 members answer, and the head is %v", st.Freshness)
	}
	if _, err := empty.open().Begin(t.Context()); !errors.Is(err, vault.ErrNoRight) {
		t.Errorf("a recovered machine begins to write: %v", err)
	}
}

// TestWordsAlone finds the vault by the owner's key, and tells wrong words from a
// missing vault.
func TestWordsAlone(t *testing.T) {
	n := newNetwork(t, 4, 4)
	m := createVault(t, n)
	m.backup(makeTree(t, 2))
	words := vault.Kit{Entropy: m.kit.Entropy}
	empty := emptyMachine(t, n)
	got, err := empty.home.Claim(t.Context(), vault.Claim{Kit: words, Name: "shop", Bootstrap: n.Bootstrap()[3:], Rights: ledger.Read, Device: "x", Options: empty.options()})
	if err != nil || got.Profile.Vault != m.kit.Vault {
		t.Fatalf("words alone: %v", err)
	}
	wrong := m.kit
	wrong.Entropy[0] ^= 1
	if _, err := empty.home.Claim(t.Context(), vault.Claim{Kit: wrong, Name: "wrong", Rights: ledger.Read, Options: empty.options()}); !errors.Is(err, vault.ErrWrongWords) {
		t.Errorf("wrong words with the vault's ID: %v", err)
	}
	alone := vault.Kit{Entropy: wrong.Entropy}
	if _, err := empty.home.Claim(t.Context(), vault.Claim{Kit: alone, Name: "wrong", Bootstrap: n.Bootstrap()[:1], Rights: ledger.Read, Options: empty.options()}); !errors.Is(err, vault.ErrNoVault) {
		t.Errorf("wrong words alone: %v", err)
	}
	missing := m.kit
	missing.Vault = ident.SumDagCBOR([]byte("no such charter"))
	if _, err := empty.home.Claim(t.Context(), vault.Claim{Kit: missing, Name: "wrong", Rights: ledger.Read, Options: empty.options()}); !errors.Is(err, vault.ErrNoVault) {
		t.Errorf("a vault that is not there: %v", err)
	}
	names, err := empty.home.Names()
	if err != nil || len(names) != 1 {
		t.Errorf("failed claims left profiles behind: %v, %v", names, err)
	}
}

// TestSecondBackup stores only what is new, and keeps the first snapshot whole.
func TestSecondBackup(t *testing.T) {
	n := newNetwork(t, 4, 4)
	m := createVault(t, n)
	tree := makeTree(t, 3)
	first := m.backup(tree)
	d1, err := os.Stat(filepath.Join(tree, "d1"))
	if err != nil {
		t.Fatal(err)
	}
	extra := make([]byte, 100_000)
	rand.Read(extra)
	if err := os.WriteFile(filepath.Join(tree, "d1", "new"), extra, 0o600); err != nil {
		t.Fatal(err)
	}
	second := m.backup(tree)
	if added := second.Snapshot.Stats.Added; added < 100_000 || added > 200_000 {
		t.Errorf("%d bytes were stored for 100,000 new ones", added)
	}
	m.restore("latest", tree)
	if err := os.RemoveAll(m.home.Cache); err != nil {
		t.Fatal(err)
	}
	m.restore(first.ID()[:8], takeBack(t, tree, d1.ModTime()))
	third := m.backup(tree)
	if added := third.Snapshot.Stats.Added; added > 50_000 {
		t.Errorf("%d bytes were stored again after the cache was lost", added)
	}
}

// takeBack takes back what TestSecondBackup added.
func takeBack(t *testing.T, tree string, changed time.Time) string {
	t.Helper()
	if err := os.Remove(filepath.Join(tree, "d1", "new")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(filepath.Join(tree, "d1"), changed, changed); err != nil {
		t.Fatal(err)
	}
	return tree
}

// TestStreamAndObject covers what comes from standard input.
func TestStreamAndObject(t *testing.T) {
	n := newNetwork(t, 4, 4)
	m := createVault(t, n)
	data := make([]byte, 5<<20+123)
	rand.Read(data)
	s := m.open()
	if _, err := s.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err := s.Backup(t.Context(), vault.Backup{Name: "dump.sql", Stream: bytes.NewReader(data), Program: "test"})
	if err != nil {
		t.Fatal(err)
	}
	o, err := s.Backup(t.Context(), vault.Backup{Name: "x", Stream: bytes.NewReader(data), Object: true, Program: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if o.Snapshot.Object != ident.SumRaw(data) {
		t.Errorf("the object's CID is %v, not that of its plaintext", o.Snapshot.Object)
	}
	if o.Snapshot.Stats.Added > 100_000 {
		t.Errorf("%d bytes of known data were stored again", o.Snapshot.Stats.Added)
	}
	snap, err := s.Resolve(t.Context(), r.ID(), vault.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	v, err := s.Read(t.Context(), snap, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	var back bytes.Buffer
	if err := snapshot.Dump(t.Context(), v, snap.Info.Root, "/dump.sql", &back); err != nil || !bytes.Equal(back.Bytes(), data) {
		t.Errorf("the stream did not come back: %d bytes, %v", back.Len(), err)
	}
	found, err := s.FindObject(t.Context(), o.Snapshot.Object)
	if err != nil {
		t.Fatal(err)
	}
	ov, err := s.Read(t.Context(), found, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ov.Close()
	back.Reset()
	if err := ov.WriteObject(t.Context(), &back); err != nil || !bytes.Equal(back.Bytes(), data) {
		t.Errorf("the object did not come back: %v", err)
	}
	if _, err := s.FindObject(t.Context(), ident.SumRaw([]byte("other"))); !errors.Is(err, vault.ErrNoSnapshot) {
		t.Errorf("an object that is not there: %v", err)
	}
}

// failing is a stream that breaks.
type failing struct{ n int }

func (f *failing) Read(p []byte) (int, error) {
	if f.n -= len(p); f.n < 0 {
		return 0, io.ErrUnexpectedEOF
	}
	return len(p), nil
}

// TestBrokenStream makes no snapshot, and the next run is as if nothing had been.
func TestBrokenStream(t *testing.T) {
	n := newNetwork(t, 4, 4)
	m := createVault(t, n)
	s := m.open()
	if _, err := s.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Backup(t.Context(), vault.Backup{Name: "x", Stream: &failing{3 << 20}, Program: "test"}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a broken stream: %v", err)
	}
	if _, err := s.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if all, err := s.Snapshots(t.Context(), vault.Filter{Objects: true}); err != nil || len(all) != 0 {
		t.Errorf("%d snapshots after a broken stream, %v", len(all), err)
	}
	if _, err := s.Backup(t.Context(), vault.Backup{Name: "x", Stream: strings.NewReader("whole"), Program: "test"}); err != nil {
		t.Errorf("the next run: %v", err)
	}
}

// TestCheckAndStatus count what is there, and what is not.
func TestCheckAndStatus(t *testing.T) {
	n := newNetwork(t, 4, 4)
	m := createVault(t, n)
	m.backup(makeTree(t, 4))
	s := m.open()
	if _, err := s.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	h, err := s.Check(t.Context(), vault.CheckOptions{ReadData: 1, Trees: true})
	if err != nil {
		t.Fatal(err)
	}
	if !h.Safe() || h.Present != h.Shards || h.Margin != 2 || h.Operators != 2 || h.Missing != 0 || h.Chunks == 0 || h.Read == 0 || h.Snapshots != 1 {
		t.Errorf("a healthy vault: %+v", h)
	}
	if _, err := n.Break(t.Context(), testnet.Corrupt, "node-2"); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Break(t.Context(), testnet.Wipe, "node-3"); err != nil {
		t.Fatal(err)
	}
	h, err = s.Check(t.Context(), vault.CheckOptions{ReadData: 1})
	if err != nil {
		t.Fatal(err)
	}
	if h.Margin != 0 || h.Operators != 0 || h.Worst != 2 || len(h.Bad) != 2*h.Segments {
		t.Errorf("two of four are bad: margin %d, operators %d, worst %d, %d bad of %d segments", h.Margin, h.Operators, h.Worst, len(h.Bad), h.Segments)
	}
}

// TestTooFewNodes refuses before anything is read, and says how many are missing.
func TestTooFewNodes(t *testing.T) {
	n := newNetwork(t, 4, 4)
	m := createVault(t, n)
	for _, name := range []string{"node-1", "node-2"} {
		if _, err := n.Break(t.Context(), testnet.Kill, name); err != nil {
			t.Fatal(err)
		}
	}
	s := m.open()
	_, err := s.Begin(t.Context())
	if err == nil {
		_, err = s.Backup(t.Context(), vault.Backup{Paths: []string{makeTree(t, 5)}, Program: "test"})
	}
	if !errors.Is(err, vault.ErrTooFewNodes) || !strings.HasSuffix(err.Error(), "anything: 1") {
		t.Errorf("2 of 4 nodes: %v", err)
	}
	if _, err := n.Break(t.Context(), testnet.Kill, "node-3"); err != nil {
		t.Fatal(err)
	}
	_, _, err = m.home.Create(t.Context(), vault.Create{
		Name: "other", Bootstrap: n.Bootstrap(), Rights: ledger.Full,
		KeepKit: func(vault.Kit) error { t.Error("a kit for a vault that cannot be"); return nil },
	})
	if !errors.Is(err, vault.ErrTooFewNodes) {
		t.Errorf("a vault on one operator: %v", err)
	}
}

// TestThinVault: with fewer operators than shards nobody holds more than n-k.
func TestThinVault(t *testing.T) {
	n := newNetwork(t, 3, 3)
	m := emptyMachine(t, n)
	_, plan, err := m.home.Create(t.Context(), vault.Create{
		Name: "shop", Bootstrap: n.Bootstrap(), Code: mustCode(t, "4/8"), Rights: ledger.Full, Device: "x", Options: m.options(),
		KeepKit: func(k vault.Kit) error { m.kit = k; return nil },
	})
	if err != nil || !plan.Thin {
		t.Fatalf("thin: %v, %v", plan.Thin, err)
	}
	tree := makeTree(t, 7)
	r := m.backup(tree)
	if !r.Complete() || r.Durability.Operators != 3 {
		t.Errorf("durability: %+v", r.Durability)
	}
	if _, err := n.Break(t.Context(), testnet.Kill, "node-2"); err != nil {
		t.Fatal(err)
	}
	m.restore("latest", tree)
}

// TestAppendDevice may add and not read.
func TestAppendDevice(t *testing.T) {
	n := newNetwork(t, 4, 4)
	m := createVault(t, n)
	host := emptyMachine(t, n)
	if _, err := host.home.Claim(t.Context(), vault.Claim{Kit: m.kit, Name: "shop", Rights: ledger.Append, Device: "web-01", Enrol: true, Options: host.options()}); err != nil {
		t.Fatal(err)
	}
	tree := makeTree(t, 6)
	first := host.backup(tree)
	if err := os.RemoveAll(host.home.Cache); err != nil {
		t.Fatal(err)
	}
	if again := host.backup(tree); again.Snapshot.Stats.Added > 50_000 {
		t.Errorf("%d bytes were stored again after the append device lost its cache", again.Snapshot.Stats.Added)
	}
	s := host.open()
	if _, err := s.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	all, err := s.Snapshots(t.Context(), vault.Filter{})
	if err != nil || len(all) != 2 || all[0].Open {
		t.Fatalf("an append device sees %d snapshots: %v", len(all), err)
	}
	if _, err := s.Read(t.Context(), all[0], nil); !errors.Is(err, vault.ErrNoRight) {
		t.Errorf("an append device reads: %v", err)
	}
	m.restore(first.ID(), tree)
	owner := m.open()
	if _, err := owner.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if devices := owner.Devices(); len(devices) != 2 {
		t.Errorf("devices: %+v", devices)
	}
}

func mustCode(t *testing.T, text string) erasure.Code {
	t.Helper()
	c, err := erasure.ParseCode(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
