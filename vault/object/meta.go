package object

import (
	"context"
	"errors"
	"fmt"

	"holdfast/internal/ident"
	"holdfast/seal"
)

// Parts tells where the parts of a metadata segment are (docs/format.md, section 4):
// A begins at 0, and B and C follow.
type Parts struct{ A, B, C int64 }

// Parts reads the trailer of a metadata segment.
func (r *Reader) Parts(ctx context.Context, meta ident.CID) (Parts, error) {
	var p Parts
	err := r.withMeta(ctx, meta, func(_ context.Context, _ *target, parts Parts) error {
		p = parts
		return nil
	})
	return p, err
}

// Index reads part B of a metadata segment, with whichever identity opens it: the
// vault's, or the lane's index identity.
func (r *Reader) Index(ctx context.Context, meta ident.CID) (seal.Index, error) {
	var x seal.Index
	err := r.withMeta(ctx, meta, func(ctx context.Context, t *target, p Parts) error {
		sealed := make([]byte, p.B)
		if err := r.readRange(ctx, t, p.A, sealed); err != nil {
			return err
		}
		plain, err := r.openBytes(sealed)
		if err != nil {
			return err
		}
		x, err = seal.ParseIndex(plain)
		return err
	})
	if err != nil {
		return seal.Index{}, fmt.Errorf("read index: %w", err)
	}
	return x, nil
}

// Snapshot reads part C of a metadata segment: the sealed snapshot, as it is.
func (r *Reader) Snapshot(ctx context.Context, meta ident.CID) ([]byte, error) {
	var sealed []byte
	err := r.withMeta(ctx, meta, func(ctx context.Context, t *target, p Parts) error {
		sealed = make([]byte, p.C)
		return r.readRange(ctx, t, p.A+p.B, sealed)
	})
	if err != nil {
		return nil, fmt.Errorf("read snapshot: %w", err)
	}
	return sealed, nil
}

// Directory reads the rows of the section that a segment begins with; size is the
// segment's, or that of part A.
func (r *Reader) Directory(ctx context.Context, segment ident.CID, size int64) ([]seal.Row, error) {
	ctx, leave, err := r.enter(ctx)
	if err != nil {
		return nil, fmt.Errorf("read directory: %w", err)
	}
	defer leave()
	t, err := r.locate(segment)
	if err != nil {
		return nil, fmt.Errorf("read directory: %w", err)
	}
	if size < 0 || size > t.size() {
		return nil, fmt.Errorf("read directory: %w", errFalse)
	}
	n := sectionName{segment, size}
	s, err := r.open(n, &remote{ctx: ctx, r: r, t: t})
	if err != nil {
		return nil, fmt.Errorf("read directory: %w", orCause(ctx, err))
	}
	rows, err := s.Directory()
	if err != nil {
		return nil, fmt.Errorf("read directory: %w", orCause(ctx, err))
	}
	return rows, nil
}

// withMeta calls f with a metadata segment's parts.
func (r *Reader) withMeta(ctx context.Context, meta ident.CID, f func(context.Context, *target, Parts) error) error {
	ctx, leave, err := r.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	t, err := r.locate(meta)
	if err != nil {
		return err
	}
	if t.size() < seal.TrailerSize {
		return fmt.Errorf("segment %v: %w", meta, seal.ErrMalformed)
	}
	trailer := make([]byte, seal.TrailerSize)
	if err := r.readRange(ctx, t, t.size()-seal.TrailerSize, trailer); err != nil {
		return orCause(ctx, err)
	}
	var p Parts
	if p.A, p.B, p.C, err = seal.ParseTrailer(trailer, t.size()); err != nil {
		return fmt.Errorf("segment %v: %w", meta, err)
	}
	return orCause(ctx, f(ctx, t, p))
}

func (r *Reader) openBytes(sealed []byte) ([]byte, error) {
	err := seal.ErrSealed
	for _, id := range r.cfg.Identities {
		var plain []byte
		if plain, err = seal.OpenBytes(sealed, len(sealed), id); err == nil || !errors.Is(err, seal.ErrSealed) {
			return plain, err
		}
	}
	return nil, err
}

// remote reads a sealed file where it lies, a range at a time. It belongs to one
// call.
type remote struct {
	ctx context.Context
	r   *Reader
	t   *target
}

// ReadAt implements io.ReaderAt, for ranges inside of the segment.
func (m *remote) ReadAt(p []byte, off int64) (int, error) {
	n := min(int64(len(p)), m.t.size()-off)
	if n <= 0 {
		return 0, errNotAtHand
	}
	if err := m.r.readRange(m.ctx, m.t, off, p[:n]); err != nil {
		return 0, err
	}
	if n < int64(len(p)) {
		return int(n), errNotAtHand
	}
	return len(p), nil
}
