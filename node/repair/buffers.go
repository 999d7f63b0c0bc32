package repair

import "sync"

// buffers are rows that are used again.
type buffers struct{ pool sync.Pool }

// get returns an empty buffer, of the size if there is one.
func (b *buffers) get(size int64) []byte {
	if p, ok := b.pool.Get().(*[]byte); ok && int64(cap(*p)) >= size {
		return (*p)[:0]
	}
	return make([]byte, 0, size)
}

// put takes buffers back. Nobody may use them any more.
func (b *buffers) put(rows ...[]byte) {
	for _, r := range rows {
		if cap(r) > 0 {
			b.pool.Put(&r)
		}
	}
}
