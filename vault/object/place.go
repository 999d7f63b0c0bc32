package object

import (
	"context"
	"fmt"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/seal"
)

// placed is what remains of a segment once it is with its holders.
type placed struct {
	descriptor []byte
	id         ident.CID
	nodes      []ident.PublicKey
	index      seal.IndexSegment
	rows       []seal.Row
}

// placeAll places one sealed segment after another, until there are no more or the
// commit ends. As many of them run as segments may be in flight.
func (w *Writer) placeAll(ctx context.Context) {
	defer func() { w.ended <- struct{}{} }()
	for {
		select {
		case s, ok := <-w.full:
			if !ok {
				return
			}
			err := w.placeData(ctx, s)
			w.sealed.put(s.memory)
			if err != nil {
				w.fail(fmt.Errorf("place segment %d: %w", s.number, err))
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// placeData codes, sends and records one data segment.
func (w *Writer) placeData(ctx context.Context, s *segment) error {
	var parity []byte
	if parityRows(w.cfg.Code) > 0 {
		var ok bool
		if parity, ok = w.parity.get(ctx.Done()); !ok {
			return context.Cause(ctx)
		}
		defer w.parity.put(parity)
	}
	index := seal.IndexSegment{Header: uint32(s.header), Size: uint64(s.buf.Len())}
	if err := w.code(s, s.buf.Bytes(), parity); err != nil {
		return err
	}
	index.Segment = s.id
	nodes, err := w.deliver(ctx, s)
	if err != nil {
		return err
	}
	w.record(s, nodes, index, s.section.Rows())
	w.mu.Lock()
	defer w.mu.Unlock()
	s.batch.left--
	s.batch.settle()
	return nil
}

func (w *Writer) record(s *segment, nodes []ident.PublicKey, index seal.IndexSegment, rows []seal.Row) {
	w.mu.Lock()
	defer w.mu.Unlock()
	b := s.batch
	for len(b.placed) <= s.number {
		b.placed = append(b.placed, placed{})
	}
	b.placed[s.number] = placed{descriptor: s.descriptor, id: s.id, nodes: nodes, index: index, rows: rows}
}

// parityRows is how many rows a code's parity takes up. With one data row the
// others are equal to it, and are the same memory.
func parityRows(c erasure.Code) int {
	if c.K == 1 {
		return 0
	}
	return c.N - c.K
}

// code makes the n rows and the descriptor of a sealed segment. It pads sealed in
// place; parity has room for the parity rows.
func (w *Writer) code(s *segment, sealed, parity []byte) error {
	size := int64(len(sealed))
	if size > erasure.MaxSegment {
		return fmt.Errorf("code segment: %w", ErrTooLarge)
	}
	padded := w.cfg.Code.Pad(sealed)
	row := int(w.cfg.Code.RowSize(size))
	d := erasure.Descriptor{}
	var err error
	if w.cfg.Code.K == 1 {
		s.rows, d = mirror(padded, size, w.cfg.Code)
	} else {
		rows := make([][]byte, w.cfg.Code.N-w.cfg.Code.K)
		for i := range rows {
			rows[i] = parity[i*row : (i+1)*row : (i+1)*row]
		}
		if s.rows, err = w.coder.Encode(padded, rows); err != nil {
			return err
		}
		if d, err = w.coder.Describe(s.rows, size); err != nil {
			return err
		}
	}
	s.descriptor, s.id = d.Encode(), d.CID()
	w.cfg.Counters.Coded.Add(int64(row) * int64(w.cfg.Code.N))
	return nil
}

// mirror is coding with one data row: all rows are the segment, hashed once.
func mirror(sealed []byte, size int64, c erasure.Code) ([][]byte, erasure.Descriptor) {
	d := erasure.Descriptor{V: 1, K: uint64(c.K), N: uint64(c.N), Size: uint64(size)}
	rows := make([][]byte, c.N)
	id := ident.SumRaw(sealed)
	for i := range rows {
		rows[i] = sealed
		d.Shards = append(d.Shards, id)
	}
	return rows, d
}
