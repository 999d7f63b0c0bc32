package member

import (
	"errors"
	"slices"
	"testing"

	"holdfast/ledger"
)

// A table says what its body says, and bytes that are no table are refused and not read.
func TestTable(t *testing.T) {
	t.Parallel()
	s := newSolo(t)
	c := s.lane.Commit("one", 3)
	c.Body.Segments[1].Placement[2] = ledger.Nowhere
	eff := must(ledger.ReadEffect(s.vault.Charter, s.lane.Finish(c).Entry, c.Encode()))
	made := newTable(eff.Segments, []uint16{7, 8, 9, 10})
	got, err := parseTable(made)
	if err != nil || got.count() != 3 {
		t.Fatal(got.count(), err)
	}
	at := 0
	for i, seg := range eff.Segments {
		at = got.holders(i, at)
		read := got.segment(i, at)
		want := []int{7, 8, 9, 10}
		if i == 1 {
			want[2] = -1
		}
		if read.CID != seg.CID || read.Code != seg.Descriptor.Code() || read.RowSize != seg.Descriptor.RowSize() || !slices.Equal(read.Held, want) {
			t.Errorf("segment %d is %+v", i, read)
		}
		if got.names()[i] != seg.CID {
			t.Errorf("name %d is %v", i, got.names()[i])
		}
	}
	c2 := &custodian{table: got}
	for _, i := range []int{2, 0, 1, 1, 2} {
		if at := c2.holdersOf(i); got.segment(i, at).Held[3] != 10 || got.segment(i, at).CID != eff.Segments[i].CID {
			t.Errorf("holders of row %d begin at %d", i, at)
		}
	}
	for what, change := range map[string]func(p []byte) []byte{
		"nothing":         func([]byte) []byte { return nil },
		"another version": func(p []byte) []byte { p[0]++; return p },
		"a row more":      func(p []byte) []byte { p[4]++; return p },
		"a great many":    func(p []byte) []byte { p[1] = 255; return p },
		"a row less":      func(p []byte) []byte { p[4]--; return p },
		"cut":             func(p []byte) []byte { return p[:len(p)-1] },
		"cut in a row":    func(p []byte) []byte { return p[:tableHead+tableRow] },
		"no such code":    func(p []byte) []byte { p[tableHead+tableRow-2] = 3; return p },
		"no size":         func(p []byte) []byte { clear(p[tableHead+32 : tableHead+36]); return p },
		"size above all":  func(p []byte) []byte { p[tableHead+32] = 255; return p },
	} {
		if _, err := parseTable(change(slices.Clone(made))); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
