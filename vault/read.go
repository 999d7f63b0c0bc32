package vault

import (
	"context"
	"fmt"
	"io"

	"holdfast/internal/ident"
	"holdfast/seal"
	"holdfast/vault/object"
	"holdfast/vault/snapshot"
)

// View is one snapshot opened for reading. It implements snapshot.Source. The caller
// closes it.
type View struct {
	*object.Reader
	Snapshot Snapshot
}

var _ snapshot.Source = (*View)(nil)

// Read opens a snapshot: its index parts are read from the nodes, unless this
// machine has them. Count is for progress bars; it may be nil.
func (s *Session) Read(ctx context.Context, snap Snapshot, count *object.Counters) (*View, error) {
	if err := s.needRead(); err != nil {
		return nil, err
	}
	r := s.reader(count)
	e := snap.Link.Entry
	_, missing, err := s.loadIndex(ctx, r, e.Lane, e.Height)
	if err != nil {
		r.Close()
		return nil, fmt.Errorf("open snapshot %.8s: %w", snap.ID(), err)
	}
	if missing != nil {
		s.warn("part of the index is out of reach: %v", missing)
	}
	return &View{r, snap}, nil
}

// CheckChunk is for snapshot.RestoreOptions: it holds a chunk against its keyed ID.
func (s *Session) CheckChunk(kind seal.Kind, id seal.ChunkID, plain []byte) error {
	return s.profile.Keys.Check(kind, id, plain)
}

// FindObject returns the snapshot that holds an object that `put` has stored.
func (s *Session) FindObject(ctx context.Context, object ident.CID) (Snapshot, error) {
	if err := s.needRead(); err != nil {
		return Snapshot{}, err
	}
	all, err := s.Snapshots(ctx, Filter{Objects: true})
	if err != nil {
		return Snapshot{}, err
	}
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].Info.Object == object {
			return all[i], nil
		}
	}
	return Snapshot{}, fmt.Errorf("%w: no object %s", ErrNoSnapshot, object)
}

// WriteObject writes an object's bytes and compares them with its CID.
func (v *View) WriteObject(ctx context.Context, w io.Writer) error {
	sum := newPlainSum(true)
	path := string(v.Snapshot.Info.Paths[0])
	if err := snapshot.Dump(ctx, v, v.Snapshot.Info.Root, path, summed{w, sum}); err != nil {
		return err
	}
	if sum.CID() != v.Snapshot.Info.Object {
		return fmt.Errorf("object %s: %w", v.Snapshot.Info.Object, ErrIntegrity)
	}
	return nil
}
