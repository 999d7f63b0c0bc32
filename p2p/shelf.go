package p2p

import (
	"context"
	"errors"
	"sync"

	ds "github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/query"
)

// What a node keeps of others' records, in memory. Above that it refuses new ones.
const (
	maxStored      = 1 << 16
	maxStoredBytes = 64 << 20
)

var errShelfFull = errors.New("no room for more records of others")

// shelf is the DHT's store: a map with a limit.
type shelf struct {
	limit, limitBytes int

	mu    sync.Mutex
	bytes int
	m     *ds.MapDatastore
	count int
}

var _ ds.Batching = (*shelf)(nil)

func newShelf(limit, limitBytes int) *shelf {
	return &shelf{limit: limit, limitBytes: limitBytes, m: ds.NewMapDatastore()}
}

func cost(key ds.Key, size int) int { return len(key.String()) + size }

func (s *shelf) Put(ctx context.Context, key ds.Key, value []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	count, bytes := s.count+1, s.bytes+cost(key, len(value))
	if old, err := s.m.GetSize(ctx, key); err == nil {
		count, bytes = count-1, bytes-cost(key, old)
	}
	if count > s.limit || bytes > s.limitBytes {
		return errShelfFull
	}
	s.count, s.bytes = count, bytes
	return s.m.Put(ctx, key, value)
}

func (s *shelf) Delete(ctx context.Context, key ds.Key) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, err := s.m.GetSize(ctx, key); err == nil {
		s.count, s.bytes = s.count-1, s.bytes-cost(key, old)
	}
	return s.m.Delete(ctx, key)
}

func (s *shelf) Get(ctx context.Context, key ds.Key) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.m.Get(ctx, key)
}

func (s *shelf) Has(ctx context.Context, key ds.Key) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.m.Has(ctx, key)
}

func (s *shelf) GetSize(ctx context.Context, key ds.Key) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.m.GetSize(ctx, key)
}

// Query returns a copy of what matches now.
func (s *shelf) Query(ctx context.Context, q query.Query) (query.Results, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.m.Query(ctx, q)
}

func (s *shelf) Batch(context.Context) (ds.Batch, error) { return ds.NewBasicBatch(s), nil }
func (s *shelf) Sync(context.Context, ds.Key) error      { return nil }
func (s *shelf) Close() error                            { return nil }
