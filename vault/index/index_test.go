package index

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/seal"
)

func cid(s string) ident.CID { return ident.SumDagCBOR([]byte(s)) }

func lane(b byte) ident.PublicKey { return ident.PublicKey{0: b, 31: 1} }

func chunk(i int) seal.ChunkID {
	var id seal.ChunkID
	copy(id[:], fmt.Sprintf("chunk %d", i))
	return id
}

func config(t testing.TB) Config {
	return Config{Dir: t.TempDir(), Vault: cid("vault"), Lane: lane(1), Wait: time.Millisecond}
}

func reopen(t testing.TB, c Config) *Index {
	t.Helper()
	x, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	return x
}

// each runs a test on both kinds of index.
func each(t *testing.T, f func(t *testing.T, x *Index)) {
	t.Run("file", func(t *testing.T) { f(t, reopen(t, config(t))) })
	t.Run("memory", func(t *testing.T) { f(t, Mem(lane(1))) })
}

// part is an index part with chunks from..to-1, half of them in a data segment and
// the others, tree objects, in the metadata segment.
func part(segment string, from, to int) seal.Index {
	x := seal.Index{Segments: []seal.IndexSegment{{Segment: cid(segment), Header: 1627, Size: 1 << 20}, {Header: 1627, Size: 4096}}}
	for i := from; i < to; i++ {
		r := seal.Row{ID: chunk(i), Offset: uint32(i * 100), Stored: 90, Plain: 100, Coding: seal.Zstd}
		if i%2 == 1 {
			r.Kind, r.Coding, r.Stored = seal.KindTree, seal.Plain, 100
		}
		x.Chunks = append(x.Chunks, seal.IndexChunk{Row: r, Segment: uint32(i % 2)})
	}
	return x
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestCommitIsFound(t *testing.T) {
	each(t, func(t *testing.T, x *Index) {
		must(t, x.AddCommit(cid("entry"), lane(2), cid("meta"), part("data", 0, 10)))
		for i := range 10 {
			kind, segment, size := seal.KindData, cid("data"), uint64(1<<20)
			if i%2 == 1 {
				kind, segment, size = seal.KindTree, cid("meta"), 4096
			}
			got, err := x.Places(kind, chunk(i))
			must(t, err)
			row := part("data", 0, 10).Chunks[i].Row
			want := []Place{{Segment: segment, Lane: lane(2), Header: 1627, Sealed: size, Row: row}}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("chunk %d: %+v, not %+v", i, got, want)
			}
			if got, err := x.Places(1-kind, chunk(i)); err != nil || len(got) > 0 {
				t.Errorf("chunk %d of the other kind: %v, %v", i, got, err)
			}
		}
		if got, err := x.Places(seal.KindData, chunk(99)); err != nil || len(got) > 0 {
			t.Errorf("an unknown chunk: %v, %v", got, err)
		}
	})
}

func TestDone(t *testing.T) {
	each(t, func(t *testing.T, x *Index) {
		for _, want := range []bool{false, true, true} {
			if got, err := x.Done(cid("entry")); err != nil || got != want {
				t.Fatalf("done: %v, %v", got, err)
			}
			must(t, x.AddCommit(cid("entry"), lane(1), cid("meta"), part("data", 0, 4)))
		}
		must(t, x.AddCommit(cid("empty"), lane(1), cid("meta 2"), seal.Index{}))
		if done, err := x.Done(cid("empty")); err != nil || !done {
			t.Errorf("a commit without chunks: %v, %v", done, err)
		}
		if got, _ := x.Places(seal.KindData, chunk(0)); len(got) != 1 {
			t.Errorf("taken in again: %d places", len(got))
		}
	})
}

func TestContradictingPartIsRefused(t *testing.T) {
	each(t, func(t *testing.T, x *Index) {
		p := part("data", 0, 4)
		p.Chunks[3].Segment = 2
		if err := x.AddCommit(cid("entry"), lane(1), cid("meta"), p); !errors.Is(err, ErrCommit) {
			t.Errorf("error %v", err)
		}
		if _, ok := x.Own(seal.KindData, chunk(0), lane(1)); ok {
			t.Error("half of the commit was taken in")
		}
	})
}

// A lane that claims a chunk often stands neither before this device's own claim
// nor before another lane's only one.
func TestOrderOfPlaces(t *testing.T) {
	each(t, func(t *testing.T, x *Index) {
		for i := range 3 * maxSpots {
			e := fmt.Sprint("false ", i)
			must(t, x.AddCommit(cid(e), lane(9), cid("meta"+e), part(e, 0, 1)))
		}
		must(t, x.AddCommit(cid("true"), lane(2), cid("m2"), part("true", 0, 1)))
		must(t, x.AddCommit(cid("own"), lane(1), cid("m1"), part("own", 0, 1)))
		must(t, x.AddCommit(cid("last"), lane(9), cid("m3"), part("last", 0, 1)))
		got, err := x.Places(seal.KindData, chunk(0))
		must(t, err)
		if len(got) != maxSpots+2 {
			t.Fatalf("%d places", len(got))
		}
		if got[0].Segment != cid("own") || got[1].Segment != cid("last") || got[2].Segment != cid("true") {
			t.Errorf("order: %v %v %v", got[0].Lane, got[1].Lane, got[2].Lane)
		}
		if got[3].Segment != cid(fmt.Sprint("false ", 3*maxSpots-1)) {
			t.Error("the newest claims were not kept")
		}
	})
}

// SPEC: another lane's index part is a hint for reading and never a reason not to
// send.
func TestOwn(t *testing.T) {
	each(t, func(t *testing.T, x *Index) {
		must(t, x.AddCommit(cid("foreign"), lane(2), cid("m2"), part("foreign", 0, 4)))
		must(t, x.AddCommit(cid("own"), lane(1), cid("m1"), part("own", 4, 8)))
		for i, want := range []bool{0: false, 2: false, 4: true, 6: true, 8: false} {
			if i%2 == 1 {
				continue
			}
			p, ok := x.Own(seal.KindData, chunk(i), lane(1))
			if ok != want || ok && p.Segment != cid("own") {
				t.Errorf("chunk %d: %v %v", i, ok, p)
			}
		}
		if _, ok := x.Own(seal.KindData, chunk(0), ident.PublicKey{}); ok {
			t.Error("nobody owns a chunk")
		}
		places, err := x.Places(seal.KindData, chunk(0))
		must(t, err)
		must(t, x.MarkChecked(places...))
		must(t, x.MarkChecked(Place{Segment: cid("foreign"), Lane: lane(7), Row: seal.Row{ID: chunk(2)}}))
		if p, ok := x.Own(seal.KindData, chunk(0), lane(1)); !ok || p.Segment != cid("foreign") {
			t.Errorf("a checked chunk: %v %v", ok, p)
		}
		if _, ok := x.Own(seal.KindData, chunk(2), lane(1)); ok {
			t.Error("a chunk that another lane's claim was checked for")
		}
	})
}

func TestSegments(t *testing.T) {
	each(t, func(t *testing.T, x *Index) {
		s := Segment{
			CID: cid("data"), Lane: lane(3), Number: 1 << 40, Descriptor: []byte("descriptor"),
			Nodes: []ident.PublicKey{lane(4), {}, lane(5)}, Meta: true,
		}
		must(t, x.AddSegments(cid("entry"), []Segment{s, {CID: cid("bare")}}))
		s.Entry = cid("entry")
		got, ok, err := x.Segment(cid("data"))
		if err != nil || !ok || !reflect.DeepEqual(got, s) {
			t.Errorf("%+v, %v, %v", got, ok, err)
		}
		s.Nodes[1] = lane(6)
		must(t, x.AddSegments(cid("entry"), []Segment{s}))
		if got, _, _ := x.Segment(cid("data")); got.Nodes[1] != lane(6) {
			t.Error("a later placement was not taken in")
		}
		if _, ok, err := x.Segment(cid("unknown")); ok || err != nil {
			t.Errorf("an unknown segment: %v, %v", ok, err)
		}
		if err := x.AddSegments(cid("entry"), []Segment{{CID: cid("x"), Descriptor: make([]byte, maxDescriptor+1)}}); err == nil {
			t.Error("a descriptor that is too long was taken in")
		}
	})
}

func TestIndexSurvivesClosing(t *testing.T) {
	c := config(t)
	x := reopen(t, c)
	must(t, x.AddCommit(cid("entry"), lane(1), cid("meta"), part("data", 0, 4)))
	if _, err := Open(c); !errors.Is(err, ErrBusy) {
		t.Errorf("opened twice: %v", err)
	}
	must(t, x.Close())
	if _, err := x.Done(cid("entry")); !errors.Is(err, ErrClosed) {
		t.Errorf("after closing: %v", err)
	}
	if _, ok := reopen(t, c).Own(seal.KindData, chunk(0), lane(1)); !ok {
		t.Error("the commit is gone")
	}
}

// A commit of several transactions is seen when the last of them has happened, and
// one that was broken off is completed without double claims.
func TestLargeCommitIsAllOrNothing(t *testing.T) {
	x := reopen(t, config(t))
	p := part("data", 0, batchRows+10)
	stop := errors.New("stop")
	broken := &Index{&failing{database: x.db, updates: 1, err: stop}, x.lane}
	if err := broken.AddCommit(cid("entry"), lane(1), cid("meta"), p); !errors.Is(err, stop) {
		t.Fatalf("error %v", err)
	}
	if done, err := x.Done(cid("entry")); done || err != nil {
		t.Fatalf("done: %v, %v", done, err)
	}
	for i := range 100 {
		if _, ok := x.Own(seal.KindData, chunk(i), lane(1)); ok {
			t.Fatalf("chunk %d of half a commit is a reason not to send", i)
		}
	}
	must(t, x.AddCommit(cid("entry"), lane(1), cid("meta"), p))
	for _, i := range []int{0, 2, batchRows - 2, batchRows + 8} {
		if got, err := x.Places(seal.KindData, chunk(i)); err != nil || len(got) != 1 {
			t.Errorf("chunk %d: %d places, %v", i, len(got), err)
		}
	}
}

// failing lets some updates happen, and refuses those after them.
type failing struct {
	database
	updates int
	err     error
}

func (f *failing) update(do func(tx) error) error {
	if f.updates == 0 {
		return f.err
	}
	f.updates--
	return f.database.update(do)
}

func TestFailedUpdateLeavesNothing(t *testing.T) {
	each(t, func(t *testing.T, x *Index) {
		stop := errors.New("stop")
		err := x.update(func(t tx) error {
			if err := putProgress(t, cid("entry"), progress{done: true}); err != nil {
				return err
			}
			return stop
		})
		if !errors.Is(err, stop) {
			t.Fatal(err)
		}
		if done, _ := x.Done(cid("entry")); done {
			t.Error("half of an update happened")
		}
	})
}

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

func TestConcurrentUse(t *testing.T) {
	each(t, func(t *testing.T, x *Index) {
		done := make(chan error, 4)
		for i := range 4 {
			go func() {
				e := fmt.Sprint("entry ", i)
				done <- x.AddCommit(cid(e), lane(1), cid("m"+e), part(e, i*100, i*100+100))
			}()
		}
		for i := range 400 {
			if _, err := x.Places(seal.Kind(i%2), chunk(i)); err != nil {
				t.Error(err)
			}
		}
		for range 4 {
			must(t, <-done)
		}
		for i := range 400 {
			if _, ok := x.Own(seal.Kind(i%2), chunk(i), lane(1)); !ok {
				t.Fatalf("chunk %d is missing", i)
			}
		}
	})
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

func BenchmarkPlaces(b *testing.B) {
	x := reopen(b, config(b))
	must(b, x.AddCommit(cid("entry"), lane(1), cid("meta"), part("data", 0, 50_000)))
	i := 0
	for b.Loop() {
		i++
		if _, err := x.Places(seal.KindData, chunk(i%50_000)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAddCommit(b *testing.B) {
	x := reopen(b, config(b))
	i := 0
	for b.Loop() {
		e := fmt.Sprint(i)
		must(b, x.AddCommit(cid(e), lane(1), cid("m"+e), part(e, i*10_000, i*10_000+10_000)))
		i++
	}
}
