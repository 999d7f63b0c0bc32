package member

import (
	"encoding/binary"
	"fmt"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/custody"
)

// table is who holds the segments that an entry brings, as its body says, in the order of
// their numbers. It is written once and never changed: what is certified, released or
// placed later stands elsewhere.
//
//	1 | count u32 | count x (digest 32, row size u32, k u8, n u8) | holders u16 each
type table []byte

const (
	tableVersion = 1
	tableHead    = 1 + 4
	tableRow     = ident.HashSize + 4 + 1 + 1
)

// nowhere is no holder, in a table.
const nowhere = 1<<16 - 1

// newTable makes the table of an entry. Numbers are those of the body's holders.
func newTable(segments []ledger.Segment, numbers []uint16) table {
	t := binary.BigEndian.AppendUint32([]byte{tableVersion}, uint32(len(segments)))
	for _, s := range segments {
		hash, code := s.CID.Hash(), s.Descriptor.Code()
		t = binary.BigEndian.AppendUint32(append(t, hash[:]...), uint32(s.Descriptor.RowSize()))
		t = append(t, byte(code.K), byte(code.N))
	}
	for _, s := range segments {
		for _, row := range s.Placement {
			number := uint16(nowhere)
			if row != ledger.Nowhere {
				number = numbers[row]
			}
			t = binary.BigEndian.AppendUint16(t, number)
		}
	}
	return t
}

// parseTable checks that every segment is whole.
func parseTable(p []byte) (table, error) {
	if len(p) < tableHead || p[0] != tableVersion {
		return nil, fmt.Errorf("read table of holders: %w", ErrCorrupt)
	}
	t := table(p)
	rows := t.count() * tableRow
	if len(p) < tableHead+rows {
		return nil, fmt.Errorf("read table of holders: %w: %d bytes", ErrCorrupt, len(p))
	}
	for i := range t.count() {
		code, size := t.shape(i)
		if !code.Valid() || size < 1 || size > erasure.MaxSegment {
			return nil, fmt.Errorf("read table of holders: %w: row %d", ErrCorrupt, i)
		}
		rows += 2 * code.N
	}
	if len(p) != tableHead+rows {
		return nil, fmt.Errorf("read table of holders: %w: %d bytes", ErrCorrupt, len(p))
	}
	return t, nil
}

func (t table) count() int { return int(binary.BigEndian.Uint32(t[1:])) }

func (t table) row(i int) []byte { return t[tableHead+i*tableRow:] }

func (t table) name(i int) ident.CID {
	return ident.NewCID(ident.DagCBOR, [ident.HashSize]byte(t.row(i)[:ident.HashSize]))
}

func (t table) shape(i int) (erasure.Code, int64) {
	p := t.row(i)[ident.HashSize:]
	return erasure.Code{K: int(p[4]), N: int(p[5])}, int64(binary.BigEndian.Uint32(p))
}

// names returns the segments.
func (t table) names() []ident.CID {
	out := make([]ident.CID, t.count())
	for i := range out {
		out[i] = t.name(i)
	}
	return out
}

// holders returns where the numbers of a segment's holders begin, given where those of
// the one before it do, 0 for the first.
func (t table) holders(i, before int) int {
	if i == 0 {
		return tableHead + t.count()*tableRow
	}
	code, _ := t.shape(i - 1)
	return before + 2*code.N
}

// segment reads a segment whose holders begin at at.
func (t table) segment(i, at int) custody.Segment {
	s := custody.Segment{CID: t.name(i)}
	s.Code, s.RowSize = t.shape(i)
	s.Held = make([]int, s.Code.N)
	for j := range s.Held {
		if s.Held[j] = int(binary.BigEndian.Uint16(t[at+2*j:])); s.Held[j] == nowhere {
			s.Held[j] = custody.Nowhere
		}
	}
	return s
}

// putTable writes down who holds what an entry brings.
func (x index) putTable(entry ident.CID, eff ledger.Effect) error {
	numbers := make([]uint16, len(eff.Holders))
	for i, c := range eff.Holders {
		var err error
		if numbers[i], err = x.holder(c); err != nil {
			return err
		}
	}
	return x.put(tablesBucket, entry.Bytes(), newTable(eff.Segments, numbers))
}

// table returns the table of an entry; nil if it has none.
func (x index) table(entry ident.CID) (table, error) {
	p := x.get(tablesBucket, entry.Bytes())
	if p == nil {
		return nil, nil
	}
	t, err := parseTable(p)
	if err != nil {
		return nil, fmt.Errorf("entry %s: %w", entry, err)
	}
	return t, nil
}
