package index

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"holdfast/internal/ident"
	"holdfast/seal"
)

func TestForeignFileIsBegunAnew(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, path string, p []byte) []byte{
		"empty":         func(t *testing.T, path string, p []byte) []byte { return nil },
		"text":          func(t *testing.T, path string, p []byte) []byte { return bytes.Repeat([]byte("no index\n"), 1000) },
		"truncated":     func(t *testing.T, path string, p []byte) []byte { return p[:len(p)/2] },
		"only the head": func(t *testing.T, path string, p []byte) []byte { return p[:8192] },
		"no metas":      func(t *testing.T, path string, p []byte) []byte { clear(p[:8192]); return p },
	} {
		t.Run(name, func(t *testing.T) {
			c := config(t)
			x := reopen(t, c)
			must(t, x.AddCommit(cid("entry"), lane(1), cid("meta"), part("data", 0, 4000)))
			must(t, x.Close())
			path := filepath.Join(c.Dir, c.Vault.Hex(), "index.db")
			p, err := os.ReadFile(path)
			must(t, err)
			must(t, os.WriteFile(path, spoil(t, path, p), 0o600))
			x = reopen(t, c)
			if done, err := x.Done(cid("entry")); done || err != nil {
				t.Fatalf("done: %v, %v", done, err)
			}
			must(t, x.AddCommit(cid("entry"), lane(1), cid("meta"), part("data", 0, 4000)))
		})
	}
}

func TestOtherVaultsFileIsBegunAnew(t *testing.T) {
	c := config(t)
	x := reopen(t, c)
	must(t, x.AddCommit(cid("entry"), lane(1), cid("meta"), part("data", 0, 4)))
	must(t, x.Close())
	other := c
	other.Vault = cid("other")
	must(t, os.MkdirAll(filepath.Join(c.Dir, other.Vault.Hex()), 0o700))
	must(t, os.Rename(filepath.Join(c.Dir, c.Vault.Hex(), "index.db"), filepath.Join(c.Dir, other.Vault.Hex(), "index.db")))
	if done, err := reopen(t, other).Done(cid("entry")); done || err != nil {
		t.Errorf("done: %v, %v", done, err)
	}
}

// Whatever bit of the file is flipped, and in whatever way that is found out: what
// the index says of a chunk stays true, or it says nothing.
func TestFlippedBitsNeverLie(t *testing.T) {
	c := config(t)
	x := reopen(t, c)
	p := part("data", 0, 300)
	must(t, x.AddCommit(cid("entry"), lane(1), cid("meta"), p))
	must(t, x.AddCommit(cid("foreign"), lane(2), cid("meta 2"), part("foreign", 200, 400)))
	must(t, x.Close())
	path := filepath.Join(c.Dir, c.Vault.Hex(), "index.db")
	good, err := os.ReadFile(path)
	must(t, err)
	r := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		bad := bytes.Clone(good)
		for range 20 {
			bad[r.IntN(len(bad))] ^= 1 << r.IntN(8)
		}
		must(t, os.WriteFile(path, bad, 0o600))
		x, err := Open(c)
		must(t, err)
		lookAtAll(t, x, p)
		x.Close()
		os.Remove(path)
	}
}

func lookAtAll(t *testing.T, x *Index, p seal.Index) {
	for i, row := range p.Chunks {
		got, err := x.Places(row.Kind, row.ID)
		if err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatal(err)
		}
		for _, g := range got {
			if g.Row != row.Row {
				t.Fatalf("chunk %d: a false row %+v", i, g.Row)
			}
		}
		want := cid("data")
		if row.Kind == seal.KindTree {
			want = cid("meta")
		}
		if g, ok := x.Own(row.Kind, row.ID, lane(1)); ok && (g.Segment != want || g.Lane != lane(1)) {
			t.Fatalf("chunk %d is said to be in %v", i, g.Segment)
		}
	}
	for i := 300; i < 400; i++ {
		if _, ok := x.Own(seal.KindData, chunk(i), lane(1)); ok {
			t.Fatalf("chunk %d of another lane is a reason not to send", i)
		}
	}
}

// What is found out only in use is reported, the file is removed, and the next Open
// begins anew.
func TestDamageInUse(t *testing.T) {
	c := config(t)
	x := reopen(t, c)
	must(t, x.AddCommit(cid("entry"), lane(1), cid("meta"), part("data", 0, 4)))
	err := x.view(func(t tx) { panic("page 7: invalid page type") })
	if !errors.Is(err, ErrCorrupt) {
		t.Fatalf("error %v", err)
	}
	if _, err := x.Done(cid("entry")); !errors.Is(err, ErrCorrupt) {
		t.Errorf("goes on: %v", err)
	}
	if _, ok := x.Own(seal.KindData, chunk(0), lane(1)); ok {
		t.Error("a damaged index is a reason not to send")
	}
	must(t, x.Close())
	if done, err := reopen(t, c).Done(cid("entry")); done || err != nil {
		t.Errorf("done: %v, %v", done, err)
	}
}

func FuzzRecords(f *testing.F) {
	f.Add(claim{segment: cid("a"), entry: cid("b"), lane: lane(1)}.encode())
	s, _ := Segment{CID: cid("a"), Entry: cid("b"), Descriptor: []byte("d"), Nodes: []ident.PublicKey{lane(1)}}.encode()
	f.Add(s)
	f.Add(encodeSpots([]spot{{claim: 1, coding: seal.Zstd, checked: true}}))
	f.Fuzz(func(t *testing.T, p []byte) {
		if c, ok := decodeClaim(p); ok && !bytes.Equal(c.encode(), p) {
			t.Error("claim")
		}
		if s, ok := decodeSegment(cid("x"), p); ok {
			if len(s.Nodes) > 255 {
				return
			}
			if q, err := s.encode(); err == nil && len(q) != len(p) {
				t.Error("segment")
			}
		}
		if l := decodeSpots(p); len(l)*spotSize != len(p) && l != nil {
			t.Error("spots")
		}
	})
}
