package object

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"holdfast/erasure"
	"holdfast/internal/ident"
)

// fetchWhole fills buf, which has the length of the k data rows, with the sealed
// segment: k data rows at once, straight to their places, and parity rows in place
// of those that are missing, wrong or late. A healthy segment is decoded only for
// exercise. If that finds it ill-coded, its data rows are still what they are.
func (r *Reader) fetchWhole(ctx context.Context, t *target, buf []byte) error {
	first, spare, healthy := r.candidates(t)
	rows, others, exercised := r.exercise(t, first, spare, healthy)
	err := r.fetchRows(ctx, t, buf, rows, others)
	if exercised && errors.Is(err, ErrIllCoded) {
		r.cfg.IllCoded(t.segment)
		return r.fetchRows(ctx, t, buf, first, spare)
	}
	return err
}

// fetchRows fetches k rows, each slot's first choice or a spare, and decodes what is
// missing among the data rows.
func (r *Reader) fetchRows(ctx context.Context, t *target, buf []byte, first, spare []int) error {
	g := &gathering{r: r, t: t, pace: &r.rowPace, size: t.row, spare: spare}
	g.fetch = func(ctx context.Context, slot, row int) error {
		return r.fetchRow(ctx, t, row, slotOf(buf, slot, t.row))
	}
	rows, err := g.gather(ctx, first)
	if err != nil {
		return err
	}
	return r.arrange(t, buf, rows)
}

func slotOf(buf []byte, slot int, row int64) []byte {
	return buf[int64(slot)*row : int64(slot+1)*row : int64(slot+1)*row]
}

// candidates returns the row that each slot begins with, its own if its holder is
// in good repute, and all other rows that are with somebody, suspects last. It is
// healthy if every row is with somebody in good repute.
func (r *Reader) candidates(t *target) (first, spare []int, healthy bool) {
	var suspects []int
	healthy = true
	first = make([]int, t.k())
	for row := range t.n() {
		node := t.node(row)
		isData := row < t.k()
		switch {
		case node.IsZero():
			healthy = false
		case r.health.suspect(node):
			healthy = false
			suspects = append(suspects, row)
		case isData:
			first[row] = row
			continue
		default:
			spare = append(spare, row)
		}
		if isData {
			first[row] = -1
		}
	}
	if len(spare) > 0 { // not always the same parity rows first
		h := t.segment.Hash()
		spare = rotated(spare, int(h[0])%len(spare))
	}
	return first, append(spare, suspects...), healthy
}

// fetchRow fetches one verified row into dst.
func (r *Reader) fetchRow(ctx context.Context, t *target, row int, dst []byte) error {
	begun := time.Now()
	p, err := r.cfg.Holder(t.node(row)).Get(ctx, t.ref(row), t.cid(row), t.row, dst[:0])
	if err != nil {
		return err
	}
	if &p[0] != &dst[0] {
		copy(dst, p)
	}
	r.rowPace.took(t.row, time.Since(begun))
	r.cfg.Counters.Fetched.Add(t.row)
	return nil
}

// columns is how wide a stripe is decoded at a time, in cache.
const columns = 32 << 10

// arrange puts the data rows where they belong, when slots hold other rows: those
// that are missing are rebuilt, stripe by stripe, in place. A rebuilt row that is
// not the descriptor's means that the segment is ill-coded.
func (r *Reader) arrange(t *target, buf []byte, rows []int) error {
	there := make(map[int]int, len(rows)) // row -> slot
	for slot, row := range rows {
		there[row] = slot
	}
	var moves, rebuilt []int
	for row := range rows {
		if rows[row] == row {
			continue
		}
		moves = append(moves, row)
		if _, ok := there[row]; !ok {
			rebuilt = append(rebuilt, row)
		}
	}
	if len(moves) == 0 {
		return nil
	}
	if err := r.decode(t, buf, there, moves, rebuilt); err != nil {
		return fmt.Errorf("segment %v: %w", t.segment, err)
	}
	if err := checkRebuilt(t, buf, rebuilt); err != nil {
		return err
	}
	if len(rebuilt) > 0 {
		r.cfg.Counters.Decoded.Add(1)
	}
	return nil
}

func (r *Reader) decode(t *target, buf []byte, there map[int]int, moves, rebuilt []int) error {
	coder, err := r.coders.get(t.Descriptor.Code())
	if err != nil {
		return err
	}
	scratch := make([]byte, len(moves)*columns)
	stripe := make([][]byte, t.n())
	for at := int64(0); at < t.row; at += columns {
		width := min(columns, t.row-at)
		clear(stripe)
		for row, slot := range there {
			stripe[row] = slotOf(buf, slot, t.row)[at : at+width]
		}
		for i, row := range moves {
			out := scratch[i*columns : i*columns+int(width) : (i+1)*columns]
			if p := stripe[row]; p != nil {
				copy(out, p)
			} else {
				stripe[row] = out[:0]
			}
		}
		if err := coder.Rebuild(stripe, rebuilt); err != nil {
			return err
		}
		for i, row := range moves {
			copy(slotOf(buf, row, t.row)[at:at+width], scratch[i*columns:])
		}
	}
	return nil
}

// checkRebuilt hashes the rows that were rebuilt, two at a time.
func checkRebuilt(t *target, buf []byte, rebuilt []int) error {
	var group sync.WaitGroup
	wrong := make([]bool, len(rebuilt))
	turns := make(chan struct{}, 2)
	for i, row := range rebuilt {
		group.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			wrong[i] = ident.SumRaw(slotOf(buf, row, t.row)) != t.cid(row)
		})
	}
	group.Wait()
	for i, row := range rebuilt {
		if wrong[i] {
			return fmt.Errorf("segment %v: %w: row %d", t.segment, ErrIllCoded, row)
		}
	}
	return nil
}

// coders keeps one coder for each code.
type coders struct {
	mu sync.Mutex
	m  map[erasure.Code]*erasure.Coder
}

func (c *coders) get(code erasure.Code) (*erasure.Coder, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k := c.m[code]; k != nil {
		return k, nil
	}
	k, err := erasure.NewCoder(code)
	if err != nil {
		return nil, err
	}
	if c.m == nil {
		c.m = map[erasure.Code]*erasure.Coder{}
	}
	c.m[code] = k
	return k, nil
}

// Whole fetches a segment completely, verified, and rebuilt where rows are missing.
// The result is the caller's; its capacity is that of k whole rows, zeros behind
// its end, so that it can be coded again.
func (r *Reader) Whole(ctx context.Context, segment ident.CID) ([]byte, error) {
	ctx, leave, err := r.enter(ctx)
	if err != nil {
		return nil, fmt.Errorf("fetch segment: %w", err)
	}
	defer leave()
	t, err := r.locate(segment)
	if err != nil {
		return nil, fmt.Errorf("fetch segment: %w", err)
	}
	buf := make([]byte, t.padded())
	if err := r.fetchWhole(ctx, t, buf); err != nil {
		return nil, fmt.Errorf("fetch segment: %w", orCause(ctx, err))
	}
	return buf[:t.size()], nil
}
