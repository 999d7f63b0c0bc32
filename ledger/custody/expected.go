package custody

import (
	"runtime"
	"sync"
	"sync/atomic"

	"holdfast/internal/ident"
)

// Expected returns what a holder must have.
func (m *Map) Expected(holder int) Digests {
	var d Digests
	var rows []byte
	for bucket := range Buckets {
		rows = rows[:0]
		m.eachIn(bucket, func(r *row, held []uint16) {
			for index, h := range held {
				if int(h) == holder {
					rows = AppendRow(rows, Row{r.hash, uint16(index)})
					d.Shards, d.Bytes = d.Shards+1, d.Bytes+int64(r.size)
				}
			}
		})
		d.Buckets[bucket] = SumBucket(rows)
	}
	return d
}

// ExpectedAll returns what each holder must have, by number. It takes all processors that
// there are: most of it is hashing.
func (m *Map) ExpectedAll() []Digests {
	all := make([]Digests, len(m.holders))
	var next atomic.Int64
	var sum sync.Mutex
	var group sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			e := expecting{rows: make([][]byte, len(all)), held: make([]Held, len(all))}
			for b := next.Add(1) - 1; b < Buckets; b = next.Add(1) - 1 {
				e.take(m, int(b), all)
			}
			sum.Lock()
			defer sum.Unlock()
			for i, h := range e.held {
				all[i].Shards, all[i].Bytes = all[i].Shards+h.Shards, all[i].Bytes+h.Bytes
			}
		})
	}
	group.Wait()
	return all
}

// expecting gathers what all holders must have, bucket by bucket.
type expecting struct {
	rows [][]byte // of one bucket, by holder
	held []Held   // of all buckets so far, by holder
}

// take writes one bucket of each holder down.
func (e *expecting) take(m *Map, bucket int, all []Digests) {
	m.eachIn(bucket, func(r *row, held []uint16) {
		for index, h := range held {
			if h != nowhere {
				e.rows[h] = AppendRow(e.rows[h], Row{r.hash, uint16(index)})
				e.held[h].Shards++
				e.held[h].Bytes += int64(r.size)
			}
		}
	})
	for h, rows := range e.rows {
		all[h].Buckets[bucket] = SumBucket(rows)
		e.rows[h] = rows[:0]
	}
}

// Bucket returns the rows that a holder must have in one bucket.
func (m *Map) Bucket(holder, bucket int) (out []Row) {
	m.eachIn(bucket, func(r *row, held []uint16) {
		for index, h := range held {
			if int(h) == holder {
				out = append(out, Row{r.hash, uint16(index)})
			}
		}
	})
	return out
}

// eachIn calls f with every segment of a bucket, and its holders, in their order.
func (m *Map) eachIn(bucket int, f func(r *row, held []uint16)) {
	if len(m.tree) == 0 {
		return
	}
	first := [ident.HashSize]byte{byte(bucket)}
	b := m.branch(&first)
	i, _ := m.tree[b].leaf.find(&first)
	for ; b < len(m.tree); b, i = b+1, 0 {
		l := m.tree[b].leaf
		for ; i < len(l.rows); i++ {
			r := &l.rows[i]
			if int(r.hash[0]) != bucket {
				return
			}
			f(r, l.of(r))
		}
	}
}
