package node

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
	"holdfast/p2p/ledgerrpc"
	"holdfast/p2p/shardrpc"
	"holdfast/p2p/shardrpc/shardrpctest"
	"holdfast/store"
	"holdfast/store/disk"
)

// The suite of all holders.
func TestHolder(t *testing.T) {
	shardrpctest.TestHolder(t, func(t *testing.T) shardrpctest.Subject {
		b := newBench(t, 4)
		// The suite compares the node's clock with its own.
		b.clock.t = time.Now()
		s := b.session()
		return shardrpctest.Subject{
			Holder: shardrpc.Local(s), Vault: b.vault.ID(), Device: s.peer, Node: b.me.Node.Public(), Vote: b.me.Vote.Public(),
		}
	})
}

func TestDeviceQuota(t *testing.T) {
	b := newBench(t, 4)
	device := ledgertest.Key("device")
	g := segment(t, 400_000, 1)
	row := int64(len(g.Rows[0]))
	grant := b.grant(b.vault.Owner, b.vault.Signed, device.Public(), func(g *ledger.Grant) { g.Quota = 2*row + row/2 })
	s, err := b.open(device.Public(), shardrpc.Credential{Charter: b.vault.Signed, Grant: grant})
	must(t, err)
	for _, i := range []int{0, 1, 0, 1} { // the same again is not counted again
		b.mustPut(s, g, i)
	}
	if err := put(t.Context(), s, nonce, g, 2); !errors.Is(err, shardrpc.ErrQuota) {
		t.Error("above the quota:", err)
	}
	if b.has(g.Key(b.vault.ID(), 2)) {
		t.Error("what was refused is kept")
	}
	info, err := s.Info(t.Context())
	if err != nil || info.Used != 2*row || info.Quota != 2*row+row/2 {
		t.Errorf("info %+v, %v", info, err)
	}
	other := b.session() // the same device with a grant without a quota
	b.mustPut(other, g, 2)
}

func TestVaultQuota(t *testing.T) {
	b := newBench(t, 4)
	g := segment(t, 400_000, 1)
	b.shelf.orders = testOrders(Config{VaultQuota: int64(len(g.Rows[0]))}, b.clock.now)
	b.mustPut(b.session(), g, 0)
	key, cred := b.device("another", ledger.Append)
	s, err := b.open(key.Public(), cred)
	must(t, err)
	if err := put(t.Context(), s, nonce, g, 1); !errors.Is(err, shardrpc.ErrQuota) {
		t.Error("above the vault's quota:", err)
	}
}

func receipt(t *testing.T, b *bench, s *session, n shardrpc.Nonce, refs ...shardrpc.Ref) (ledger.Receipt, error) {
	t.Helper()
	signed, err := s.Receipt(t.Context(), n, refs)
	if err != nil {
		return ledger.Receipt{}, err
	}
	r, err := ledger.VerifyReceipt(signed, b.me.Vote.Public(), b.vault.ID())
	if err != nil {
		t.Fatal(err)
	}
	return r, nil
}

func TestReceiptSaysWhatIsKept(t *testing.T) {
	b := newBench(t, 4)
	s, g := b.session(), segment(t, 100_000, 1)
	for i := range 3 {
		b.mustPut(s, g, i)
	}
	b.clock.advance(time.Hour)
	r, err := receipt(t, b, s, nonce, ref(g, 2), ref(g, 0), ref(g, 2))
	must(t, err)
	want := []ledger.ReceiptShard{{Segment: g.CID, Index: 0, Shard: g.Parsed.Shards[0]}, {Segment: g.CID, Index: 2, Shard: g.Parsed.Shards[2]}}
	if len(r.Shards) != 2 || r.Shards[0] != want[0] || r.Shards[1] != want[1] {
		t.Errorf("shards %+v", r.Shards)
	}
	if r.Device != s.peer || r.Node != b.me.Node.Public() || r.Charter != b.vault.ID() || r.Nonce != nonce ||
		r.Time != ledger.Millis(b.clock.now()) || r.Until != ledger.Millis(b.clock.now().Add(ReceiptHold)) {
		t.Errorf("%+v", r)
	}
	for i := range 3 {
		if rec, _ := b.record(g.Key(b.vault.ID(), i)); rec.Until < r.Until {
			t.Errorf("shard %d is kept until %d", i, rec.Until)
		}
	}
}

// One row for each reason why a receipt is refused, or not.
func TestReceiptRefusals(t *testing.T) {
	b := newBench(t, 4)
	s, g := b.session(), segment(t, 100_000, 1)
	b.mustPut(s, g, 0)
	key, cred := b.device("another", ledger.Full)
	other, err := b.open(key.Public(), cred)
	must(t, err)
	none := shardrpc.Nonce{}
	for name, c := range map[string]struct {
		s    *session
		n    shardrpc.Nonce
		refs []shardrpc.Ref
		want error
	}{
		"put in this commit":                    {s, nonce, []shardrpc.Ref{ref(g, 0)}, nil},
		"put in another commit":                 {s, shardrpc.Nonce{8}, []shardrpc.Ref{ref(g, 0)}, shardrpc.ErrNotFound},
		"put by another device":                 {other, nonce, []shardrpc.Ref{ref(g, 0)}, shardrpc.ErrNotFound},
		"later, by whoever put it":              {s, none, []shardrpc.Ref{ref(g, 0)}, nil},
		"later, by another device":              {other, none, []shardrpc.Ref{ref(g, 0)}, nil},
		"not here":                              {s, nonce, []shardrpc.Ref{ref(g, 1)}, shardrpc.ErrNotFound},
		"one of two not here":                   {s, none, []shardrpc.Ref{ref(g, 0), ref(g, 1)}, shardrpc.ErrNotFound},
		"an index that the segment cannot have": {s, none, []shardrpc.Ref{ref(g, 9)}, shardrpc.ErrNotFound},
	} {
		if _, err := receipt(t, b, c.s, c.n, c.refs...); !errors.Is(err, c.want) {
			t.Errorf("%s: %v; want %v", name, err, c.want)
		}
	}
}

// A crash between put and book: the shard is on the shelf and nobody's. Whoever asks
// first for a receipt gets it, and another commit of the vault does not.
func TestReceiptAfterCrash(t *testing.T) {
	b := newBench(t, 4)
	s, g := b.session(), segment(t, 100_000, 1)
	k := g.Key(b.vault.ID(), 0)
	must(t, b.parts().shelf.Put(t.Context(), k, g.Descriptor, bytes.NewReader(g.Rows[0])))
	_, err := receipt(t, b, s, nonce, ref(g, 0))
	must(t, err)
	if r, known := b.record(k); !known || r.Device != s.peer || r.Nonce != nonce {
		t.Errorf("%+v, %v", r, known)
	}
	if _, err := receipt(t, b, s, shardrpc.Nonce{9}, ref(g, 0)); !errors.Is(err, shardrpc.ErrNotFound) {
		t.Error(err)
	}
}

// A shard that turns out to be bad when its receipt is asked for gets none.
func TestNoReceiptForWhatIsGone(t *testing.T) {
	b := newBench(t, 4)
	s, g := b.session(), segment(t, 100_000, 1)
	k := b.mustPut(s, g, 0)
	must(t, b.parts().shelf.Remove(t.Context(), k))
	if _, err := receipt(t, b, s, nonce, ref(g, 0)); !errors.Is(err, shardrpc.ErrNotFound) {
		t.Error(err)
	}
}

// An emptied volume: everything is refused, nothing is made in its place, and it does
// not come back.
func TestWipedVolume(t *testing.T) {
	b := newBench(t, 4)
	s, g := b.session(), segment(t, 100_000, 1)
	b.mustPut(s, g, 0)
	if _, err := b.ledgers.Accept(t.Context(), b.vault.Signed); err != nil {
		t.Fatal(err)
	}
	b.wipe()
	b.wantRefused(s, g, shardrpc.ErrPaused)
	b.wantNoVote()
	for range 3 {
		must(t, b.volume.watch(t.Context()))
	}
	b.volume.closing.Wait()
	must(t, b.volume.watch(t.Context()))
	if err := b.volume.paused(); !errors.Is(err, store.ErrPaused) {
		t.Error("it is not paused:", err)
	}
	key, cred := b.device("device", ledger.Full)
	if _, err := b.open(key.Public(), cred); !errors.Is(err, shardrpc.ErrPaused) {
		t.Error("a session is opened:", err)
	}
	if n := b.node.space(); n != 0 {
		t.Errorf("%d bytes are offered", n)
	}
	b.wantEmpty()
}

// The same without any request: the watch alone finds out.
func TestWatchNoticesWipe(t *testing.T) {
	b := newBench(t, 4)
	must(t, b.volume.watch(t.Context()))
	must(t, b.volume.paused())
	b.wipe()
	must(t, b.volume.watch(t.Context()))
	if err := b.volume.paused(); !errors.Is(err, store.ErrPaused) {
		t.Error(err)
	}
	b.volume.closing.Wait()
	b.wantEmpty()
}

// What is done while the volume goes away is not done.
func TestWipeDuringUse(t *testing.T) {
	b := newBench(t, 4)
	err := b.volume.use(t.Context(), func(*parts) error {
		b.wipe()
		return nil
	})
	if !errors.Is(err, store.ErrPaused) {
		t.Error(err)
	}
	if err := b.volume.paused(); !errors.Is(err, store.ErrPaused) {
		t.Error("it is not paused:", err)
	}
	b.volume.closing.Wait()
	b.wantEmpty()
}

// A volume in the place of the node's that belongs to another vote key is not used.
func TestForeignVolume(t *testing.T) {
	b := newBench(t, 4)
	b.wipe()
	must(t, b.volume.watch(t.Context()))
	b.volume.closing.Wait()
	m := disk.Marker{Volume: disk.VolumeID{2}, Node: b.me.Node.Public(), Vote: ledgertest.Key("other vote").Public(), Created: 1}
	must(t, disk.Create(b.dir(), m))
	must(t, b.volume.watch(t.Context()))
	if err := b.volume.paused(); !errors.Is(err, store.ErrPaused) {
		t.Error(err)
	}
}

// A volume that was away, with everything on it, is used again.
func TestVolumeComesBack(t *testing.T) {
	b := newBench(t, 4)
	s, g := b.session(), segment(t, 100_000, 1)
	b.mustPut(s, g, 0)
	away := b.dir() + ".away"
	must(t, os.Rename(b.dir(), away))
	b.wantRefused(s, g, shardrpc.ErrPaused)
	b.volume.closing.Wait()
	if _, err := os.Lstat(b.dir()); !errors.Is(err, os.ErrNotExist) {
		t.Fatal("the folder was made again:", err)
	}
	must(t, os.Rename(away, b.dir()))
	must(t, b.volume.watch(t.Context()))
	must(t, b.volume.paused())
	if p, err := readAll(s, g, 0); err != nil || !bytes.Equal(p, g.Rows[0]) {
		t.Errorf("%d bytes, %v", len(p), err)
	}
	if _, err := receipt(t, b, s, nonce, ref(g, 0)); err != nil {
		t.Error(err)
	}
}

// A put whose stream is open when the volume goes away ends, and is refused.
func TestPutUnderWipe(t *testing.T) {
	b := newBench(t, 4)
	s, g := b.session(), segment(t, 3<<20, 1)
	reading, wiped := make(chan struct{}), make(chan struct{})
	row, first := bytes.NewReader(g.Rows[0]), true
	slow := readerFunc(func(p []byte) (int, error) {
		if first {
			first = false
			close(reading)
			<-wiped
		}
		return row.Read(p[:min(len(p), 1000)])
	})
	result := make(chan error, 1)
	go func() { result <- s.Put(t.Context(), nonce, 0, g.Descriptor, slow) }()
	<-reading
	b.wipe()
	must(t, b.volume.watch(t.Context()))
	close(wiped)
	if err := <-result; !errors.Is(err, shardrpc.ErrPaused) {
		t.Error(err)
	}
	b.volume.closing.Wait()
	b.wantEmpty()
}

// A node that starts without its volume is paused until the volume is there.
func TestStartWithoutVolume(t *testing.T) {
	b := newBench(t, 4)
	must(t, b.volume.close())
	away := b.dir() + ".away"
	must(t, os.Rename(b.dir(), away))
	v, err := newVolume(t.Context(), b.node.log, b.node.openParts)
	must(t, err)
	defer func() { must(t, v.close()) }()
	if err := v.use(t.Context(), func(*parts) error { return nil }); !errors.Is(err, store.ErrPaused) {
		t.Error(err)
	}
	must(t, os.Rename(away, b.dir()))
	must(t, v.watch(t.Context()))
	must(t, v.use(t.Context(), func(*parts) error { return nil }))
}

// A volume that another process has open is an error at the start.
func TestStartWithVolumeInUse(t *testing.T) {
	b := newBench(t, 4)
	if _, err := newVolume(t.Context(), b.node.log, b.node.openParts); !errors.Is(err, disk.ErrInUse) {
		t.Error(err)
	}
}

// The book and the shelf agree again after a crash that came between them.
func TestReconcile(t *testing.T) {
	b := newBench(t, 4)
	s, g := b.session(), segment(t, 100_000, 1)
	p := b.parts()
	kept := b.mustPut(s, g, 0)
	lost := b.mustPut(s, g, 1)
	must(t, p.shelf.Remove(t.Context(), lost))
	unknown := g.Key(b.vault.ID(), 2)
	must(t, p.shelf.Put(t.Context(), unknown, g.Descriptor, bytes.NewReader(g.Rows[2])))
	must(t, p.reconcile(t.Context()))
	if _, known := b.record(lost); known {
		t.Error("a shard that is gone is in the book")
	}
	if r, known := b.record(kept); !known || r.Device != s.peer {
		t.Errorf("%+v, %v", r, known)
	}
	r, known := b.record(unknown)
	if !known || !r.Device.IsZero() || r.Size != int64(len(g.Rows[2])) || r.Until != p.book.holdUntil() {
		t.Errorf("%+v, %v", r, known)
	}
	if !p.book.hasCharter(b.vault.ID()) {
		t.Error("the charter is gone")
	}
}

// What the operator offers, and what is really there.
func TestInfo(t *testing.T) {
	b := newBench(t, 4)
	info, err := b.session().Info(t.Context())
	must(t, err)
	if info.Capacity != benchCapacity || info.Free > benchCapacity || info.Free < 1 || info.Network != ledgertest.Network || !info.Clock.Equal(b.clock.now()) {
		t.Errorf("%+v", info)
	}
	if n := freeSpace(b.dir(), store.Usage{Capacity: 1 << 62}); n != freeOnDisk(b.dir())-spared || n > 1<<60 {
		t.Errorf("%d free of a disk that offers less", n)
	}
	if n := freeSpace(filepath.Join(b.dir(), "not there"), store.Usage{Capacity: 10, Used: 20}); n != 0 {
		t.Errorf("%d free of a full volume", n)
	}
}

// Whoever loses the ledgers alone has lost his votes as well: the volume is paused,
// and no new ledger is made.
func TestLostLedger(t *testing.T) {
	b := newBench(t, 4)
	if _, err := b.ledgers.Accept(t.Context(), b.vault.Signed); err != nil {
		t.Fatal(err)
	}
	must(t, b.volume.close())
	ledgers := filepath.Join(b.dir(), ledgerName)
	must(t, os.RemoveAll(ledgers))
	for _, folder := range []bool{false, true} {
		v, err := newVolume(t.Context(), b.node.log, b.node.openParts)
		must(t, err)
		if err := v.paused(); !errors.Is(err, store.ErrPaused) {
			t.Errorf("an empty folder %v: %v", folder, err)
		}
		must(t, v.close())
		if left, err := os.ReadDir(ledgers); len(left) > 0 {
			t.Errorf("made: %v, %v", left, err)
		}
		must(t, os.MkdirAll(ledgers, 0o700))
	}
}

// Whoever loses the ledgers' database serves what the files prove, and votes no more.
func TestLostDatabase(t *testing.T) {
	b := newBench(t, 4)
	if _, err := b.ledgers.Accept(t.Context(), b.vault.Signed); err != nil {
		t.Fatal(err)
	}
	must(t, b.volume.close())
	found, err := filepath.Glob(filepath.Join(b.dir(), ledgerName, "*.db"))
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	must(t, os.Remove(found[0]))
	v, err := newVolume(t.Context(), b.node.log, b.node.openParts)
	must(t, err)
	defer func() { must(t, v.close()) }()
	b.ledgers.volume = v
	if charters, err := b.ledgers.Charters(t.Context(), b.vault.ID()); err != nil || len(charters) != 1 {
		t.Error(charters, err)
	}
	if _, err := b.ledgers.Heads(t.Context(), b.vault.ID(), nonce); !errors.Is(err, ledgerrpc.ErrForgotten) {
		t.Error("it signs:", err)
	}
}
