package pool

import (
	"slices"
	"sync"

	"holdfast/internal/ident"
	"holdfast/store"
)

// watch collects what is moved from volume to volume while somebody lists: such a shard
// can be missed on both. It holds only keys that the list has not passed.
type watch struct {
	vault ident.CID // zero for all

	mu      sync.Mutex
	at      store.Key   // the list has passed this key
	pending []store.Key // sorted
}

func (p *Pool) watch(vault ident.CID) *watch {
	w := &watch{vault: vault}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watches[w] = struct{}{}
	return w
}

func (p *Pool) unwatch(w *watch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.watches, w)
}

// moved is called when a shard is on its new volume, and before it leaves the old one.
func (p *Pool) moved(key store.Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for w := range p.watches {
		w.add(key)
	}
}

func (w *watch) add(key store.Key) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.vault.Defined() && key.Vault != w.vault || key.Compare(w.at) <= 0 {
		return
	}
	if i, known := slices.BinarySearchFunc(w.pending, key, store.Key.Compare); !known {
		w.pending = slices.Insert(w.pending, i, key)
	}
}

// pass says that the list is at a key now, and returns what was moved in front of it.
func (w *watch) pass(key store.Key) []store.Key {
	w.mu.Lock()
	defer w.mu.Unlock()
	i, known := slices.BinarySearchFunc(w.pending, key, store.Key.Compare)
	before := slices.Clone(w.pending[:i])
	if known {
		i++
	}
	w.pending, w.at = slices.Delete(w.pending, 0, i), key
	return before
}

// rest returns what was moved behind the last key.
func (w *watch) rest() []store.Key {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.pending)
}
