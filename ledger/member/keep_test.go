package member_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
	"holdfast/ledger/member"
)

func TestAccept(t *testing.T) {
	t.Parallel()
	v := ledgertest.NewVault("accept", 4)
	dir := t.TempDir()
	cfg := config(dir, v, 1)
	s := open(t, cfg)
	if _, err := s.Charters(v.ID()); !errors.Is(err, member.ErrUnknownVault) {
		t.Errorf("%v", err)
	}
	signed := must(s.Accept(v.Signed))
	a, err := ledger.VerifyAcceptance(signed, v.Charter)
	if err != nil || a.Operator != cfg.Operator || a.Time != ledger.Millis(ledgertest.Start()) {
		t.Fatalf("%+v, %v", a, err)
	}
	s.Close()
	cfg.Now = later(1e9)
	s = open(t, cfg)
	if again := must(s.Accept(v.Signed)); !reflect.DeepEqual(again, signed) {
		t.Error("another acceptance")
	}
	if got := s.Vaults(v.Owner.Public().ID()); len(got) != 1 || got[0].CID() != v.ID() {
		t.Errorf("%d vaults of the owner", len(got))
	}
	if got := s.Vaults([32]byte{1}); len(got) != 0 {
		t.Errorf("%d vaults of nobody", len(got))
	}
	if got := s.All(); !slices.Equal(got, []ident.CID{v.ID()}) {
		t.Errorf("%v", got)
	}
	if got := must(s.Charters(v.ID())); len(got) != 1 || !reflect.DeepEqual(got[0], v.Signed) {
		t.Errorf("%d charters", len(got))
	}
	p := must(os.ReadFile(filepath.Join(dir, v.ID().Hex(), "charter", "1")))
	if !bytes.Contains(p, v.Signed.Object) {
		t.Error("the charter is not in its file")
	}
}

// A vault is accepted by a member's node under the vote key of the charter only.
func TestAcceptRefusals(t *testing.T) {
	t.Parallel()
	v := ledgertest.NewVault("accept", 4)
	for what, change := range map[string]func(*member.Config){
		"another operator": func(c *member.Config) { c.Operator = ledgertest.Key("x").Public() },
		"another node":     func(c *member.Config) { c.Node = ledgertest.Key("x").Public() },
		"another vote key": func(c *member.Config) { c.Vote = ledgertest.Key("x") },
	} {
		cfg := config(t.TempDir(), v, 0)
		change(&cfg)
		if _, err := open(t, cfg).Accept(v.Signed); !errors.Is(err, ledger.ErrNotMember) {
			t.Errorf("%s: %v", what, err)
		}
	}
	s := open(t, config(t.TempDir(), v, 0))
	forged := v.Signed
	forged.Signature[1] ^= 1
	_, err := s.Accept(forged)
	wantErr(t, err, ident.ErrSignature)
	if len(s.All()) != 0 {
		t.Error("a vault is kept")
	}
}

// Who changes his vote key votes no more where a charter names the old one, and
// still serves what he has.
func TestAnotherVoteKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4)
	lane := w.device("laptop")
	s := lane.Snapshot("one", 1)
	w.run(lane, s)
	w.stores[0].Close()
	cfg := config(w.dirs[0], w.vault, 0)
	cfg.Vote = ledgertest.Key("new vote key")
	w.stores[0] = open(t, cfg)
	_, err := w.propose(0, lane.Snapshot("two", 1))
	wantErr(t, err, ledger.ErrNotMember)
	_, err = w.stores[0].Certify(w.id(), w.vault.Certificate(s))
	wantErr(t, err, ledger.ErrNotMember)
	_, err = w.stores[0].Heads(w.id(), [16]byte{})
	wantErr(t, err, ledger.ErrNotMember)
	_, err = w.stores[0].Segments(w.id(), [16]byte{}, nil)
	wantErr(t, err, ledger.ErrNotMember)
	if body, err := w.stores[0].Body(w.id(), s.Entry.Body); err != nil || !bytes.Equal(body, s.Body) {
		t.Errorf("%v", err)
	}
}

func TestUnknown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4)
	s, nowhere := w.stores[0], ident.SumDagCBOR([]byte("nowhere"))
	step := w.owner.Enrol(w.vault.Grant(ledgertest.Key("x"), ledger.Full))
	for what, err := range map[string]error{
		"propose":  second(s.Propose(nowhere, step.Proposal, step.Signed, step.Body)),
		"certify":  second(s.Certify(nowhere, w.vault.Certificate(step))),
		"adopt":    s.Adopt(nowhere, w.vault.Link(step)),
		"heads":    second(s.Heads(nowhere, [16]byte{})),
		"segments": second(s.Segments(nowhere, [16]byte{}, nil)),
		"links":    second(s.Links(nowhere, w.owner.Key.Public(), 1, 1)),
		"body":     second(s.Body(nowhere, nowhere)),
		"entry":    second(s.Entry(nowhere, nowhere)),
	} {
		if !errors.Is(err, member.ErrUnknownVault) {
			t.Errorf("%s: %v", what, err)
		}
	}
	wantErr(t, second(s.Body(w.id(), nowhere)), member.ErrUnknownEntry)
	wantErr(t, second(s.Entry(w.id(), nowhere)), member.ErrUnknownEntry)
	wantErr(t, second(s.Link(w.id(), nowhere)), member.ErrUnknownEntry)
	if links, err := s.Links(w.id(), ledgertest.Key("x").Public(), 1, 9); err != nil || len(links) != 0 {
		t.Errorf("%d links of nobody, %v", len(links), err)
	}
	if in, err := s.Introduced(w.id(), nowhere); err != nil || in.State != ledger.SegmentUnknown {
		t.Errorf("%+v, %v", in, err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestLimits(t *testing.T) {
	t.Parallel()
	v := ledgertest.NewVault("limits", 4)
	cfg := config(t.TempDir(), v, 0)
	cfg.MaxVaults, cfg.MaxEntries = 1, 2
	s := open(t, cfg)
	must(s.Accept(v.Signed))
	draft := v.Draft("another")
	other := must(ledger.SignCharter(v.Owner, draft))
	_, err := s.Accept(other)
	wantErr(t, err, member.ErrFull)
	must(s.Accept(v.Signed))

	l := v.OwnerLane()
	for i := range 3 {
		step := l.Enrol(v.Grant(ledgertest.Key(string(rune('a'+i))), ledger.Append))
		_, err := s.Propose(v.ID(), step.Proposal, step.Signed, step.Body)
		if i == 2 {
			wantErr(t, err, member.ErrFull)
			// What the others have certified is kept all the same.
			err = s.Adopt(v.ID(), v.LinkOf(step, 0, 1, 2, 3))
		}
		if err == nil && i < 2 {
			_, err = s.Certify(v.ID(), v.Certificate(step))
		}
		if err != nil {
			t.Fatal(err)
		}
		l.Advance(step)
	}
	step := l.Sign(l.Draft(ledger.KindEnrol, nil), nil)
	_, err = s.Propose(v.ID(), step.Proposal, step.Signed, make([]byte, ledger.MaxBody+1))
	wantErr(t, err, ledger.ErrTooLarge)
	_, err = s.Segments(v.ID(), [16]byte{}, make([]ident.CID, ledger.MaxStates+1))
	wantErr(t, err, ledger.ErrTooLarge)
	if links := must(s.Links(v.ID(), v.Owner.Public(), 2, 1)); len(links) != 1 {
		t.Errorf("%d links", len(links))
	}
	if links := must(s.Links(v.ID(), v.Owner.Public(), -5, 1000)); len(links) != 3 {
		t.Errorf("%d links", len(links))
	}
}

// A file that is damaged is found when it is read, whatever bit it is, and is never
// served; the same link repairs it.
func TestDamagedFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4)
	lane := w.device("laptop")
	s := lane.Snapshot("one", 2)
	cert := w.run(lane, s)
	store, path := w.stores[0], w.entryFile(0, s.Entry.CID())
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an entry is among the files at once: %v", err)
	}
	if err := store.Settle(); err != nil {
		t.Fatal(err)
	}
	good := must(os.ReadFile(path))
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		bad := bytes.Clone(good)
		bad[random.IntN(len(bad))] ^= 1 << random.IntN(8)
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if body, err := store.Body(w.id(), s.Entry.Body); !errors.Is(err, member.ErrCorrupt) || body != nil {
			t.Fatalf("served from a damaged file: %v", err)
		}
		wantErr(t, second(store.Link(w.id(), s.Entry.CID())), member.ErrCorrupt)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	wantErr(t, second(store.Body(w.id(), s.Entry.Body)), member.ErrCorrupt)
	// An ack says that the body is there: none is given without it.
	wantErr(t, second(store.Certify(w.id(), cert)), member.ErrCorrupt)
	if err := store.Adopt(w.id(), w.vault.Link(s)); err != nil {
		t.Fatal(err)
	}
	if body, err := store.Body(w.id(), s.Entry.Body); err != nil || !bytes.Equal(body, s.Body) {
		t.Errorf("after repair: %v", err)
	}
	must(store.Certify(w.id(), cert))
	if err := os.Truncate(path, int64(len(good)/2)); err != nil {
		t.Fatal(err)
	}
	wantErr(t, second(store.Certify(w.id(), cert)), member.ErrCorrupt)
}

// A member whose files are taken away under it promises nothing more.
func TestGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4)
	lane := w.device("laptop")
	s := lane.Snapshot("one", 1)
	must(w.propose(0, s))
	if err := os.RemoveAll(w.dirs[0]); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(w.dirs[0], w.id().Hex(), "entry"), 0o700); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"propose":  second(w.propose(0, w.owner.Revoke(lane.Key.Public()))),
		"heads":    second(w.stores[0].Heads(w.id(), [16]byte{})),
		"segments": second(w.stores[0].Segments(w.id(), [16]byte{}, nil)),
		"accept":   second(w.stores[0].Accept(ledgertest.NewVault("other", 4).Signed)),
	} {
		if what != "accept" && !errors.Is(err, member.ErrGone) || err == nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := w.stores[0].Certify(w.id(), w.vault.Certificate(s)); err == nil {
		t.Error("acknowledged without a body")
	}
}

// Only one process at a time has a store open.
func TestOpenTwice(t *testing.T) {
	t.Parallel()
	v := ledgertest.NewVault("twice", 4)
	cfg := config(t.TempDir(), v, 0)
	open(t, cfg)
	if _, err := member.Open(cfg); err == nil {
		t.Error("opened twice")
	}
}

func TestConfigNeedsKeys(t *testing.T) {
	t.Parallel()
	v := ledgertest.NewVault("config", 4)
	for what, change := range map[string]func(*member.Config){
		"folder":   func(c *member.Config) { c.Dir = "" },
		"operator": func(c *member.Config) { c.Operator = ident.PublicKey{} },
		"node":     func(c *member.Config) { c.Node = ident.PublicKey{} },
		"vote":     func(c *member.Config) { c.Vote = ident.PrivateKey{} },
	} {
		cfg := config(t.TempDir(), v, 0)
		change(&cfg)
		if _, err := member.Open(cfg); err == nil {
			t.Errorf("without %s: opened", what)
		}
	}
}
