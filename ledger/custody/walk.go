package custody

import (
	"bytes"
	"slices"
)

// living is one pass through a Map after a loss.
type living struct {
	m      *Map
	lives  []bool      // by number as stored
	shards []lostShard // sorted, of segments that have not come yet
	left   []uint16
}

func (m *Map) living(l *Loss) *living {
	return &living{m: m, lives: l.lives(len(m.holders)), shards: l.sorted()}
}

// each calls f with every segment and the holders of its shards that are left, in the
// order of the segments. Left is to be read, during the call.
func (w *living) each(f func(r *row, left []uint16)) {
	for _, b := range w.m.tree {
		for i := range b.leaf.rows {
			r := &b.leaf.rows[i]
			f(r, w.leftOf(r, b.leaf.of(r)))
		}
	}
}

// leftOf returns the holders that are left: mostly all of them, as they stand in the Map.
func (w *living) leftOf(r *row, held []uint16) []uint16 {
	lost := w.lost(r)
	if len(lost) == 0 && w.allLive(held) {
		return held
	}
	w.left = w.left[:0]
	for index, h := range held {
		if w.lives[h] && (len(lost) == 0 || !slices.Contains(lost, lostShard{r.hash, index})) {
			w.left = append(w.left, h)
		}
	}
	return w.left
}

func (w *living) allLive(held []uint16) bool {
	for _, h := range held {
		if !w.lives[h] {
			return false
		}
	}
	return true
}

// lost returns the single shards that are lost of the segment that comes next.
func (w *living) lost(r *row) []lostShard {
	for len(w.shards) > 0 && bytes.Compare(w.shards[0].hash[:], r.hash[:]) < 0 {
		w.shards = w.shards[1:]
	}
	n := 0
	for n < len(w.shards) && w.shards[n].hash == r.hash {
		n++
	}
	return w.shards[:n]
}
