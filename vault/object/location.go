package object

import (
	"errors"
	"fmt"
	"sync"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/p2p/shardrpc"
)

// Location says how a segment is coded and who has its shards.
type Location struct {
	Descriptor erasure.Descriptor
	Nodes      []ident.PublicKey // shard i is at Nodes[i]; the zero key is nobody
}

// target is a segment that is to be read: a checked Location with its name.
type target struct {
	Location
	segment ident.CID
	row     int64 // length of a row
}

func newTarget(segment ident.CID, l Location) (*target, error) {
	if err := l.Descriptor.Check(); err != nil {
		return nil, fmt.Errorf("locate segment %v: %w", segment, err)
	}
	return &target{l, segment, l.Descriptor.RowSize()}, nil
}

func (t *target) k() int { return int(t.Descriptor.K) }

func (t *target) n() int { return int(t.Descriptor.N) }

func (t *target) size() int64 { return int64(t.Descriptor.Size) }

// padded is the length of the k data rows.
func (t *target) padded() int64 { return t.row * int64(t.k()) }

func (t *target) ref(row int) shardrpc.Ref { return shardrpc.Ref{Segment: t.segment, Index: row} }

func (t *target) cid(row int) ident.CID { return t.Descriptor.Shards[row] }

// node returns who has a row; the zero key is nobody.
func (t *target) node(row int) ident.PublicKey {
	if row >= len(t.Nodes) {
		return ident.PublicKey{}
	}
	return t.Nodes[row]
}

// targetCache remembers a few targets.
type targetCache struct {
	mu sync.Mutex
	m  map[ident.CID]*target
}

// maxTargets is small beside what they save: a descriptor is some hundred bytes.
const maxTargets = 256

func (c *targetCache) get(segment ident.CID) *target {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.m[segment]
}

func (c *targetCache) put(t *target) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m == nil || len(c.m) >= maxTargets {
		c.m = map[ident.CID]*target{}
	}
	c.m[t.segment] = t
}

// forget has the segment looked up again: its shards may have moved.
func (c *targetCache) forget(segment ident.CID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.m, segment)
}

// shortage is the error of a segment of which fewer than k rows can be had: why not,
// row by row.
type shortage struct {
	t       *target
	gone    int // rows whose holders say, or show, that they do not have them
	reasons []error
}

func (s *shortage) add(err error) {
	s.reasons = append(s.reasons, err)
	for _, e := range []error{shardrpc.ErrNotFound, shardrpc.ErrCorrupt, shardrpc.ErrLied, errNobody} {
		if errors.Is(err, e) {
			s.gone++
			return
		}
	}
}

// verdict is what is claimed: only what no answer could heal any more is lost.
func (s *shortage) verdict() error {
	if s.gone > s.t.n()-s.t.k() {
		return ErrLost
	}
	return ErrOutOfReach
}

func (s *shortage) Error() string {
	return fmt.Sprintf("segment %v: %v: %v", s.t.segment, s.verdict(), errors.Join(s.reasons...))
}

func (s *shortage) Unwrap() []error { return append([]error{s.verdict()}, s.reasons...) }

// with adds to a shortage why one more row cannot be had. Other errors stay as they
// are.
func with(err, reason error) error {
	if s := (*shortage)(nil); reason != nil && errors.As(err, &s) {
		s.add(reason)
	}
	return err
}
