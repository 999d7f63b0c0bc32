package mem

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"sync"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/store"

	"lukechampine.com/blake3/bao"
)

// Shelf keeps shards in a map.
type Shelf struct {
	mu       sync.Mutex
	capacity int64
	used     int64 // bytes of shards that are here
	reserved int64 // bytes of shards that are on the way
	trashed  int64 // bytes of shards in the trash
	shards   map[store.Key]*shard
	trash    map[store.Key]discarded
}

// shard is not changed once it is in the map.
type shard struct {
	info     store.Info
	root     ident.CID
	payload  []byte
	outboard []byte
}

var (
	_ store.Shelf = (*Shelf)(nil)
	_ store.Trash = (*Shelf)(nil)
)

// New makes an empty shelf for capacity bytes.
func New(capacity int64) *Shelf {
	return &Shelf{capacity: capacity, shards: make(map[store.Key]*shard), trash: make(map[store.Key]discarded)}
}

// Put implements store.Shelf.
func (s *Shelf) Put(ctx context.Context, key store.Key, descriptor []byte, r io.Reader) error {
	d, err := key.Describes(descriptor)
	if err != nil {
		return fmt.Errorf("put shard %v: %w", key, err)
	}
	size := footprint(descriptor, d.RowSize())
	if err := s.reserve(key, size); err != nil {
		return fmt.Errorf("put shard %v: %w", key, err)
	}
	defer s.release(size)
	sh, err := receive(ctx, d, key, r)
	if err != nil {
		return fmt.Errorf("put shard %v: %w", key, err)
	}
	sh.info.Descriptor = bytes.Clone(descriptor)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shards[key] == nil {
		s.shards[key] = sh
		s.used += size
		s.empty(key)
	}
	return nil
}

// footprint is what a shard counts for.
func footprint(descriptor []byte, size int64) int64 {
	return int64(len(descriptor)) + size + store.OutboardSize(size)
}

// reserve makes room for a shard on the way, unless it is here already.
func (s *Shelf) reserve(key store.Key, size int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shards[key] == nil && size > s.capacity-s.used-s.reserved-s.trashed {
		return store.ErrFull
	}
	s.reserved += size
	return nil
}

func (s *Shelf) release(size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reserved -= size
}

// receive reads and checks one row. Its memory grows with what arrives.
func receive(ctx context.Context, d erasure.Descriptor, key store.Key, r io.Reader) (*shard, error) {
	var payload bytes.Buffer
	size, root := d.RowSize(), d.Shards[key.Index]
	n, err := io.CopyN(&payload, contextReader{ctx, r}, size)
	switch {
	case errors.Is(err, io.EOF):
		return nil, fmt.Errorf("%w: stream ends after %d of %d bytes: %w", store.ErrMismatch, n, size, io.ErrUnexpectedEOF)
	case err != nil:
		return nil, err
	}
	outboard, sum := bao.EncodeBuf(payload.Bytes(), store.Group, true)
	if sum != root.Hash() {
		return nil, fmt.Errorf("%w: payload has another CID", store.ErrMismatch)
	}
	info := store.Info{Key: key, Size: size}
	return &shard{info: info, root: root, payload: payload.Bytes(), outboard: outboard}, ctx.Err()
}

// contextReader stops reading when its context ends.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

func (s *Shelf) find(ctx context.Context, key store.Key) (*shard, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sh := s.shards[key]
	if sh == nil {
		return nil, store.ErrNotFound
	}
	return sh, nil
}

// Open implements store.Shelf.
func (s *Shelf) Open(ctx context.Context, key store.Key) (store.Shard, error) {
	sh, err := s.find(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("open shard %v: %w", key, err)
	}
	p, err := store.NewPayload(bytes.NewReader(sh.payload), sh.info.Size, sh.outboard, sh.root)
	if err != nil {
		return nil, fmt.Errorf("open shard %v: %w", key, err)
	}
	return &reader{sh.info, p}, nil
}

// reader is an open shard; it stays readable when the shard is removed.
type reader struct {
	info store.Info
	*store.Payload
}

func (r *reader) Info() store.Info { return r.info }

func (r *reader) Close() error { return nil }

// Stat implements store.Shelf.
func (s *Shelf) Stat(ctx context.Context, key store.Key) (store.Info, error) {
	sh, err := s.find(ctx, key)
	if err != nil {
		return store.Info{}, fmt.Errorf("stat shard %v: %w", key, err)
	}
	return sh.info, nil
}

// List implements store.Shelf, in the order of keys and as of now.
func (s *Shelf) List(ctx context.Context, vault ident.CID) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		for _, info := range s.infos(vault) {
			if err := ctx.Err(); err != nil {
				yield(store.Info{}, fmt.Errorf("list shards: %w", err))
				return
			}
			if !yield(info, nil) {
				return
			}
		}
	}
}

func (s *Shelf) infos(vault ident.CID) []store.Info {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []store.Info
	for key, sh := range s.shards {
		if !vault.Defined() || key.Vault == vault {
			list = append(list, sh.info)
		}
	}
	slices.SortFunc(list, func(a, b store.Info) int { return a.Key.Compare(b.Key) })
	return list
}

// Remove implements store.Shelf.
func (s *Shelf) Remove(ctx context.Context, key store.Key) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("remove shard %v: %w", key, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sh := s.shards[key]
	if sh == nil {
		return fmt.Errorf("remove shard %v: %w", key, store.ErrNotFound)
	}
	delete(s.shards, key)
	s.used -= footprint(sh.info.Descriptor, sh.info.Size)
	return nil
}

// Usage implements store.Shelf.
func (s *Shelf) Usage(ctx context.Context) (store.Usage, error) {
	if err := ctx.Err(); err != nil {
		return store.Usage{}, fmt.Errorf("usage: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return store.Usage{Capacity: s.capacity, Used: s.used + s.trashed, Shards: int64(len(s.shards)), Trashed: s.trashed}, nil
}
