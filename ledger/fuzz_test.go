package ledger_test

import (
	"testing"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// Every parser of foreign bytes: nothing makes it panic, and what it accepts without
// a signature it accepts again in the same words.
func FuzzParsers(f *testing.F) {
	all := newWorld().structures()
	for i, s := range all {
		f.Add(uint8(i), s.signed.Object)
	}
	f.Fuzz(func(t *testing.T, which uint8, p []byte) {
		s := all[int(which)%len(all)]
		foreign := ident.Signed{Object: p, Signature: s.signed.Signature}
		first := s.verify(foreign)
		if again := s.verify(foreign); (first == nil) != (again == nil) {
			t.Fatalf("%s: %v, then %v", s.name, first, again)
		}
	})
}

// The parts of a body that are encoded inside it.
func FuzzSnapshotBody(f *testing.F) {
	w := newWorld()
	f.Add(w.first.Body)
	f.Add(w.second.Body)
	ch := w.vault.Charter
	f.Fuzz(func(t *testing.T, p []byte) {
		e := w.first.Entry
		e.Body = ident.SumDagCBOR(p)
		eff, err := ledger.ReadEffect(ch, e, p)
		if err != nil {
			return
		}
		if len(eff.Segments) == 0 {
			t.Fatal("a body without segments")
		}
		r, err := ledger.ParseRefSet(eff.Refs)
		if err != nil || !r.IsFull() {
			return
		}
		set, err := r.Resolve(e.Lane, e.CID(), ledger.Set{})
		if err != nil {
			return
		}
		if again, err := set.Full().Resolve(e.Lane, e.CID(), ledger.Set{}); err != nil || again.Count() != set.Count() {
			t.Fatalf("%v, %v", again, err)
		}
	})
}
