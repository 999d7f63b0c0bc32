package vault_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"holdfast/ledger"
	"holdfast/ledger/witness"
	"holdfast/vault"
)

// TestReceipt: what a device collects about a snapshot verifies without it, names all
// that the snapshot needs, and is in the lane's checkpoint.
func TestReceipt(t *testing.T) {
	n := newNetwork(t, 4, 4)
	m := createVault(t, n)
	tree := makeTree(t, 21)
	m.backup(tree)
	if err := os.WriteFile(filepath.Join(tree, "more"), noise(5, 100_000), 0o600); err != nil {
		t.Fatal(err)
	}
	began := time.Now().Add(-time.Minute)
	r := m.backup(tree)

	s, err := m.sync()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	snap, err := s.Resolve(t.Context(), r.ID(), vault.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	whole := shown(t, s, snap, false)
	if !whole.Whole || whole.Segments < 4 || whole.Losses != 2 || len(whole.Holders) != 4 || len(whole.Voters) < 3 {
		t.Errorf("whole %v, %d segments, %d losses, %d holders, %d voters", whole.Whole, whole.Segments, whole.Losses, len(whole.Holders), len(whole.Voters))
	}
	if whole.Time().Before(began) || whole.Time().After(time.Now().Add(time.Minute)) {
		t.Errorf("time %v", whole.Time())
	}
	for _, h := range whole.Holders {
		if h.Shards != whole.Segments || h.Until.Before(time.Now().Add(7*24*time.Hour-time.Hour)) {
			t.Errorf("%s holds %d of %d shards until %v", h.Name, h.Shards, whole.Segments, h.Until)
		}
	}
	if brief := shown(t, s, snap, true); brief.Whole || brief.Segments >= whole.Segments {
		t.Errorf("brief: whole %v, %d segments of %d", brief.Whole, brief.Segments, whole.Segments)
	}

	w, err := s.Witness()
	if err != nil {
		t.Fatal(err)
	}
	p, err := w.Prove(snap)
	if err != nil {
		t.Fatal(err)
	}
	p, err = witness.ParseProof(p.Text())
	if err != nil {
		t.Fatal(err)
	}
	if c, err := p.Verify(m.kit.Vault, s.Device(), 2, whole.Entry.CID()); err != nil || c.Size != 2 {
		t.Errorf("checkpoint %+v, %v", c, err)
	}
}

// shown makes a receipt, and reads its file as a stranger does.
func shown(t *testing.T, s *vault.Session, snap vault.Snapshot, brief bool) ledger.Shown {
	t.Helper()
	p, err := s.Receipt(t.Context(), snap, brief)
	if err != nil {
		t.Fatal(err)
	}
	file, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if p, err = ledger.ParseProof(file); err != nil {
		t.Fatal(err)
	}
	out, err := p.Verify()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestReceiptOfAnAppendDevice: who cannot read can show what it has stored; a device
// signs no checkpoint of a lane in which there is nothing.
func TestReceiptOfAnAppendDevice(t *testing.T) {
	n := newNetwork(t, 4, 4)
	m := createVault(t, n)
	host := m.joined("host", vault.NewDevice{Rights: ledger.Append})
	r := host.backup(makeTree(t, 22))
	s, err := host.sync()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	snap, err := s.Resolve(t.Context(), r.ID(), vault.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	if out := shown(t, s, snap, false); !out.Whole || out.Losses != 2 {
		t.Errorf("whole %v, %d losses", out.Whole, out.Losses)
	}
	if _, err := s.Witness(); err != nil {
		t.Error(err)
	}
	other, err := m.sync()
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := other.Witness(); !errors.Is(err, vault.ErrNoSnapshot) {
		t.Errorf("a checkpoint of nothing: %v", err)
	}
}
