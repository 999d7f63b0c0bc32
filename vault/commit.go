package vault

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
	"holdfast/p2p"
	"holdfast/p2p/shardrpc"
	"holdfast/seal"
	"holdfast/vault/index"
	"holdfast/vault/object"
	"holdfast/vault/snapshot"
)

// commit is a backup under way: one entry after another, of which all but the last
// are checkpoints. One goroutine reads the sources; another one, which is the only
// one to use the session then, makes the entries.
type commit struct {
	*Session
	job      Backup
	archiver *snapshot.Archiver
	writer   *object.Writer
	end      func() // of the context that the writer works in
	growth   growth
	common   snapshot.Snapshot  // what all snapshots of this run share
	open     *round             // of the entry that is being filled
	before   numbered           // what the lane has introduced so far
	own      int                // of it, the segments of this run's checkpoints
	thin     map[ident.CID]bool // earlier segments that lack shards and can be had whole now
	reused   []index.Segment    // earlier segments that the snapshot refers to
	seen     usedSegments
	last     ident.CID // the newest checkpoint of this run
}

// round is what one entry is made with: a nonce, and the nodes that were up when it
// was begun.
type round struct {
	*Session
	nonce  shardrpc.Nonce
	found  []p2p.Node
	nodes  map[ident.PublicKey]nodeOf
	placer *placer
	next   object.Next
}

// nodeOf is what a commit has to know of a holder.
type nodeOf struct {
	cert   ledger.NodeCertificate
	signed ident.Signed
}

// newCommit begins a commit on nodes that are up. Work is the context for what
// stores: it outlives ctx for a short while.
func (s *Session) newCommit(ctx context.Context, b Backup) (c *commit, work context.Context, err error) {
	nodes, err := s.findNodes(ctx)
	if err != nil {
		return nil, nil, err
	}
	c = &commit{Session: s, job: b.withDefaults()}
	c.growth.limit, c.growth.due = c.job.CheckpointBytes, make(chan struct{}, 1)
	if c.open, err = s.newRound(nodes); err != nil {
		return nil, nil, err
	}
	if c.common, err = s.describe(b); err != nil {
		return nil, nil, err
	}
	if err := c.loadOwn(ctx); err != nil {
		return nil, nil, err
	}
	c.findThin()
	recipient, err := seal.ParseRecipient(s.charter.Recipient)
	if err != nil {
		return nil, nil, err
	}
	work, c.end = c.outlive(ctx)
	c.writer, err = object.NewWriter(work, object.WriterConfig{
		Code: s.charter.Coded(), Keys: s.profile.Keys, Recipient: recipient, Index: s.profile.Index.Recipient(),
		Nonce: c.open.nonce, Placer: c.open.next.Placer, Holder: s.holder, Known: c.known,
		CheckReceipt: c.open.checkReceipt, Counters: b.Count, Enough: s.enough(), Stored: c.growth.add,
	})
	if err != nil {
		c.end()
		return nil, nil, err
	}
	c.archiver = &snapshot.Archiver{Sink: sink{c.writer}, Options: b.Archive}
	return c, work, nil
}

// close ends the commit, however far it got.
func (c *commit) close() {
	c.writer.Abort()
	c.end()
}

func (s *Session) newRound(nodes []p2p.Node) (*round, error) {
	r := &round{Session: s, found: nodes, nodes: map[ident.PublicKey]nodeOf{}}
	if _, err := rand.Read(r.nonce[:]); err != nil {
		return nil, err
	}
	for _, n := range nodes {
		r.nodes[n.Certificate.Node] = nodeOf{n.Certificate, n.Signed}
	}
	r.placer = s.newPlacer(r.nonce, nodes)
	r.next = object.Next{Nonce: r.nonce, Placer: r.placer, CheckReceipt: r.checkReceipt}
	return r, nil
}

// checkReceipt judges a holder's receipt as the members will.
func (r *round) checkReceipt(node ident.PublicKey, signed ident.Signed, refs []shardrpc.Ref) error {
	n, ok := r.nodes[node]
	if !ok {
		return fmt.Errorf("receipt of node %s: no certificate", node.Short())
	}
	v, err := ledger.VerifyReceipt(signed, n.cert.Vote, r.vault)
	if err != nil {
		return err
	}
	if v.Node != node || v.Device != r.lane() || v.Nonce != r.nonce || v.Charter != r.charter.CID() || len(v.Shards) != len(refs) {
		return fmt.Errorf("receipt of node %s: %w: it is for something else", node.Short(), ledger.ErrMismatch)
	}
	return nil
}

// part is what can be finished into one entry's segments: a writer, or a checkpoint
// that was cut off from it.
type part interface {
	Stats() object.Stats
	Finish(ctx context.Context, sealedSnapshot []byte) (object.Commit, error)
}

// prepared is a commit whose shards are all on disk, with the entry that names them.
type prepared struct {
	snap    snapshot.Snapshot
	entry   ledger.Entry
	body    ledger.SnapshotBody
	encoded []byte
	done    object.Commit
}

// finish makes the last entry, which is the snapshot.
func (c *commit) finish(ctx context.Context, snap snapshot.Snapshot) (Result, error) {
	introduced, err := c.writer.Flush(ctx)
	if err != nil {
		return Result{}, err
	}
	p, err := c.prepare(ctx, c.open, c.writer, snap, introduced+1)
	if err != nil {
		return Result{}, err
	}
	final, err := c.append(ctx, c.profile.Device, p.entry, p.encoded)
	if err != nil {
		return Result{}, err
	}
	r := Result{Final: final, Snapshot: p.snap, Durability: c.durability(c.open, p.done), Law: c.open.law(placedAt(p.done)), Segments: c.own + len(p.done.Segments)}
	return r, c.takeOwn(final.Link, p.body, p.done)
}

// placedAt lists who holds the shards of each segment of a commit.
func placedAt(done object.Commit) (out [][]ident.PublicKey) {
	for _, seg := range done.Segments {
		out = append(out, seg.Nodes)
	}
	return out
}

// prepare makes the snapshot, places the metadata segment and collects the receipts.
// Introduced is the number of new segments, the metadata segment included. The order
// is a MUST: data segments, metadata segment, entry.
func (c *commit) prepare(ctx context.Context, r *round, w part, snap snapshot.Snapshot, introduced int) (prepared, error) {
	snap.End = snapshot.TimeOf(c.options.Now())
	st := w.Stats()
	snap.Stats.Added, snap.Stats.Stored = st.Added, st.Stored
	refs, err := c.refs(ctx, introduced)
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
	done, err := w.Finish(ctx, sealed)
	if err != nil {
		return prepared{}, err
	}
	body, err := r.body(done, sealed, refs)
	if err != nil {
		return prepared{}, err
	}
	body.Partial = snap.Partial
	encoded, err := body.Encode()
	if err != nil {
		return prepared{}, err
	}
	return prepared{snap, ledger.Entry{Kind: ledger.KindSnapshot, Source: c.source()}, body, encoded, done}, nil
}

func (c *commit) source() [16]byte {
	return snapshot.SourceID(c.profile.Keys, c.common.Host, texts(c.common.Paths))
}

func texts(paths [][]byte) []string {
	var out []string
	for _, p := range paths {
		out = append(out, string(p))
	}
	return out
}

// refs is the reference set: every segment that this snapshot introduces, those of
// the run's checkpoints, and those of earlier commits that hold its chunks, with the
// metadata segments that list them. A checkpoint's may hold some more: what is used
// by files that are not finished.
func (c *commit) refs(ctx context.Context, introduced int) (ledger.Raw, error) {
	used := c.seen.all()
	metas := map[ident.CID]bool{}
	for _, seg := range c.before.segments {
		if used[seg.CID] {
			metas[c.before.metas[seg.Entry]] = true
		}
	}
	maps.Copy(used, metas)
	c.reused = nil
	var numbers []int64
	for _, seg := range c.before.segments {
		if used[seg.CID] {
			c.reused = append(c.reused, seg)
			numbers = append(numbers, seg.Number)
		}
	}
	first := int64(len(c.before.segments))
	for i := range introduced {
		numbers = append(numbers, first+int64(i))
	}
	set := ledger.Set{Lane: c.lane()}.With(c.lane(), ident.CID{}, ledger.NewSpans(numbers...))
	return encodeSet(set, func() ledger.Set {
		base, err := c.newestSet(ctx, c.lane())
		if err != nil {
			c.options.Log.Debug("the reference set is written in full", "error", err)
		}
		return base
	})
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
func (r *round) body(done object.Commit, sealed []byte, refs ledger.Raw) (ledger.SnapshotBody, error) {
	b := ledger.SnapshotBody{V: 1, Nonce: r.nonce, Sealed: sealed, Refs: refs}
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
				b.Holders = append(b.Holders, r.nodes[node].signed)
				b.Receipts = append(b.Receipts, done.Receipts[node])
			}
			n.Placement[shard] = row
		}
		b.Segments = append(b.Segments, n)
	}
	return b, nil
}

// takeOwn enters the commit into the local index, behind the answer: after settle its
// chunks are known. The index is a cache: the entry counts whether or not this succeeds.
func (c *commit) takeOwn(l Link, b ledger.SnapshotBody, done object.Commit) error {
	segs, err := c.segmentsOf(l, b, int64(len(c.before.segments)))
	if err != nil {
		return err
	}
	c.history.introduce(l.CID, segs)
	c.later.do(func() error { return c.index.AddOwn(l.CID, c.lane(), segs, done.Index) })
	c.before.segments = append(c.before.segments, segs...)
	c.before.metas[l.CID] = segs[len(segs)-1].CID
	for _, seg := range segs {
		c.seen.add(seg.CID)
	}
	c.own += len(segs)
	return nil
}
