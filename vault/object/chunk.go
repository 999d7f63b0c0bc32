package object

import (
	"context"
	"errors"
	"fmt"
	"io"

	"holdfast/seal"
	"holdfast/vault/index"
)

// wanted is a chunk that is to be read.
type wanted struct {
	kind   seal.Kind
	id     seal.ChunkID
	places []index.Place
	local  int64 // bytes that its caller wants of the first place's segment
}

// resolve looks up the places of a chunk.
func (r *Reader) resolve(kind seal.Kind, id seal.ChunkID) (wanted, error) {
	places, err := r.cfg.Places(kind, id)
	if err != nil {
		return wanted{}, fmt.Errorf("read chunk %v: %w", id, err)
	}
	if len(places) == 0 {
		return wanted{}, fmt.Errorf("read chunk %v: %w", id, ErrUnknownChunk)
	}
	return wanted{kind: kind, id: id, places: places}, nil
}

// read returns a chunk's plaintext, checked against its ID, in dst's memory if
// there is enough. One place after another is tried.
func (r *Reader) read(ctx context.Context, w wanted, dst []byte) ([]byte, error) {
	var reasons []error
	for _, p := range w.places {
		plain, err := r.readPlace(ctx, p, w.local, dst)
		if err == nil {
			err = r.cfg.Keys.Check(w.kind, w.id, plain)
		}
		r.plan.read(p.Segment, int64(p.Row.Stored))
		if err == nil {
			r.cfg.Counters.Restored.Add(int64(len(plain)))
			return plain, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if isFalse(err) {
			r.cfg.FalsePlace(p, err)
		}
		reasons = append(reasons, fmt.Errorf("in segment %v of %v: %w", p.Segment, p.Lane, err))
	}
	return nil, fmt.Errorf("read chunk %v: %w: %w", w.id, ErrUnreadable, errors.Join(reasons...))
}

// isFalse reports whether a place has failed although its segment could be had.
func isFalse(err error) bool {
	for _, e := range []error{seal.ErrChunk, seal.ErrSealed, seal.ErrMalformed, seal.ErrVersion, errNotAtHand, errFalse, ErrIllCoded} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// errFalse says that a place cannot be.
var errFalse = errors.New("no such place in the segment")

// readPlace reads a chunk from one place: out of the whole segment, or by ranges.
// Ranges also where the whole cannot be had: a row that is still there may suffice.
// The whole also where ranges lead to nonsense: it tells whether the segment is
// ill-coded.
func (r *Reader) readPlace(ctx context.Context, p index.Place, local int64, dst []byte) ([]byte, error) {
	t, err := r.locate(p.Segment)
	if err != nil {
		return nil, err
	}
	if p.Sealed > t.Descriptor.Size {
		return nil, errFalse
	}
	if !r.plan.wholly(p.Segment, t.size(), local) && !r.cacheOf(t).has(p.Segment) {
		plain, err := r.readByRange(ctx, t, p, dst)
		if err == nil || ctx.Err() != nil || !isFalse(err) || t.size() > wholeLimit {
			return plain, err
		}
		return r.readFromWhole(ctx, t, p, dst)
	}
	plain, err := r.readFromWhole(ctx, t, p, dst)
	if err == nil || ctx.Err() != nil || !errors.Is(err, ErrOutOfReach) && !errors.Is(err, ErrLost) {
		return plain, err
	}
	r.targets.forget(p.Segment)
	r.plan.rangesOnly(p.Segment)
	if plain, rangeErr := r.readByRange(ctx, t, p, dst); rangeErr == nil {
		return plain, nil
	}
	return nil, err
}

func (r *Reader) readFromWhole(ctx context.Context, t *target, p index.Place, dst []byte) ([]byte, error) {
	e, release, err := r.whole(ctx, t)
	if err != nil {
		return nil, err
	}
	defer release()
	r.readAhead(ctx, t)
	s, err := e.open(int64(p.Sealed), func(src io.ReaderAt, size int64) (*seal.Section, error) {
		return r.open(sectionName{p.Segment, size}, src)
	})
	if err != nil {
		return nil, err
	}
	plain, err := s.ReadChunk(dst, p.Row)
	if err == nil {
		r.cacheOf(t).serve(e, int64(p.Row.Stored))
	}
	return plain, err
}

// readAhead fetches the segment that is expected after this one.
func (r *Reader) readAhead(ctx context.Context, t *target) {
	next, ok := r.plan.after(t.segment)
	if ok {
		r.fetchAhead(ctx, next, 0)
	}
}

// readByRange fetches nothing but the pieces of the age file that hold the chunk,
// and, for the first chunk of a section, at the same time its two ends.
func (r *Reader) readByRange(ctx context.Context, t *target, p index.Place, dst []byte) ([]byte, error) {
	size := int64(p.Sealed)
	lo, hi := seal.CipherRange(int(p.Header), int64(p.Row.Offset), int64(p.Row.Stored))
	hi = min(hi, size)
	if lo >= hi || hi-lo > 2*seal.MaxChunk {
		return nil, errFalse
	}
	r.plan.pay(p.Segment, hi-lo)
	body := extent{lo, make([]byte, hi-lo)}
	fetched := make(chan error, 1)
	fetching, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { fetched <- r.readRange(fetching, t, body.off, body.p) }()
	key, e, err := r.ends(ctx, t, sectionName{p.Segment, size})
	if err != nil {
		cancel()
	}
	if fetchErr := <-fetched; err == nil {
		err = fetchErr
	}
	if err != nil {
		return nil, err
	}
	s, err := seal.OpenSectionWithKey(extents{size, []extent{body, e.head, e.tail}}, size, key)
	if err != nil {
		return nil, err
	}
	return s.ReadChunk(dst, p.Row)
}

// Tree returns a tree object. The bytes are the caller's.
func (r *Reader) Tree(ctx context.Context, id seal.ChunkID) ([]byte, error) {
	ctx, leave, err := r.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	w, err := r.resolve(seal.KindTree, id)
	if err != nil {
		return nil, err
	}
	plain, err := r.read(ctx, w, nil)
	if err != nil {
		return nil, orCause(ctx, err)
	}
	return plain, nil
}
