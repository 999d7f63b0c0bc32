package snapshot

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/seal"
)

func testLane() ident.PrivateKey { return ident.NewPrivateKey([32]byte{1, 2, 3}) }

func testSnapshot() Snapshot {
	return Snapshot{
		V:       1,
		Vault:   ident.SumDagCBOR([]byte("vault")),
		Lane:    testLane().Public(),
		Host:    "shop-1",
		User:    "backup",
		Paths:   [][]byte{[]byte("/srv/shop"), {'/', 0xff}},
		Tags:    []string{"daily"},
		Time:    Time{1700000000, 1},
		End:     Time{1700000060, 999999999},
		Root:    seal.ChunkID{7},
		Parent:  ident.SumDagCBOR([]byte("parent")),
		Refs:    ident.SumDagCBOR([]byte("refs")),
		Stats:   Stats{Files: 3, Dirs: 2, Others: 1, Bytes: 1000, Added: 500, Stored: 300, Unread: 1},
		Unread:  []Unread{{[]byte("/srv/shop/\xfe"), "permission denied"}},
		Program: "holdfast 1.0.0",
	}
}

func TestSignVerifySnapshot(t *testing.T) {
	want := testSnapshot()
	signed, err := SignSnapshot(testLane(), want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := VerifySnapshot(signed, want.Lane, want.Vault)
	if err != nil {
		t.Fatal(err)
	}
	if string(wire.MustEncode(got)) != string(wire.MustEncode(want)) {
		t.Errorf("%+v came back as %+v", want, got)
	}
	other := ident.NewPrivateKey([32]byte{9})
	if _, err := VerifySnapshot(signed, other.Public(), want.Vault); !errors.Is(err, ident.ErrSignature) {
		t.Errorf("another lane: %v", err)
	}
	if _, err := VerifySnapshot(signed, want.Lane, ident.SumDagCBOR(nil)); !errors.Is(err, ident.ErrSignature) {
		t.Errorf("another vault: %v", err)
	}
	broken := signed
	broken.Object = slices.Clone(signed.Object)
	broken.Object[len(broken.Object)-1] ^= 1
	if _, err := VerifySnapshot(broken, want.Lane, want.Vault); !errors.Is(err, ident.ErrSignature) {
		t.Errorf("another object: %v", err)
	}
	if _, err := SignSnapshot(other, want); !errors.Is(err, ErrSnapshot) {
		t.Errorf("signed for another lane: %v", err)
	}
	// A lane that signs a snapshot in another's name, or for another vault.
	foreign := want
	foreign.Lane = other.Public()
	signed = testLane().Sign(Label, want.Vault, wire.MustEncode(foreign))
	if _, err := VerifySnapshot(signed, want.Lane, want.Vault); !errors.Is(err, ErrSnapshot) {
		t.Errorf("a foreign lane inside: %v", err)
	}
	foreign = want
	foreign.Vault = ident.SumDagCBOR([]byte("another"))
	signed = testLane().Sign(Label, want.Vault, wire.MustEncode(foreign))
	if _, err := VerifySnapshot(signed, want.Lane, want.Vault); !errors.Is(err, ErrSnapshot) {
		t.Errorf("a foreign vault inside: %v", err)
	}
}

func TestSnapshotRefuses(t *testing.T) {
	for name, spoil := range map[string]func(*Snapshot){
		"long host":       func(s *Snapshot) { s.Host = strings.Repeat("h", maxText+1) },
		"many tags":       func(s *Snapshot) { s.Tags = slices.Repeat([]string{"t"}, maxTags+1) },
		"empty tag":       func(s *Snapshot) { s.Tags = []string{""} },
		"many paths":      func(s *Snapshot) { s.Paths = make([][]byte, maxPaths+1) },
		"many unread":     func(s *Snapshot) { s.Unread = make([]Unread, MaxUnread+1) },
		"time":            func(s *Snapshot) { s.End[1] = -1 },
		"no root":         func(s *Snapshot) { s.Root = seal.ChunkID{} },
		"object":          func(s *Snapshot) { s.Object = ident.SumDagCBOR(nil) },
		"negative counts": func(s *Snapshot) { s.Stats.Stored = -1 },
	} {
		s := testSnapshot()
		spoil(&s)
		if _, err := ParseSnapshot(wire.MustEncode(s)); !errors.Is(err, ErrSnapshot) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := SignSnapshot(testLane(), s); !errors.Is(err, ErrSnapshot) {
			t.Errorf("%s signed: %v", name, err)
		}
	}
	s := testSnapshot()
	s.V = 2
	if _, err := ParseSnapshot(wire.MustEncode(s)); !errors.Is(err, wire.ErrVersion) {
		t.Errorf("another version: %v", err)
	}
	if _, err := ParseSnapshot(make([]byte, MaxSnapshot+1)); !errors.Is(err, ErrSnapshot) {
		t.Errorf("too large: %v", err)
	}
}

// Optional fields may all be absent.
func TestSnapshotMinimal(t *testing.T) {
	s := Snapshot{V: 1, Vault: ident.SumDagCBOR(nil), Lane: testLane().Public(), Refs: ident.SumDagCBOR(nil), Root: seal.ChunkID{1}}
	if _, err := ParseSnapshot(wire.MustEncode(s)); err != nil {
		t.Fatal(err)
	}
	s.Partial, s.Object = true, ident.SumRaw(nil)
	if got, err := ParseSnapshot(wire.MustEncode(s)); err != nil || !got.Partial || got.Object != s.Object {
		t.Fatal(got, err)
	}
}

func TestSourceID(t *testing.T) {
	id := SourceID(testKeys(), "host", []string{"/b", "/a"})
	if id != SourceID(testKeys(), "host", []string{"/a", "/b"}) {
		t.Error("the order of paths matters")
	}
	other := testKeys()
	other.DedupTree[0]++
	for name, got := range map[string][16]byte{
		"host":       SourceID(testKeys(), "hosT", []string{"/a", "/b"}),
		"paths":      SourceID(testKeys(), "host", []string{"/a"}),
		"boundaries": SourceID(testKeys(), "host", []string{"/a/b"}),
		"key":        SourceID(other, "host", []string{"/a", "/b"}),
	} {
		if got == id {
			t.Errorf("another %s, same source", name)
		}
	}
}

func TestAbsolutePaths(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	got, err := AbsolutePaths([]string{"b", "./a/../b/", "/x//y/", ".", here})
	want := []string{filepath.Join(here, "b"), "/x/y", here}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, want %q (%v)", got, want, err)
	}
}

func FuzzParseSnapshot(f *testing.F) {
	f.Add(wire.MustEncode(testSnapshot()))
	f.Fuzz(func(t *testing.T, p []byte) {
		s, err := ParseSnapshot(p)
		if err != nil {
			return
		}
		if err := s.validate(); err != nil || s.V != 1 {
			t.Fatal(s.V, err)
		}
	})
}
