package vault

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"holdfast/erasure"
	"holdfast/internal/armour"
	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p/shardrpc"
	"holdfast/seal"
	"holdfast/vault/object"
	"holdfast/vault/snapshot"
)

// joinAs makes a second machine a device of the vault, without a file between them.
func (m interrupted) joinAs(t *testing.T, e seal.Entropy, name string, r ledger.Rights) interrupted {
	t.Helper()
	other := m
	other.home = Home{Dir: t.TempDir(), Cache: t.TempDir()}
	text, _, err := other.home.Request("shop", name, m.opts)
	if err != nil {
		t.Fatal(err)
	}
	var signed ident.Signed
	if err := armour.Decode(labelRequest, text, &signed); err != nil {
		t.Fatal(err)
	}
	request, err := ledger.VerifyJoinRequest(signed)
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.home.Open(t.Context(), "shop", m.opts)
	if err != nil {
		t.Fatal(err)
	}
	invite, _, err := s.AddDevice(t.Context(), e, NewDevice{Request: request, Rights: r})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := other.home.Join(t.Context(), Join{Invite: invite, Options: m.opts}); err != nil {
		t.Fatal(err)
	}
	return other
}

// forger is a stolen device's part of a commit: its metadata segment lists, under the
// names of chunks that others will store, places that hold something else.
type forger struct {
	t    *testing.T
	s    *Session
	c    *commit
	want []seal.Row // what others will store, of either kind
}

func (f *forger) Stats() object.Stats { return f.c.writer.Stats() }

// Finish has the true writer place its segments, and puts a forged metadata segment in
// the place of the true one.
func (f *forger) Finish(ctx context.Context, sealed []byte) (object.Commit, error) {
	done, err := f.c.writer.Finish(ctx, sealed)
	if err != nil {
		return done, err
	}
	done.Index = f.forge(done.Index)
	meta := f.meta(done.Index, sealed)
	id, descriptor, rows := f.rows(meta)
	last := &done.Segments[len(done.Segments)-1]
	last.CID, last.Descriptor = id, descriptor
	for i, node := range last.Nodes {
		if err := f.s.holder(node).Put(ctx, f.c.open.nonce, i, descriptor, rows[i]); err != nil {
			return done, err
		}
	}
	for node := range done.Receipts {
		if done.Receipts[node], err = f.s.holder(node).Receipt(ctx, f.c.open.nonce, held(done.Segments, node)); err != nil {
			return done, err
		}
	}
	return done, nil
}

// forge gives the rows of the data segments the names that others will use.
func (f *forger) forge(x seal.Index) seal.Index {
	x.Segments = x.Segments[:len(x.Segments)-1] // without the tree part
	x.Chunks = slices.DeleteFunc(slices.Clone(x.Chunks), func(c seal.IndexChunk) bool { return int(c.Segment) >= len(x.Segments) })
	if len(x.Chunks) < len(f.want) {
		f.t.Fatalf("%d chunks to claim %d with", len(x.Chunks), len(f.want))
	}
	for i, w := range f.want {
		x.Chunks[i].ID, x.Chunks[i].Kind = w.ID, w.Kind
	}
	return x
}

// meta makes A || B || C || trailer, with an empty A.
func (f *forger) meta(x seal.Index, sealed []byte) []byte {
	f.t.Helper()
	recipient, err := seal.ParseRecipient(f.s.charter.Recipient)
	if err != nil {
		f.t.Fatal(err)
	}
	var a bytes.Buffer
	w, err := seal.NewSectionWriter(&a, 1<<20, recipient)
	if err == nil {
		_, err = w.Close(false)
	}
	if err != nil {
		f.t.Fatal(err)
	}
	plain, err := x.Encode()
	if err != nil {
		f.t.Fatal(err)
	}
	b, err := seal.SealBytes(plain, recipient, f.s.profile.Index.Recipient())
	if err != nil {
		f.t.Fatal(err)
	}
	p := slices.Concat(a.Bytes(), b, sealed)
	return seal.AppendTrailer(p, int64(a.Len()), int64(len(b)), int64(len(sealed)))
}

// rows codes a segment.
func (f *forger) rows(sealed []byte) (ident.CID, []byte, [][]byte) {
	f.t.Helper()
	code := f.s.charter.Coded()
	coder, err := erasure.NewCoder(code)
	if err != nil {
		f.t.Fatal(err)
	}
	parity := make([][]byte, code.N-code.K)
	for i := range parity {
		parity[i] = make([]byte, code.RowSize(int64(len(sealed))))
	}
	rows, err := coder.Encode(slices.Grow(sealed, code.K), parity)
	if err != nil {
		f.t.Fatal(err)
	}
	d, err := coder.Describe(rows, int64(len(sealed)))
	if err != nil {
		f.t.Fatal(err)
	}
	descriptor := d.Encode()
	return ident.SumDagCBOR(descriptor), descriptor, rows
}

// held lists a node's shards of a commit, sorted.
func held(segments []object.CommitSegment, node ident.PublicKey) []shardrpc.Ref {
	var refs []shardrpc.Ref
	for _, s := range segments {
		for i, n := range s.Nodes {
			if n == node {
				refs = append(refs, shardrpc.Ref{Segment: s.CID, Index: i})
			}
		}
	}
	return refs
}

// namesOf returns the names under which a device would store a stream: what a thief
// of another device can find out, because it knows the dedup keys.
func namesOf(t *testing.T, s *Session, name string, data []byte) []seal.Row {
	t.Helper()
	c, _, err := s.newCommit(t.Context(), Backup{Name: name, Stream: bytes.NewReader(data), Program: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	if _, _, err := c.archive(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.writer.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	done, err := c.writer.Finish(t.Context(), []byte("no snapshot"))
	if err != nil {
		t.Fatal(err)
	}
	var rows []seal.Row
	for _, x := range done.Index.Chunks {
		rows = append(rows, x.Row)
	}
	return rows
}

// commitForged makes an entry of a forged commit.
func commitForged(t *testing.T, s *Session, want []seal.Row) Link {
	t.Helper()
	garbage := bytesOf(99, 12<<20)
	c, work, err := s.newCommit(t.Context(), Backup{Name: "garbage", Stream: bytes.NewReader(garbage), Program: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	snap, _, err := c.archive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	introduced, err := c.writer.Flush(work)
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.prepare(work, c.open, &forger{t: t, s: s, c: c, want: want}, snap, introduced+1)
	if err != nil {
		t.Fatal(err)
	}
	final, err := c.append(t.Context(), s.profile.Device, p.entry, p.encoded)
	if err != nil {
		t.Fatal(err)
	}
	s.settle()
	return final.Link
}

func bytesOf(seed uint64, n int) []byte {
	random := rand.New(rand.NewPCG(seed, 1))
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(random.Uint32())
	}
	return p
}

// TestForgedIndex: a stolen device with append rights claims, through real nodes and a
// quorum of members, the names of chunks that another device is about to store, data
// and directories. The other device sends them all the same, everybody reads the true
// ones, and a check names the lane that lied.
func TestForgedIndex(t *testing.T) {
	m, entropy := newOwned(t)
	stolen := m.joinAs(t, entropy, "stolen", ledger.Append)
	data := bytesOf(7, 5<<20)
	thief := stolen.begin(t)
	want := namesOf(t, thief, "database", data)
	if trees := slices.ContainsFunc(want, func(r seal.Row) bool { return r.Kind == seal.KindTree }); !trees || len(want) < 4 {
		t.Fatalf("%d names, directories among them: %v", len(want), trees)
	}
	forged := commitForged(t, thief, want)
	thief.Close()

	s := m.begin(t)
	if err := s.checkLoaded(t.Context(), forged.Entry.Lane); err != nil { // the victim has taken the forged index in
		t.Fatal(err)
	}
	r, err := s.Backup(t.Context(), Backup{Name: "database", Stream: bytes.NewReader(data), Program: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if r.Snapshot.Stats.Added < int64(len(data)) {
		t.Errorf("%d bytes were sent of %d: the device relies on what another one claims", r.Snapshot.Stats.Added, len(data))
	}
	s.Close()

	var mu sync.Mutex
	var warned []string
	reader := m.joinAs(t, entropy, "reader", ledger.Read)
	reader.opts.Warn = func(text string) {
		mu.Lock()
		defer mu.Unlock()
		warned = append(warned, text)
	}
	checkRestored(t, reader, r, data)
	mu.Lock()
	defer mu.Unlock()
	if !slices.ContainsFunc(warned, func(text string) bool { return strings.Contains(text, forged.Entry.Lane.Short()) }) {
		t.Errorf("nobody was told which lane lies: %q", warned)
	}
	if slices.ContainsFunc(warned, func(text string) bool { return strings.Contains(text, r.Final.Link.Entry.Lane.Short()) }) {
		t.Errorf("the true lane is accused: %q", warned)
	}
}

// checkLoaded takes a lane's index in as a reader does.
func (s *Session) checkLoaded(ctx context.Context, lane ident.PublicKey) error {
	r := s.reader(nil)
	defer r.Close()
	_, missing, err := s.loadIndex(ctx, r, lane, s.history.height(lane))
	return errors.Join(missing, err)
}

// checkRestored reads a stream back, all lanes' claims known, and checks the vault.
func checkRestored(t *testing.T, m interrupted, want Result, data []byte) {
	t.Helper()
	s, err := m.home.Open(t.Context(), "shop", m.opts)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	// The newest claim is tried first: the forged ones come last.
	for _, lane := range append([]ident.PublicKey{want.Final.Link.Entry.Lane}, s.lanesOf()...) {
		if err := s.checkLoaded(t.Context(), lane); err != nil {
			t.Fatal(err)
		}
	}
	snap, err := s.Resolve(t.Context(), want.ID(), Filter{})
	if err != nil {
		t.Fatal(err)
	}
	v, err := s.Read(t.Context(), snap, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	var back bytes.Buffer
	if err := snapshot.Dump(t.Context(), v, snap.Info.Root, "/database", &back); err != nil || !bytes.Equal(back.Bytes(), data) {
		t.Errorf("%d bytes came back: %v", back.Len(), err)
	}
	h, err := s.Check(t.Context(), CheckOptions{Trees: true, ReadData: 1})
	if err != nil {
		t.Fatal(err)
	}
	if h.Missing != 0 || len(h.Bad) != 0 || h.Safe() {
		t.Errorf("missing %d, bad %d, safe %v", h.Missing, len(h.Bad), h.Safe())
	}
	if len(h.False) != 1 || h.False[0].Name != "stolen" || h.False[0].Chunks < 4 {
		t.Errorf("false claims: %+v", h.False)
	}
}

// newOwned is newInterrupted with the words.
func newOwned(t *testing.T) (interrupted, seal.Entropy) {
	t.Helper()
	var entropy seal.Entropy
	m := newMachine(t, func(k Kit) error { entropy = k.Entropy; return nil })
	return m, entropy
}
