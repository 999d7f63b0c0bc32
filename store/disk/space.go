package disk

import (
	"sync"

	"holdfast/store"
)

// space keeps the books: shards that are here, shards on the way in, what is in the
// trash, and what lies in quarantine, which takes space as well until the operator
// has removed it.
type space struct {
	mu          sync.Mutex
	capacity    int64
	used        int64
	reserved    int64
	quarantined int64
	trashed     int64
	shards      int64
}

// resize changes how much the shelf may use.
func (s *space) resize(capacity int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.capacity = capacity
}

// reserve sets space aside for a shard on the way in.
func (s *space) reserve(size int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if size > s.capacity-s.used-s.reserved-s.quarantined-s.trashed {
		return store.ErrFull
	}
	s.reserved += size
	return nil
}

func (s *space) release(size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reserved -= size
}

// add counts a shard that is here, remove one that is not any more.
func (s *space) add(size int64) { s.change(size, 1) }

func (s *space) remove(size int64) { s.change(-size, -1) }

func (s *space) change(size, shards int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used += size
	s.shards += shards
}

// clear forgets the shards that are here, to count them again.
func (s *space) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used, s.shards = 0, 0
}

func (s *space) quarantine(size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quarantined += size
}

// trash counts bytes that came into the trash, or with a negative number left it.
func (s *space) trash(size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trashed += size
}

func (s *space) usage() store.Usage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return store.Usage{Capacity: s.capacity, Used: s.used + s.quarantined + s.trashed, Shards: s.shards, Trashed: s.trashed, Damaged: s.quarantined}
}
