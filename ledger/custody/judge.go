package custody

import (
	"holdfast/erasure"
	"holdfast/internal/ident"
)

// MaxLost is how many lost segments a Report names.
const MaxLost = 1024

// Report says what is left after a loss.
type Report struct {
	Segments int
	Bytes    int64 // of all segments, see Segment.Bytes
	Shards   int64 // that the codes ask for: n of each segment
	Live     int64 // that are left

	// Margins counts segments by their margin, which is the number of shards that are
	// left, minus k. A negative one is a segment that is lost.
	Margins map[int]int
	Worst   Worst
	Below   int // segments of which fewer than n shards are left

	Lost      []ident.CID // the first MaxLost, sorted
	LostCount int
	LostBytes int64
}

// Worst is the segment with the smallest margin, the first by name of several; the zero
// value if there is no segment.
type Worst struct {
	Segment ident.CID
	Code    erasure.Code
	Live    int
}

// Margin is how many shards more may be lost.
func (w Worst) Margin() int { return w.Live - w.Code.K }

// Judge says what is left after a loss, nil for none, in one pass.
func (m *Map) Judge(l *Loss) Report {
	out := Report{Segments: m.count, Margins: make(map[int]int)}
	var margins [2 * erasure.MaxShards]int
	m.living(l).each(func(r *row, left []uint16) {
		live, k := len(left), int(r.k)
		out.Bytes += r.bytes()
		out.Shards += int64(r.n)
		out.Live += int64(live)
		margins[erasure.MaxShards+live-k]++
		if !out.Worst.Segment.Defined() || live-k < out.Worst.Margin() {
			out.Worst = Worst{r.cid(), erasure.Code{K: k, N: int(r.n)}, live}
		}
		if live < int(r.n) {
			out.Below++
		}
		if live < k {
			out.lose(r)
		}
	})
	for i, n := range margins {
		if n > 0 {
			out.Margins[i-erasure.MaxShards] = n
		}
	}
	return out
}

func (out *Report) lose(r *row) {
	out.LostCount++
	out.LostBytes += r.bytes()
	if len(out.Lost) < MaxLost {
		out.Lost = append(out.Lost, r.cid())
	}
}
