package node

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"holdfast/internal/ident"
	"holdfast/ledger/ledgertest"
	"holdfast/p2p/shardrpc"
	"holdfast/store"
	"holdfast/store/storetest"
)

const testHold = 8 * 24 * time.Hour

func testBook(t testing.TB, path string, now func() time.Time) *book {
	t.Helper()
	b, err := openBook(path, testHold, now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.close() })
	return b
}

func newBook(t testing.TB) (*book, *manual) {
	c := &manual{t: ledgertest.Start()}
	return testBook(t, filepath.Join(t.TempDir(), bookName), c.now), c
}

func shardKey(vault string, segment, i int) store.Key {
	return store.Key{Vault: storetest.Vault(vault), Segment: ident.SumDagCBOR(fmt.Append(nil, "segment", segment)), Index: i}
}

var deviceA, deviceB = ledgertest.Key("a").Public(), ledgertest.Key("b").Public()

// bookModel is what a book must say: what is there now, what was when it was last
// written, and how long shards were promised to be kept.
type bookModel struct {
	now, flushed map[store.Key]record
	promised     map[store.Key]int64
}

// promise keeps a shard that is known, and reports whether that has to be written
// first: it has not, if what is on disk is enough, or nothing is and the shard will be
// found.
func (m *bookModel) promise(k store.Key, until, hold int64) (write bool) {
	r := m.now[k]
	r.Until = max(r.Until, until)
	m.now[k] = r
	m.promised[k] = max(m.promised[k], until)
	old, written := m.flushed[k]
	return until > hold || written && old.Until < until
}

// crash falls back to what is on disk. What was promised and is not there is found on
// the shelf.
func (m *bookModel) crash(t *rapid.T, b *book) {
	m.now = maps.Clone(m.flushed)
	for k, until := range m.promised {
		if _, known := m.now[k]; !known {
			m.now[k] = record{Size: 5, Until: b.holdUntil()}
			must(t, b.found(k, 5))
		}
		if m.now[k].Until < until {
			t.Fatalf("%v was promised until %d, and is kept until %d", k, until, m.now[k].Until)
		}
	}
}

// check compares everything that a book says with the model.
func (m *bookModel) check(t *rapid.T, b *book, keys []store.Key) {
	vaults, devices := map[ident.CID]usage{}, map[account]usage{}
	for _, k := range keys {
		got, known, err := b.get(k)
		want, there := m.now[k]
		if err != nil || known != there || got != want {
			t.Fatalf("%v: %+v, %v, %v; want %+v, %v", k, got, known, err, want, there)
		}
		if there {
			addTo(vaults, k.Vault, usage{want.Size, 1})
			addTo(devices, account{k.Vault, want.Device}, usage{want.Size, 1})
		}
	}
	if got := b.vaultUsage(); !maps.Equal(got, vaults) {
		t.Fatalf("vaults %v; want %v", got, vaults)
	}
	if !maps.Equal(b.devices, devices) {
		t.Fatalf("devices %v; want %v", b.devices, devices)
	}
}

// checkPages goes through the book in pages and finds each shard once, in order.
func (m *bookModel) checkPages(t *rapid.T, b *book) {
	found := 0
	var after store.Key
	for {
		keys, next, err := b.page(after, 3, func(record) bool { return true })
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range keys {
			if _, ok := m.now[k]; !ok || after.Vault.Defined() && bytes.Compare(encodeShardKey(after), encodeShardKey(k)) >= 0 {
				t.Fatalf("page: %v after %v", k, after)
			}
			found, after = found+1, k
		}
		if !next.Vault.Defined() {
			break
		}
	}
	if found != len(m.now) {
		t.Fatalf("pages hold %d of %d shards", found, len(m.now))
	}
}

// Law: a book agrees with a model through puts, promises, certificates, letting go,
// clean restarts and crashes; what was promised survives each crash.
func TestBookAgainstModel(t *testing.T) {
	var keys []store.Key
	for i := range 12 {
		keys = append(keys, shardKey(string(rune('x'+i%2)), i/3, i%3))
	}
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "book")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		clock := &manual{t: ledgertest.Start()}
		open := func() *book {
			b, err := openBook(filepath.Join(dir, bookName), testHold, clock.now)
			if err != nil {
				t.Fatal(err)
			}
			b.db.NoSync = true // the crashes here are the program's, not the machine's
			return b
		}
		b := open()
		defer func() { b.close() }()
		m := &bookModel{map[store.Key]record{}, map[store.Key]record{}, map[store.Key]int64{}}
		flushed := func() { m.flushed = maps.Clone(m.now) }
		key := rapid.SampledFrom(keys)
		t.Repeat(map[string]func(*rapid.T){
			"arrive": func(t *rapid.T) {
				k, size := key.Draw(t, "key"), int64(rapid.IntRange(1, 100).Draw(t, "size"))
				device := rapid.SampledFrom([]ident.PublicKey{deviceA, deviceB}).Draw(t, "device")
				r, known := m.now[k]
				if !known || r.Device == device || r.Device.IsZero() || r.Trashed {
					m.now[k] = record{device, nonce, size, max(r.Until, b.holdUntil()), r.Certified && !r.Trashed, false}
				}
				if err := b.arrived(k, device, nonce, size, nil); err != nil {
					t.Fatal(err)
				}
			},
			"begin": func(t *rapid.T) {
				k := key.Draw(t, "key")
				if r, known := m.now[k]; known {
					r.Until = max(r.Until, b.holdUntil())
					m.now[k] = r
				}
				if err := b.arriving(k); err != nil {
					t.Fatal(err)
				}
			},
			"find": func(t *rapid.T) {
				k := key.Draw(t, "key")
				if r, known := m.now[k]; !known {
					m.now[k] = record{Size: 5, Until: b.holdUntil()}
				} else {
					r.Trashed = false
					m.now[k] = r
				}
				if err := b.found(k, 5); err != nil {
					t.Fatal(err)
				}
			},
			"promise": func(t *rapid.T) {
				k, until := key.Draw(t, "key"), clock.now().Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "days"))*24*time.Hour)
				_, known := m.now[k]
				write := known && m.promise(k, until.UnixMilli(), b.holdUntil())
				err := b.promise([]store.Key{k}, until, func() error { return nil })
				if known != (err == nil) || !known && !errors.Is(err, store.ErrNotFound) {
					t.Fatalf("promise of %v: %v", known, err)
				}
				if write {
					flushed()
				}
			},
			"certify": func(t *rapid.T) {
				k := key.Draw(t, "key")
				for other, r := range m.now {
					if other.Vault == k.Vault && other.Segment == k.Segment {
						r.Certified = true
						m.now[other] = r
					}
				}
				if err := b.certified(k.Vault, []ident.CID{k.Segment}); err != nil {
					t.Fatal(err)
				}
			},
			"let go": func(t *rapid.T) {
				k := key.Draw(t, "key")
				r, known := m.now[k]
				may := !known || r.due(clock.now())
				gone, err := b.letGo(k, func() error { return nil })
				if err != nil || gone != may {
					t.Fatalf("let go of %+v: %v, %v", r, gone, err)
				}
				if gone {
					delete(m.now, k)
					delete(m.promised, k)
				}
			},
			"retire": func(t *rapid.T) {
				k := key.Draw(t, "key")
				r := m.now[k]
				may := r.Certified && !r.Trashed
				gone, err := b.retire(k, func() error { return nil })
				if err != nil || gone != may {
					t.Fatalf("retire %+v: %v, %v", r, gone, err)
				}
				if gone {
					r.Trashed = true
					m.now[k] = r
				}
			},
			"recall": func(t *rapid.T) {
				k := key.Draw(t, "key")
				r, known := m.now[k]
				if !known {
					r = record{Size: 9, Until: b.holdUntil()}
				}
				r.Trashed = false
				m.now[k] = r
				must(t, b.recall(store.Discarded{Key: k, Bytes: 9}, func() error { return nil }))
			},
			"erase": func(t *rapid.T) {
				k := key.Draw(t, "key")
				r, known := m.now[k]
				may := !known || r.Trashed
				gone, err := b.erase(k, func() error { return nil })
				if err != nil || gone != may {
					t.Fatalf("erase %+v: %v, %v", r, gone, err)
				}
				if gone {
					delete(m.now, k)
					delete(m.promised, k)
				}
			},
			"wait":  func(t *rapid.T) { clock.advance(time.Duration(rapid.IntRange(1, 6).Draw(t, "days")) * 24 * time.Hour) },
			"flush": func(t *rapid.T) { must(t, b.flush()); flushed() },
			"restart": func(t *rapid.T) {
				must(t, b.close())
				flushed()
				b = open()
			},
			"crash": func(t *rapid.T) {
				must(t, b.db.Close())
				b = open()
				m.crash(t, b)
			},
			"pages": func(t *rapid.T) { m.checkPages(t, b); flushed() },
			"":      func(t *rapid.T) { m.check(t, b, keys) },
		})
	})
}

func must(t interface{ Fatal(...any) }, err error) {
	if err != nil {
		t.Fatal(err)
	}
}

// What a promise says is in the file before anybody is told.
func TestPromiseIsOnDiskFirst(t *testing.T) {
	b, clock := newBook(t)
	k := shardKey("v", 1, 0)
	must(t, b.arrived(k, deviceA, nonce, 10, nil))
	until := clock.now().Add(30 * 24 * time.Hour)
	err := b.promise([]store.Key{k}, until, func() error {
		p, err := os.ReadFile(b.db.Path())
		must(t, err)
		path := filepath.Join(t.TempDir(), "copy")
		must(t, os.WriteFile(path, p, 0o600))
		r, known, err := testBook(t, path, clock.now).get(k)
		if err != nil || !known || r.Until != until.UnixMilli() || r.Device != deviceA || r.Nonce != nonce {
			t.Errorf("on disk: %+v, %v, %v", r, known, err)
		}
		return nil
	})
	must(t, err)
}

// A promise that what is on disk keeps already, or what will be found on the shelf
// does, writes nothing; one that goes further does.
func TestPromiseOfWhatHasJustArrivedWritesNothing(t *testing.T) {
	b, clock := newBook(t)
	k := shardKey("v", 1, 0)
	must(t, b.arrived(k, deviceA, nonce, 10, nil))
	pending := func() int { return len(b.pending) }
	promise := func(d time.Duration) {
		t.Helper()
		must(t, b.promise([]store.Key{k}, clock.now().Add(d), func() error { return nil }))
	}
	promise(testHold)
	if pending() != 1 {
		t.Error("a shard that the book on disk does not know was written")
	}
	promise(testHold + time.Millisecond)
	if pending() != 0 {
		t.Error("promised for longer than what is found is kept, and not written")
	}
	clock.advance(time.Hour)
	promise(testHold - 2*time.Hour)
	if r, _, err := b.get(k); err != nil || pending() != 0 {
		t.Errorf("%+v: %v", r, err)
	}
	promise(testHold)
	if pending() != 0 {
		t.Error("promised for longer than the book on disk says, and not written")
	}
}

// Nobody is promised a shard that is being let go, and nobody lets go of what is
// being promised.
func TestPromiseAndLetGoExclude(t *testing.T) {
	b, clock := newBook(t)
	k := shardKey("v", 1, 0)
	must(t, b.arrived(k, deviceA, nonce, 10, nil))
	clock.advance(testHold + time.Hour)

	inside, promised := make(chan struct{}), make(chan error, 1)
	go func() {
		<-inside
		promised <- b.promise([]store.Key{k}, clock.now().Add(testHold), func() error { return nil })
	}()
	gone, err := b.letGo(k, func() error {
		close(inside)
		select {
		case err := <-promised:
			t.Error("promised while it was let go:", err)
			promised <- err
		case <-time.After(50 * time.Millisecond): // it must not come
		}
		return nil
	})
	if err != nil || !gone {
		t.Fatal(gone, err)
	}
	if err := <-promised; !errors.Is(err, store.ErrNotFound) {
		t.Error("promise of what is gone:", err)
	}

	must(t, b.arrived(k, deviceA, nonce, 10, nil))
	clock.advance(testHold + time.Hour)
	letGo := make(chan bool, 1)
	must(t, b.promise([]store.Key{k}, clock.now().Add(testHold), func() error {
		started := make(chan struct{})
		go func() {
			close(started)
			gone, err := b.letGo(k, func() error { t.Error("removed although promised"); return nil })
			letGo <- gone || err != nil
		}()
		<-started
		return nil
	}))
	if <-letGo {
		t.Error("let go although promised")
	}
}

// Puts, promises and certificates of the same shards race; nothing is lost and the
// accounts add up.
func TestRacingBook(t *testing.T) {
	b, _ := newBook(t)
	const segments, rounds = 20, 10
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for round := range rounds {
				for s := range segments {
					k := shardKey("v", s, worker%2)
					if err := errors.Join(b.arriving(k), b.arrived(k, deviceA, nonce, int64(10+s), nil)); err != nil {
						t.Error(err)
					}
					if round == rounds/2 {
						if err := b.promise([]store.Key{k}, b.now().Add(100*24*time.Hour), func() error { return nil }); err != nil {
							t.Error(err)
						}
					}
				}
			}
		})
	}
	wg.Go(func() {
		for s := range segments {
			for {
				if err := b.certified(storetest.Vault("v"), []ident.CID{shardKey("v", s, 0).Segment}); err != nil {
					t.Error(err)
				}
				if r, known, _ := b.get(shardKey("v", s, 1)); known && r.Certified {
					break
				}
			}
		}
	})
	wg.Wait()
	must(t, b.flush())
	want := usage{}
	for s := range segments {
		for i := range 2 {
			r, known, err := b.get(shardKey("v", s, i))
			if err != nil || !known || i == 1 && !r.Certified || r.Until < b.now().Add(99*24*time.Hour).UnixMilli() {
				t.Errorf("segment %d, shard %d: %+v, %v, %v", s, i, r, known, err)
			}
			want = want.plus(usage{int64(10 + s), 1})
		}
	}
	if got := b.used(storetest.Vault("v"), deviceA); got != want {
		t.Errorf("%+v; want %+v", got, want)
	}
}

func TestQuota(t *testing.T) {
	b, _ := newBook(t)
	of := account{storetest.Vault("v"), deviceA}
	release, err := b.reserve(of, 60, 100, 0)
	must(t, err)
	if _, err := b.reserve(of, 41, 100, 0); !errors.Is(err, shardrpc.ErrQuota) {
		t.Error("what is on its way in does not count:", err)
	}
	must(t, b.arrived(shardKey("v", 1, 0), deviceA, nonce, 60, nil))
	release()
	if _, err := b.reserve(of, 41, 100, 0); !errors.Is(err, shardrpc.ErrQuota) {
		t.Error("what is there does not count:", err)
	}
	other := account{of.vault, deviceB}
	if _, err := b.reserve(other, 41, 100, 100); !errors.Is(err, shardrpc.ErrQuota) {
		t.Error("the vault's quota does not count both devices:", err)
	}
	for range 3 {
		release, err := b.reserve(of, 40, 100, 100)
		must(t, err)
		release()
	}
	if len(b.coming)+len(b.arrive) > 0 {
		t.Errorf("left: %v, %v", b.coming, b.arrive)
	}
	if _, err := b.reserve(of, 1<<60, 0, 0); err != nil {
		t.Error("without a quota:", err)
	}
}

// A book that cannot be written says so to whoever needs it, and loses nothing.
func TestBookThatCannotBeWritten(t *testing.T) {
	b, _ := newBook(t)
	k := shardKey("v", 1, 0)
	must(t, b.db.Close())
	b.pending[k] = change{record: record{Device: deviceA, Size: 1}}
	if err := b.flush(); err == nil {
		t.Error("flush of a closed database succeeds")
	}
	if r, known, err := b.get(k); err != nil || !known || r.Size != 1 {
		t.Error("what could not be written is lost:", r, known, err)
	}
	if err := b.promise([]store.Key{k}, b.now(), func() error { t.Error("promised"); return nil }); err == nil {
		t.Error("promised on a closed database")
	}
}

func TestDamagedBookIsPutAside(t *testing.T) {
	path := filepath.Join(t.TempDir(), bookName)
	must(t, os.WriteFile(path, bytes.Repeat([]byte("no database"), 4096), 0o600))
	b := testBook(t, path, time.Now)
	must(t, b.arrived(shardKey("v", 1, 0), deviceA, nonce, 1, nil))
	must(t, b.flush())
	if _, err := os.Stat(path + ".damaged"); err != nil {
		t.Error(err)
	}
}

func TestCharters(t *testing.T) {
	b, _ := newBook(t)
	v, other := ledgertest.NewVault("one", 1), ledgertest.NewVault("two", 1)
	for _, v := range []*ledgertest.Vault{v, other, v} {
		must(t, b.keepCharter(v.ID(), v.Signed))
	}
	got, known, err := b.charter(v.ID())
	if err != nil || !known || got.CID() != v.ID() || !bytes.Equal(got.Object, v.Signed.Object) {
		t.Errorf("%v, %v", known, err)
	}
	must(t, b.arrived(store.Key{Vault: v.ID(), Segment: shardKey("", 1, 0).Segment}, deviceA, nonce, 1, nil))
	release, err := b.reserve(account{other.ID(), deviceA}, 1, 0, 0)
	must(t, err)
	must(t, b.dropCharters())
	if !b.hasCharter(v.ID()) || !b.hasCharter(other.ID()) {
		t.Error("the charter of a vault with shards, or with one on its way, is dropped")
	}
	release()
	must(t, b.dropCharters())
	if !b.hasCharter(v.ID()) || b.hasCharter(other.ID()) {
		t.Error("the charter of a vault without shards is not dropped, or the other one is")
	}
}

func TestRecordCode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := record{
			Device: ident.PublicKey(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "device")), Nonce: [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "nonce")),
			Size: rapid.Int64().Draw(t, "size"), Until: rapid.Int64().Draw(t, "until"), Certified: rapid.Bool().Draw(t, "certified"), Trashed: rapid.Bool().Draw(t, "trashed"),
		}
		k := shardKey("v", rapid.Int().Draw(t, "segment"), rapid.IntRange(0, 254).Draw(t, "index"))
		p := encodeRecord(r)
		got, err := decodeRecord(p)
		if err != nil || got != r {
			t.Fatalf("%+v, %v", got, err)
		}
		if key, err := decodeShardKey(encodeShardKey(k)); err != nil || key != k {
			t.Fatalf("%v, %v", key, err)
		}
		if _, err := decodeRecord(p[:len(p)-1]); !errors.Is(err, errBook) {
			t.Fatal(err)
		}
	})
}
