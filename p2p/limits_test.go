package p2p

import (
	"errors"
	"fmt"
	"testing"
	"time"

	ds "github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/query"
	"github.com/libp2p/go-libp2p/core/peer"
	"pgregory.net/rapid"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// The gate lets in exactly what its limits allow, and forgets who has left.
func TestGate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := newGate(5, 3)
		in := make(map[peer.ID]int)
		total := 0
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			p := peer.ID(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "peer"))
			if rapid.Bool().Draw(t, "enter") {
				want := total < 5 && in[p] < 3
				if g.enter(p) != want {
					t.Fatalf("enter with %d, %d in all: %v", in[p], total, !want)
				}
				if want {
					in[p], total = in[p]+1, total+1
				}
			} else if in[p] > 0 {
				g.leave(p)
				in[p], total = in[p]-1, total-1
			}
		}
		for p, n := range in {
			for range n {
				g.leave(p)
			}
		}
		if len(g.by) != 0 || g.total != 0 {
			t.Fatalf("left behind: %v", g.by)
		}
	})
}

// The DHT's store counts rightly whatever is put over what, and refuses above its
// limits.
func TestShelf(t *testing.T) {
	ctx := t.Context()
	rapid.Check(t, func(t *rapid.T) {
		s := newShelf(4, 60)
		model := make(map[string]int)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			name := rapid.SampledFrom([]string{"/a", "/b", "/c", "/d", "/e", "/f"}).Draw(t, "key")
			key := ds.NewKey(name)
			if rapid.Bool().Draw(t, "delete") {
				if err := s.Delete(ctx, key); err != nil {
					t.Fatal(err)
				}
				delete(model, name)
				continue
			}
			size := rapid.IntRange(0, 30).Draw(t, "size")
			bytes, count := 0, 0
			for k, n := range model {
				if k != name {
					bytes, count = bytes+len(k)+n, count+1
				}
			}
			fits := count < 4 && bytes+len(name)+size <= 60
			if err := s.Put(ctx, key, make([]byte, size)); errors.Is(err, errShelfFull) == fits {
				t.Fatalf("put %d bytes beside %d in %d: %v", size, bytes, count, err)
			}
			if fits {
				model[name] = size
			}
		}
		r, err := s.Query(ctx, query.Query{})
		if err != nil {
			t.Fatal(err)
		}
		all, err := r.Rest()
		if err != nil || len(all) != len(model) || s.count != len(model) {
			t.Fatalf("%d entries, counted %d, want %d (%v)", len(all), s.count, len(model), err)
		}
	})
	s := newShelf(1, 100)
	b, err := s.Batch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	b.Put(ctx, ds.NewKey("/x"), []byte("v"))
	if err := b.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	if has, err := s.Has(ctx, ds.NewKey("/x")); !has || err != nil {
		t.Error("a batch is lost:", err)
	}
	if v, err := s.Get(ctx, ds.NewKey("/x")); string(v) != "v" || err != nil {
		t.Errorf("%q, %v", v, err)
	}
}

// Of two certificates the higher serial counts, while it is valid; a record never
// overrides a node's own word.
func TestDirectory(t *testing.T) {
	now := time.Unix(1e9, 0)
	key := ident.PublicKey{7}
	node := func(serial int64, life time.Duration, space int64) Node {
		return Node{
			Certificate: ledger.NodeCertificate{Node: key, Serial: serial, Expires: now.Add(life).UnixMilli()},
			Signed:      ident.Signed{Object: []byte{byte(serial)}}, Space: space, Seen: now,
		}
	}
	d := newDirectory()
	d.put(node(5, time.Hour, 1), "c1", now)
	if n, _ := d.put(node(4, time.Hour, 2), "c2", now); n.Certificate.Serial != 5 || n.Signed.Object[0] != 5 || n.Space != 2 {
		t.Errorf("an older certificate: %+v", n)
	}
	if n, first := d.put(node(3, 3*time.Hour, 3), "c3", now.Add(2*time.Hour)); !first || n.Certificate.Serial != 3 {
		t.Errorf("after the newer one has expired: %+v", n)
	}
	record := node(3, 3*time.Hour, 9)
	record.Seen = time.Time{}
	if n, _ := d.put(record, "", now); n.Space != 3 {
		t.Errorf("a record overrides the node's word: %+v", n)
	}
	record.Certificate.Serial = 6
	if n, _ := d.put(record, "", now); n.Certificate.Serial != 6 {
		t.Errorf("a record with a newer certificate: %+v", n)
	}
	d.learn(key, []string{"a", "b"})
	d.learn(key, []string{"b", "c"})
	if e, _ := d.get(key); fmt.Sprint(e.addrs()) != "[a b c]" {
		t.Errorf("addresses %v", e.addrs())
	}
	said := node(7, time.Hour, 1)
	said.Addrs = []string{"d"}
	d.put(said, "c4", now)
	if e, _ := d.get(key); fmt.Sprint(e.addrs()) != "[d a b c]" {
		t.Errorf("a node's word takes away what was configured: %v", e.addrs())
	}
	if gone := d.unwelcome(func(c ledger.NodeCertificate) bool { return c.ValidAt(now.Add(4*time.Hour)) == nil }); len(gone) != 1 || gone[0] != key {
		t.Errorf("expired: %v", gone)
	}
}

// The directory is bounded, and keeps those seen last.
func TestDirectoryIsBounded(t *testing.T) {
	d := newDirectory()
	begin := time.Unix(1e9, 0)
	key := func(i int) ident.PublicKey { return ident.PublicKey{1, byte(i >> 8), byte(i)} }
	for i := range maxNodes + 10 {
		d.put(Node{Certificate: ledger.NodeCertificate{Node: key(i)}, Seen: begin.Add(time.Duration(i) * time.Second)}, "c", begin)
	}
	if len(d.keys()) != maxNodes {
		t.Errorf("%d nodes", len(d.keys()))
	}
	d.learn(key(maxNodes+100), []string{"a"})
	for i := range 10 {
		d.put(Node{Certificate: ledger.NodeCertificate{Node: key(maxNodes + 200 + i)}, Seen: begin}, "c", begin)
	}
	if _, ok := d.get(key(maxNodes + 100)); !ok {
		t.Error("a configured node was forgotten")
	}
	for i, want := range map[int]bool{0: false, 11: false, 12: true, maxNodes + 9: true} {
		if _, ok := d.get(key(i)); ok != want {
			t.Errorf("node %d is known: %v", i, ok)
		}
	}
}

// Connections to storage nodes are protected, up to a number, and not for ever.
func TestProtection(t *testing.T) {
	nodes := cluster(t, 2)
	meshed(t, nodes...)
	cm, p := nodes[0].host.ConnManager(), nodes[1].host.ID()
	if !cm.IsProtected(p, nodeTag) {
		t.Error("a storage node is not protected")
	}
	c := start(t, asClient(), withBootstrap(nodes[0].Addrs()...))
	if cm.IsProtected(c.host.ID(), "") {
		t.Error("a client is protected")
	}
	for i := range protectedPeers + 10 {
		nodes[0].protect(peer.ID(fmt.Sprint("peer", i)))
	}
	if n := len(nodes[0].protected); n != protectedPeers {
		t.Errorf("%d nodes are protected", n)
	}
	nodes[1].Close()
	nodes[0].dial(t.Context(), p)
	until(t, "release", func() bool {
		nodes[0].greet(t.Context(), p, 0)
		return !cm.IsProtected(p, nodeTag)
	})
}
