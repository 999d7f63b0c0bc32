package custody

import (
	"bytes"
	"cmp"
	"iter"
	"math/bits"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"holdfast/internal/ident"
)

// fillBins is how many bins Fill sorts into, by the first fillBits bits of the names: with
// a million segments one is a thousand rows, which a processor sorts without looking
// elsewhere, and the ends of all bins fit in its cache while they are filled.
const (
	fillBits = 10
	fillBins = 1 << fillBits
)

// Fill takes segments in that come in any order, into a Map that has none, as Add would one
// after the other, part after part. It reads them as they come, and never looks one up, so
// that a million take a quarter of a second of one processor. The parts are read at the
// same time, each of them twice, and yield the same both times; the holders of a segment
// are read at once.
func (m *Map) Fill(parts ...iter.Seq[Segment]) {
	if m.count > 0 {
		panic("fill a map of holders that has segments")
	}
	f := newFilling(parts)
	var group sync.WaitGroup
	for i, part := range parts {
		group.Go(func() {
			for s := range part {
				f.put(m, i, &s)
			}
		})
	}
	group.Wait()
	f.sort()
	m.tree = f.cut(m.owner.Load())
	m.count = len(f.rows)
}

// filling is the rows of a Map on their way into its leaves, and the holders of all of
// them, in the same order: by bins, and in a bin as they came, until it is sorted.
type filling struct {
	rows  []row
	held  []uint16
	first [fillBins + 1]binPlace // where each bin begins, and where the last one ends
	next  []*[fillBins]binPlace  // where the next one of a part and a bin goes
}

// binPlace is a place among the rows, and among their holders.
type binPlace struct{ row, held int }

// newFilling counts segments, and makes room for them.
func newFilling(parts []iter.Seq[Segment]) *filling {
	f := &filling{next: make([]*[fillBins]binPlace, len(parts))}
	var group sync.WaitGroup
	for i, part := range parts {
		group.Go(func() { f.next[i] = countBins(part) })
	}
	group.Wait()
	var end binPlace
	for bin := range fillBins {
		f.first[bin] = end
		for _, next := range f.next {
			end, next[bin] = binPlace{end.row + next[bin].row, end.held + next[bin].held}, end
		}
	}
	f.first[fillBins] = end
	f.rows, f.held = make([]row, end.row), make([]uint16, end.held)
	return f
}

func countBins(part iter.Seq[Segment]) *[fillBins]binPlace {
	var count [fillBins]binPlace
	for s := range part {
		s.validate()
		hash := s.CID.Hash()
		n := &count[fillBin(&hash)]
		n.row, n.held = n.row+1, n.held+s.Code.N
	}
	return &count
}

func fillBin(hash *[ident.HashSize]byte) int { return int(ahead(hash) >> (64 - fillBits)) }

func (f *filling) put(m *Map, part int, s *Segment) {
	r := s.row()
	at := &f.next[part][fillBin(&r.hash)]
	f.rows[at.row] = r
	m.numberAll(f.held[at.held:at.held+int(r.n)], s.Held)
	at.row, at.held = at.row+1, at.held+int(r.n)
}

// sort sorts each bin by names; of several rows of one name the last that came is last.
func (f *filling) sort() {
	var next atomic.Int64
	var group sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			var b binSorter
			for i := next.Add(1) - 1; i < fillBins; i = next.Add(1) - 1 {
				from, to := f.first[i], f.first[i+1]
				b.sort(f.rows[from.row:to.row], f.held[from.held:to.held])
			}
		})
	}
	group.Wait()
}

// binSorter is what sorting a bin takes besides the bin.
type binSorter struct {
	rows []row // as they came
	held []uint16
	at   []int // of the holders of each row, among those of the bin

	// order has a number for each row: the beginning of its name, but for the bits that the
	// whole bin has in common, and then, in so many bits, which row it is.
	order []uint64
	bits  int
}

func (b *binSorter) sort(rows []row, held []uint16) {
	b.rows, b.held = append(b.rows[:0], rows...), append(b.held[:0], held...)
	b.order, b.at, b.bits = b.order[:0], b.at[:0], bits.Len(uint(len(rows)))
	end := 0
	for i := range rows {
		name := ahead(&rows[i].hash) << fillBits >> b.bits
		b.order, b.at = append(b.order, name<<b.bits|uint64(i)), append(b.at, end)
		end += int(rows[i].n)
	}
	b.sortOrder()
	end = 0
	for i, o := range b.order {
		from := b.row(o)
		rows[i] = b.rows[from]
		end += copy(held[end:], b.held[b.at[from]:b.at[from]+int(rows[i].n)])
	}
}

func (b *binSorter) row(order uint64) int { return int(order & (1<<b.bits - 1)) }

// sortOrder sorts numbers, which is several times as fast as to sort names, and names only
// where the numbers leave it open.
func (b *binSorter) sortOrder() {
	slices.Sort(b.order)
	for i := 1; i < len(b.order); i++ {
		if b.order[i-1]>>b.bits == b.order[i]>>b.bits {
			slices.SortFunc(b.order, b.compare)
			return
		}
	}
}

func (b *binSorter) compare(x, y uint64) int {
	i, j := b.row(x), b.row(y)
	return cmp.Or(bytes.Compare(b.rows[i].hash[:], b.rows[j].hash[:]), cmp.Compare(i, j))
}

// cut makes leaves of sorted rows, which are all full but for the last. They are parts of
// one piece of memory, as far as nobody changes them.
func (f *filling) cut(o *owner) []branch {
	f.drop()
	tree := make([]branch, 0, (len(f.rows)+maxRows-1)/maxRows)
	rows, held := f.rows, f.held
	for len(rows) > 0 {
		l := &leaf{owner: o, rows: rows[:min(maxRows, len(rows)):min(maxRows, len(rows))]}
		end := 0
		for i := range l.rows {
			l.rows[i].at = uint16(end)
			end += int(l.rows[i].n)
		}
		l.held = held[:end:end]
		rows, held = rows[len(l.rows):], held[end:]
		tree = append(tree, branch{l.rows[0].hash, l})
	}
	return tree
}

// drop takes out what another row of the same name comes behind.
func (f *filling) drop() {
	rows, held := f.rows[:0], f.held[:0]
	from := 0
	for i := range f.rows {
		n := int(f.rows[i].n)
		if i+1 == len(f.rows) || f.rows[i].hash != f.rows[i+1].hash {
			rows, held = append(rows, f.rows[i]), append(held, f.held[from:from+n]...)
		}
		from += n
	}
	f.rows, f.held = rows, held
}
