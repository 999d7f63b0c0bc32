package index

import (
	"maps"
	"slices"
	"strings"
	"sync"
)

// memory keeps tables in a map, for tests and for a visit that shall leave no
// trace.
type memory struct {
	mu     sync.RWMutex
	values map[string][]byte
	closed bool
}

func newMemory() *memory { return &memory{values: map[string][]byte{}} }

func (m *memory) view(f func(tx)) error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return ErrClosed
	}
	f(&memoryTx{base: m.values})
	return nil
}

func (m *memory) update(f func(tx) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	t := &memoryTx{base: m.values, written: map[string][]byte{}}
	if err := f(t); err != nil {
		return err
	}
	for k, v := range t.written {
		m.values[k] = v
	}
	return nil
}

func (m *memory) close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}

type memoryTx struct {
	base, written map[string][]byte
}

func (t *memoryTx) get(table, key string) []byte {
	k := table + "/" + key
	if v, ok := t.written[k]; ok {
		return v
	}
	return t.base[k]
}

func (t *memoryTx) put(table, key string, value []byte) error {
	t.written[table+"/"+key] = value
	return nil
}

func (t *memoryTx) each(table string, f func(key string, value []byte) bool) {
	all := maps.Clone(t.base)
	maps.Copy(all, t.written)
	for _, k := range slices.Sorted(maps.Keys(all)) {
		if key, ok := strings.CutPrefix(k, table+"/"); ok && !f(key, all[k]) {
			return
		}
	}
}
