package index

import (
	"errors"
	"fmt"
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

// Many chunks in one look get the answers that they would get one by one.
func TestOwnAll(t *testing.T) {
	each(t, func(t *testing.T, x *Index) {
		must(t, x.AddCommit(cid("foreign"), lane(2), cid("m2"), part("foreign", 0, 40)))
		must(t, x.AddCommit(cid("own"), lane(1), cid("m1"), part("own", 20, 60)))
		must(t, x.AddCommit(cid("again"), lane(1), cid("m3"), part("again", 50, 70)))
		for _, kind := range []seal.Kind{seal.KindData, seal.KindTree} {
			var ids []seal.ChunkID
			for i := range 80 {
				ids = append(ids, chunk(79-i))
			}
			got := x.OwnAll(kind, ids, lane(1))
			stored := 0
			for i, id := range ids {
				want, ok := x.Own(kind, id, lane(1))
				if ok {
					stored++
				}
				if got[i] != want || got[i].Segment.Defined() != ok {
					t.Errorf("chunk %d: %v, one by one %v %v", 79-i, got[i], want, ok)
				}
			}
			if stored != 25 {
				t.Errorf("%d of 25 chunks are found", stored)
			}
		}
		must(t, x.Close())
		if p := x.OwnAll(seal.KindData, []seal.ChunkID{chunk(20)}, lane(1)); len(p) != 1 || p[0] != (Place{}) {
			t.Errorf("a closed index knows %v", p)
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
	broken := &Index{db: &failing{database: x.db, updates: 1, err: stop}, lane: x.lane}
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

// A commit of this device's own is there whole, segments and chunks, and is the same
// as one that was taken in in two steps.
func TestAddOwn(t *testing.T) {
	each(t, func(t *testing.T, x *Index) {
		segs := []Segment{{CID: cid("data"), Lane: lane(1)}, {CID: cid("meta"), Lane: lane(1), Number: 1, Meta: true}}
		must(t, x.AddOwn(cid("entry"), lane(1), segs, part("data", 0, 10)))
		for _, s := range segs {
			if got, ok, err := x.Segment(s.CID); err != nil || !ok || got.Number != s.Number || got.Entry != cid("entry") {
				t.Errorf("%+v, %v, %v", got, ok, err)
			}
		}
		if place, ok := x.Own(seal.KindTree, chunk(1), lane(1)); !ok || place.Segment != cid("meta") {
			t.Errorf("%+v, %v", place, ok)
		}
		done, err := x.DoneAll([]ident.CID{cid("entry"), cid("other")})
		if err != nil || !done[0] || done[1] {
			t.Errorf("%v, %v", done, err)
		}
	})
}
