package vault

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
	"holdfast/p2p/shardrpc"
	"holdfast/seal"
	"holdfast/vault/index"
	"holdfast/vault/object"
	"holdfast/vault/snapshot"
)

// Backup says what to back up and how to call it.
type Backup struct {
	Paths []string // for files and folders

	Name   string    // for a stream: the file that it becomes
	Stream io.Reader // nil for paths

	Host    string // os.Hostname if empty
	Tags    []string
	Object  bool // `put`: Stream is an object, named by the CID of its plaintext
	Program string
	Force   bool // read all files, also those that seem unchanged since the last snapshot
	Archive snapshot.ArchiveOptions
	Count   *object.Counters // for progress bars; may be nil
}

// Result is what an acknowledged backup is. Whoever holds one holds a promise: a
// quorum has the certificate, and the shards are on disk.
type Result struct {
	Final      Final
	Snapshot   snapshot.Snapshot
	Unread     []snapshot.Unread
	Durability Durability
	Segments   int
}

// ID is the snapshot's name.
func (r Result) ID() string { return r.Final.Link.CID.Hex() }

// Complete reports whether all shards are placed and all members have the
// certificate.
func (r Result) Complete() bool { return r.Durability.Missing == 0 && r.Final.OnAll() }

// Begin prepares this device to add: one writer on this machine, a view of the
// ledger that is up to date, and no loose end of an interrupted run.
func (s *Session) Begin(ctx context.Context) (Standing, error) {
	if r := s.Rights(); !r.CanAppend() {
		return Standing{}, fmt.Errorf("%w: its grant says %q", ErrNoRight, r)
	}
	if s.unlock == nil {
		unlock, err := s.home.lock(s.profile.Name)
		if err != nil {
			return Standing{}, err
		}
		s.unlock = unlock
	}
	s.lookAhead()
	st, err := s.Sync(ctx)
	if err != nil {
		return st, err
	}
	if s.history.gone[s.lane()] {
		return st, fmt.Errorf("%w: it was revoked", ErrNoRight)
	}
	return st, s.resume(ctx)
}

// commit is a backup under way.
type commit struct {
	*Session
	writer *object.Writer
	nonce  shardrpc.Nonce
	before numbered           // what the lane has introduced so far
	thin   map[ident.CID]bool // earlier segments that lack shards and can be had whole now
	reused []index.Segment    // earlier segments that the snapshot refers to
	seen   usedSegments
	nodes  map[ident.PublicKey]nodeOf
}

// nodeOf is what a commit has to know of a holder.
type nodeOf struct {
	cert   ledger.NodeCertificate
	signed ident.Signed
}

// Backup stores files or a stream and returns when a quorum has the certificate.
// Begin has to be called before. On any error nothing new is visible: a draft
// that was kept is finished by the next run, and other shards are let go.
func (s *Session) Backup(ctx context.Context, b Backup) (Result, error) {
	c, err := s.newCommit(ctx, b.Count)
	if err != nil {
		return Result{}, err
	}
	defer c.writer.Abort()
	snap, unread, err := c.archive(ctx, b)
	if err != nil {
		return Result{}, err
	}
	introduced, err := c.writer.Flush(ctx)
	if err != nil {
		return Result{}, err
	}
	snap.End = snapshot.TimeOf(s.options.Now())
	r, err := c.finish(ctx, snap, introduced+1)
	r.Unread = unread
	return r, err
}

// newCommit begins a commit on nodes that are up.
func (s *Session) newCommit(ctx context.Context, count *object.Counters) (*commit, error) {
	nodes, err := s.findNodes(ctx)
	if err != nil {
		return nil, err
	}
	c := &commit{Session: s, nodes: map[ident.PublicKey]nodeOf{}}
	if _, err := rand.Read(c.nonce[:]); err != nil {
		return nil, err
	}
	for _, n := range nodes {
		c.nodes[n.Certificate.Node] = nodeOf{n.Certificate, n.Signed}
	}
	if err := c.loadOwn(ctx); err != nil {
		return nil, err
	}
	c.findThin()
	recipient, err := seal.ParseRecipient(s.charter.Recipient)
	if err != nil {
		return nil, err
	}
	c.writer, err = object.NewWriter(ctx, object.WriterConfig{
		Code: s.charter.Coded(), Keys: s.profile.Keys, Recipient: recipient, Index: s.profile.Index.Recipient(),
		Nonce: c.nonce, Placer: s.newPlacer(c.nonce, nodes), Holder: s.holder, Known: c.known,
		CheckReceipt: c.checkReceipt, Counters: count, Enough: s.enough(),
	})
	return c, err
}

// checkReceipt judges a holder's receipt as the members will.
func (c *commit) checkReceipt(node ident.PublicKey, signed ident.Signed, refs []shardrpc.Ref) error {
	n, ok := c.nodes[node]
	if !ok {
		return fmt.Errorf("receipt of node %s: no certificate", node.Short())
	}
	r, err := ledger.VerifyReceipt(signed, n.cert.Vote, c.vault)
	if err != nil {
		return err
	}
	if r.Node != node || r.Device != c.lane() || r.Nonce != c.nonce || r.Charter != c.charter.CID() || len(r.Shards) != len(refs) {
		return fmt.Errorf("receipt of node %s: %w: it is for something else", node.Short(), ledger.ErrMismatch)
	}
	return nil
}

// sink lets an archiver write into the commit.
type sink struct{ w *object.Writer }

func (k sink) File(ctx context.Context, r io.Reader) (snapshot.Content, error) {
	c, err := k.w.File(ctx, r)
	return snapshot.Content(c), err
}

func (k sink) Tree(ctx context.Context, p []byte) (seal.ChunkID, error) { return k.w.Tree(ctx, p) }

// archive reads the sources into the commit.
func (c *commit) archive(ctx context.Context, b Backup) (snapshot.Snapshot, []snapshot.Unread, error) {
	snap := snapshot.Snapshot{
		Vault: c.vault, Lane: c.lane(), Host: b.Host, Tags: b.Tags, Program: b.Program,
		Time: snapshot.TimeOf(c.options.Now()),
	}
	if snap.Host == "" {
		snap.Host, _ = os.Hostname()
	}
	if u, err := user.Current(); err == nil {
		snap.User = u.Username
	}
	a := snapshot.Archiver{Sink: sink{c.writer}, Options: b.Archive}
	if b.Stream != nil {
		return c.stream(ctx, &a, b, snap)
	}
	paths, err := snapshot.AbsolutePaths(b.Paths)
	if err != nil {
		return snap, nil, err
	}
	for _, p := range paths {
		snap.Paths = append(snap.Paths, []byte(p))
	}
	if !b.Force {
		done, err := c.comparePrevious(ctx, &a, snap)
		if err != nil {
			return snap, nil, err
		}
		defer done()
	}
	var unread []snapshot.Unread
	snap.Root, snap.Stats, unread, err = a.Paths(ctx, paths)
	snap.Unread = unread
	return snap, unread, err
}

func (c *commit) stream(ctx context.Context, a *snapshot.Archiver, b Backup, snap snapshot.Snapshot) (snapshot.Snapshot, []snapshot.Unread, error) {
	r, sum := b.Stream, newPlainSum(b.Object)
	var err error
	snap.Root, snap.Stats, err = a.Stream(ctx, b.Name, io.TeeReader(r, sum))
	snap.Paths = [][]byte{[]byte("/" + b.Name)}
	if b.Object && err == nil {
		snap.Object = sum.CID()
	}
	return snap, nil, err
}

// prepared is a commit whose shards are all on disk, with the entry that names them.
type prepared struct {
	snap    snapshot.Snapshot
	entry   ledger.Entry
	body    ledger.SnapshotBody
	encoded []byte
	done    object.Commit
}

// finish makes the snapshot, the metadata segment and the entry. Introduced is the
// number of new segments, the metadata segment included.
func (c *commit) finish(ctx context.Context, snap snapshot.Snapshot, introduced int) (Result, error) {
	p, err := c.prepare(ctx, snap, introduced)
	if err != nil {
		return Result{}, err
	}
	final, err := c.append(ctx, c.profile.Device, p.entry, p.encoded)
	if err != nil {
		return Result{}, err
	}
	r := Result{Final: final, Snapshot: p.snap, Durability: c.durability(p.done), Segments: len(p.done.Segments)}
	return r, c.takeOwn(final.Link, p.body, p.done)
}

// prepare places the metadata segment and collects the receipts. The order is a
// MUST: data segments, metadata segment, entry.
func (c *commit) prepare(ctx context.Context, snap snapshot.Snapshot, introduced int) (prepared, error) {
	st := c.writer.Stats()
	snap.Stats.Added, snap.Stats.Stored = st.Added, st.Stored
	refs, err := c.refs(introduced)
	if err != nil {
		return prepared{}, err
	}
	snap.Refs = ident.SumDagCBOR(refs)
	if head, ok := c.history.head(c.lane()); ok {
		snap.Parent = head.CID
	}
	sealed, err := c.sealSnapshot(snap)
	if err != nil {
		return prepared{}, err
	}
	done, err := c.writer.Finish(ctx, sealed)
	if err != nil {
		return prepared{}, err
	}
	body, err := c.body(done, sealed, refs)
	if err != nil {
		return prepared{}, err
	}
	encoded, err := body.Encode()
	if err != nil {
		return prepared{}, err
	}
	source := snapshot.SourceID(c.profile.Keys, snap.Host, texts(snap.Paths))
	return prepared{snap, ledger.Entry{Kind: ledger.KindSnapshot, Source: source}, body, encoded, done}, nil
}

func texts(paths [][]byte) []string {
	var out []string
	for _, p := range paths {
		out = append(out, string(p))
	}
	return out
}

// refs is the reference set: every segment that this snapshot introduces, and those
// of earlier commits that hold its chunks, with the metadata segments that list them.
func (c *commit) refs(introduced int) (ledger.Raw, error) {
	var numbers []int64
	for _, seg := range c.before.segments {
		if _, used := c.seen.ids[seg.CID]; used {
			c.reused = append(c.reused, seg)
			numbers = append(numbers, seg.Number)
			meta, ok, err := c.index.Segment(c.before.metas[seg.Entry])
			if err != nil {
				return nil, err
			}
			if ok {
				c.reused = append(c.reused, meta)
				numbers = append(numbers, meta.Number)
			}
		}
	}
	first := int64(len(c.before.segments))
	for i := range introduced {
		numbers = append(numbers, first+int64(i))
	}
	set := ledger.Set{Lane: c.lane()}.With(c.lane(), ident.CID{}, ledger.NewSpans(numbers...))
	return set.Full().Encode()
}

func (c *commit) sealSnapshot(snap snapshot.Snapshot) ([]byte, error) {
	signed, err := snapshot.SignSnapshot(c.profile.Device, snap)
	if err != nil {
		return nil, err
	}
	plain, err := wire.Encode(signed)
	if err != nil {
		return nil, err
	}
	recipient, err := seal.ParseRecipient(c.charter.Recipient)
	if err != nil {
		return nil, err
	}
	return seal.SealBytes(plain, recipient)
}

// body puts descriptors, holders and receipts together.
func (c *commit) body(done object.Commit, sealed []byte, refs ledger.Raw) (ledger.SnapshotBody, error) {
	b := ledger.SnapshotBody{V: 1, Nonce: c.nonce, Sealed: sealed, Refs: refs}
	rows := map[ident.PublicKey]byte{}
	for _, seg := range done.Segments {
		n := ledger.NewSegment{Descriptor: seg.Descriptor, Placement: make([]byte, len(seg.Nodes))}
		for shard, node := range seg.Nodes {
			if node.IsZero() {
				n.Placement[shard] = ledger.Nowhere
				continue
			}
			row, ok := rows[node]
			if !ok {
				if len(b.Holders) >= ledger.Nowhere {
					return b, errors.New("more than 255 holders in one commit")
				}
				row = byte(len(b.Holders))
				rows[node] = row
				b.Holders = append(b.Holders, c.nodes[node].signed)
				b.Receipts = append(b.Receipts, done.Receipts[node])
			}
			n.Placement[shard] = row
		}
		b.Segments = append(b.Segments, n)
	}
	return b, nil
}

// takeOwn enters the commit into the local index. The index is a cache: the entry
// counts whether or not this succeeds.
func (c *commit) takeOwn(l Link, b ledger.SnapshotBody, done object.Commit) error {
	segs, err := c.segmentsOf(l, b, int64(len(c.before.segments)))
	if err != nil {
		return err
	}
	c.history.introduce(l.CID, segs)
	c.later.do(func() error { return c.index.AddOwn(l.CID, c.lane(), segs, done.Index) })
	return nil
}
