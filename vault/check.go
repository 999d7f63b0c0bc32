package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"holdfast/internal/ident"
	"holdfast/seal"
	"holdfast/vault/index"
	"holdfast/vault/object"
	"holdfast/vault/snapshot"
)

// ErrIntegrity says that bytes were rejected.
var ErrIntegrity = errors.New("bytes do not verify")

// Health is what the nodes themselves say of all segments of a vault, now.
type Health struct {
	Segments  int
	Shards    int // that exist by the ledger
	Present   int // that their holders say, or have shown, to have
	Worst     int // shards of the segment that has fewest
	K, N      int // of that segment
	Margin    int // Worst - K: so many more shards of it may go; below 0: it is out of reach
	Operators int // so many more operators may be lost, whichever they are, and every byte stays; below 0: not now
	Unplaced  int // shards that nobody was ever given
	Lost      []string
	Bad       []BadShard
	IllCoded  []string // segments
	Read      int64    // bytes verified
	Entries   int
	Snapshots int
	Chunks    int64    // looked up, with places in segments that are there
	Missing   int64    // chunks that no segment is known to hold
	Broken    []string // snapshots whose trees cannot be walked now, and why
	False     []FalseClaims
}

// BadShard is a shard that its holder does not have, or has in another form.
type BadShard struct {
	Segment ident.CID
	Index   int
	Node    ident.PublicKey
	Name    string // of its operator, as the charter has it
	Err     error
}

// Safe reports whether nothing is missing and nothing was rejected.
func (h Health) Safe() bool {
	return h.Margin >= 0 && len(h.IllCoded) == 0 && h.Missing == 0 && len(h.Broken) == 0 && len(h.False) == 0
}

// CheckOptions say how hard to look.
type CheckOptions struct {
	ReadData float64 // which part of every shard is read and verified: 0 to 1
	Trees    bool    // walk every snapshot and look up every chunk, and open ReadData of all chunks; needs read rights
	Progress func(done, total int)
}

// maxListed bounds the lists in a Health.
const maxListed = 1000

// Check asks the nodes, and not this machine's cache, about every segment of every
// lane. Sync has to be called before.
func (s *Session) Check(ctx context.Context, o CheckOptions) (Health, error) {
	h := Health{Worst: -1}
	r := s.checkReader(ctx)
	defer r.Close()
	segs, err := s.allSegments(ctx, &h)
	if err != nil {
		return h, err
	}
	if err := s.checkSegments(ctx, r, segs, o, &h); err != nil {
		return h, err
	}
	if o.Trees {
		err = s.checkContent(ctx, o, &h)
	}
	return h, err
}

// checkContent looks into what the segments hold.
func (s *Session) checkContent(ctx context.Context, o CheckOptions, h *Health) error {
	s.accused = &accused{}
	defer func() {
		h.False = s.accused.list(s.deviceName)
		s.accused = nil
	}()
	if err := s.checkTrees(ctx, h); err != nil || o.ReadData <= 0 {
		return err
	}
	return s.checkClaims(ctx, o.ReadData)
}

// allSegments lists every segment that the ledger names and nobody has let go of.
func (s *Session) allSegments(ctx context.Context, h *Health) ([]index.Segment, error) {
	var out []index.Segment
	for _, lane := range s.lanesOf() {
		h.Entries += int(s.history.height(lane))
		n, err := s.laneSegments(ctx, lane, s.history.height(lane))
		if err != nil {
			return nil, fmt.Errorf("list segments: %w", err)
		}
		out = append(out, n.segments...)
	}
	return slices.DeleteFunc(out, func(seg index.Segment) bool { return s.releases.segments[seg.CID] }), nil
}

// checkSegments asks about many segments at once.
func (s *Session) checkSegments(ctx context.Context, r *object.Reader, segs []index.Segment, o CheckOptions, h *Health) error {
	results := make([]object.SegmentCheck, len(segs))
	atOnce := 8
	if o.ReadData > 0 {
		atOnce = 2
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	done := make(chan int, len(segs))
	for i, seg := range segs {
		g.Go(func() error {
			l, err := location(seg)
			if err != nil {
				return err
			}
			results[i], err = r.CheckShards(ctx, seg.CID, l, o.ReadData)
			done <- i
			if o.Progress != nil && err == nil {
				o.Progress(len(done), len(segs))
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i, seg := range segs {
		s.judge(seg, results[i], h)
	}
	return nil
}

// judge takes one segment's result into the health of all.
func (s *Session) judge(seg index.Segment, c object.SegmentCheck, h *Health) {
	l, err := location(seg)
	if err != nil {
		return
	}
	k, good := int(l.Descriptor.K), 0
	held := map[ident.PublicKey]int{}
	for _, sh := range c.Shards {
		h.Shards++
		h.Read += sh.Verified
		switch {
		case sh.Err == nil:
			good++
			held[s.operatorOf(sh.Node)]++
		case sh.Node.IsZero():
			h.Unplaced++
		case len(h.Bad) < maxListed:
			h.Bad = append(h.Bad, BadShard{seg.CID, sh.Index, sh.Node, s.nameOf(sh.Node), sh.Err})
		}
	}
	h.Segments++
	h.Present += good
	if c.IllCoded {
		h.IllCoded = append(h.IllCoded, seg.CID.String())
	}
	if margin := good - k; h.Worst < 0 || margin < h.Margin {
		h.Worst, h.K, h.N, h.Margin = good, k, int(l.Descriptor.N), margin
	}
	if may := mayLose(held, k); h.Segments == 1 || may < h.Operators {
		h.Operators = may
	}
	if good < k && len(h.Lost) < maxListed {
		h.Lost = append(h.Lost, seg.CID.String())
	}
}

// mayLose returns how many operators, whichever they are, may be lost while k shards
// stay; -1 if there are fewer than k now.
func mayLose(held map[ident.PublicKey]int, k int) int {
	var counts []int
	left := 0
	for _, n := range held {
		counts = append(counts, n)
		left += n
	}
	slices.SortFunc(counts, func(a, b int) int { return b - a })
	may := -1
	for i := 0; left >= k; i++ {
		may++
		if i == len(counts) {
			break
		}
		left -= counts[i]
	}
	return may
}

// checkTrees walks every snapshot and looks up every chunk of every file.
func (s *Session) checkTrees(ctx context.Context, h *Health) error {
	all, err := s.Snapshots(ctx, Filter{Objects: true})
	if err != nil {
		return err
	}
	for _, snap := range all {
		err := s.checkTree(ctx, snap, h)
		if ctx.Err() != nil {
			return err
		}
		if err != nil && len(h.Broken) < maxListed {
			h.Broken = append(h.Broken, fmt.Sprintf("%.8s: %v", snap.ID(), err))
		}
		h.Snapshots++
	}
	return nil
}

func (s *Session) checkTree(ctx context.Context, snap Snapshot, h *Health) error {
	v, err := s.Read(ctx, snap, nil)
	if err != nil {
		return err
	}
	defer v.Close()
	return snapshot.Walk(ctx, v, snap.Info.Root, "/", func(path string, n *snapshot.Node) error {
		return snapshot.Rows(ctx, v, n, func(rows []byte) error {
			for i := range len(rows) / snapshot.RowSize {
				places, err := s.index.Places(seal.KindData, snapshot.RowAt(rows, i).ID)
				if err != nil {
					return err
				}
				h.Chunks++
				// SPEC: a writer deduplicates only against chunks that its own lane introduced
				if !slices.ContainsFunc(places, func(p index.Place) bool { return p.Lane == snap.Link.Entry.Lane }) {
					h.Missing++
				}
			}
			return nil
		})
	})
}
