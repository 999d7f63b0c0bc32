package member_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
	"holdfast/ledger/member"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// config is that of member i of a vault.
func config(dir string, v *ledgertest.Vault, i int) member.Config {
	m := v.Members[i]
	return member.Config{Dir: dir, Operator: m.Operator.Public(), Node: m.Node.Public(), Vote: m.Vote, Now: ledgertest.Start}
}

func open(t testing.TB, cfg member.Config) *member.Store {
	t.Helper()
	s, err := member.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	watch(t, s)
	t.Cleanup(func() {
		if err := member.CheckCustody(s); err != nil {
			t.Error(err)
		}
		s.Close()
	})
	return s
}

// watch asks who holds what, so that the store keeps it up to date from then on.
func watch(t testing.TB, s *member.Store) {
	t.Helper()
	for _, id := range s.All() {
		if _, err := s.Custody(id); err != nil {
			t.Fatal(err)
		}
	}
}

// world is a vault and the stores of its members.
type world struct {
	t      testing.TB
	vault  *ledgertest.Vault
	stores []*member.Store
	dirs   []string
	owner  *ledgertest.Lane
}

// newWorld makes a vault that every member has accepted.
func newWorld(t testing.TB, members int) *world {
	t.Helper()
	w := &world{t: t, vault: ledgertest.NewVault("member", members)}
	w.owner = w.vault.OwnerLane()
	for i := range members {
		dir := t.TempDir()
		s := open(t, config(dir, w.vault, i))
		if _, err := s.Accept(w.vault.Signed); err != nil {
			t.Fatal(err)
		}
		watch(t, s)
		w.stores, w.dirs = append(w.stores, s), append(w.dirs, dir)
	}
	return w
}

// reopen ends a store and opens it again.
func (w *world) reopen(i int) *member.Store {
	w.t.Helper()
	if err := w.stores[i].Close(); err != nil {
		w.t.Fatal(err)
	}
	w.stores[i] = open(w.t, config(w.dirs[i], w.vault, i))
	return w.stores[i]
}

func (w *world) id() ident.CID { return w.vault.ID() }

func (w *world) propose(i int, s ledgertest.Step) (ident.Signed, error) {
	return w.stores[i].Propose(w.id(), s.Proposal, s.Signed, s.Body)
}

// run takes a step through the members named, all if none is, and makes it the
// head of its lane. They must be a quorum.
func (w *world) run(l *ledgertest.Lane, s ledgertest.Step, members ...int) []byte {
	w.t.Helper()
	if len(members) == 0 {
		for i := range w.stores {
			members = append(members, i)
		}
	}
	var votes []ident.Signed
	for _, i := range members {
		vote, err := w.propose(i, s)
		if err != nil {
			w.t.Fatal(err)
		}
		votes = append(votes, vote)
	}
	cert, err := ledger.NewCertificate(votes, w.vault.Charter)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, i := range members {
		ack, err := w.stores[i].Certify(w.id(), cert)
		if err != nil {
			w.t.Fatal(err)
		}
		a, err := ledger.VerifyAck(ack, w.vault.Charter)
		if err != nil || a.Entry != s.Entry.CID() || a.Operator != w.vault.Members[i].Operator.Public() {
			w.t.Fatal(a, err)
		}
	}
	l.Advance(s)
	return cert
}

// device enrols a device and returns its lane.
func (w *world) device(name string, members ...int) *ledgertest.Lane {
	w.t.Helper()
	l := w.vault.Lane(ledgertest.Key(name))
	w.run(w.owner, w.owner.Enrol(w.vault.Grant(l.Key, ledger.Append)), members...)
	return l
}

// heads asks a store and verifies the answer.
func (w *world) heads(i int) ledger.Heads {
	w.t.Helper()
	nonce := [16]byte{byte(i), 7}
	h, err := ledger.VerifyHeads(must(w.stores[i].Heads(w.id(), nonce)), w.vault.Charter, w.vault.Charter.Members[i], nonce)
	if err != nil {
		w.t.Fatal(err)
	}
	return h
}

// states asks a store about segments and verifies the answer.
func (w *world) states(i int, segments ...ident.CID) []ledger.State {
	w.t.Helper()
	nonce := [16]byte{byte(i), 8}
	signed, err := w.stores[i].Segments(w.id(), nonce, segments)
	if err != nil {
		w.t.Fatal(err)
	}
	a, err := ledger.VerifySegments(signed, w.vault.Charter, w.vault.Charter.Members[i], nonce, segments)
	if err != nil {
		w.t.Fatal(err)
	}
	var out []ledger.State
	for _, s := range a.States {
		out = append(out, s.State)
	}
	return out
}

// segments returns the names of a snapshot's segments.
func namesOf(s ledgertest.Step) []ident.CID {
	var out []ident.CID
	for _, n := range must(ledger.ParseSnapshotBody(s.Body)).Segments {
		out = append(out, ident.SumDagCBOR(n.Descriptor))
	}
	return out
}

// entryFile is where a member keeps an entry.
func (w *world) entryFile(i int, entry ident.CID) string {
	return filepath.Join(w.dirs[i], w.id().Hex(), "entry", entry.Hex())
}

func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error is %v, not %v", err, want)
	}
}

// damage flips a bit in the middle of a file.
func damage(t testing.TB, path string) {
	t.Helper()
	p, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	p[len(p)/2] ^= 1
	if err := os.WriteFile(path, p, 0o600); err != nil {
		t.Fatal(err)
	}
}

func later(d time.Duration) func() time.Time {
	return func() time.Time { return ledgertest.Start().Add(d) }
}

// keys counts the vote keys in a member's folder.
func (w *world) keys(i int) int {
	w.t.Helper()
	entries, err := os.ReadDir(filepath.Join(w.dirs[i], "keys"))
	if err != nil {
		w.t.Fatal(err)
	}
	return len(entries)
}
