package p2p

import (
	"slices"
	"sync"
	"time"

	"holdfast/internal/ident"
)

// memory holds what a node publishes again and again, and the number of its record.
type memory struct {
	mu       sync.Mutex
	seq      int64
	provided map[ident.CID]struct{}
	hints    map[string][]byte
}

type storedHint struct {
	key   string
	value []byte
}

func newMemory() *memory {
	return &memory{provided: make(map[ident.CID]struct{}), hints: make(map[string][]byte)}
}

// nextSeq returns a number above all before it, also those of an earlier run, as
// long as clocks go forward.
func (m *memory) nextSeq(now time.Time) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seq = max(m.seq+1, now.UnixMilli())
	return m.seq
}

func (m *memory) provide(key ident.CID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.provided[key] = struct{}{}
}

func (m *memory) withdraw(vault, owner ident.CID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.provided, vault)
	delete(m.provided, owner)
	delete(m.hints, vaultKey(vault))
}

func (m *memory) hint(key string, value []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hints[key] = value
}

func (m *memory) all() ([]ident.CID, []storedHint) {
	m.mu.Lock()
	defer m.mu.Unlock()
	provided := make([]ident.CID, 0, len(m.provided))
	for key := range m.provided {
		provided = append(provided, key)
	}
	slices.SortFunc(provided, ident.CID.Compare)
	hints := make([]storedHint, 0, len(m.hints))
	for key, value := range m.hints {
		hints = append(hints, storedHint{key, value})
	}
	return provided, hints
}
