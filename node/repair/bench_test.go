package repair

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/ledger/custody"
)

// million is a vault of a million segments of code 4/8 on twelve holders.
func million() *world {
	w := newWorld(12)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 1_000_000 {
		name := ident.SumDagCBOR(binary.BigEndian.AppendUint32(nil, uint32(i)))
		w.custody.Add(custody.Segment{CID: name, Code: erasure.Code{K: 4, N: 8}, RowSize: 1 << 20, Held: random.Perm(12)[:8]})
	}
	return w
}

// BenchmarkPlan plans for one of seven stewards of a million segments: all of them whole,
// and with one holder gone, which damages two of three.
func BenchmarkPlan(b *testing.B) {
	w := million()
	v := w.view()
	v.Missing = nil
	for i := range 7 {
		v.Stewards = append(v.Stewards, Steward{key('o', i), true})
	}
	v.Me = v.Stewards[0].Operator
	b.Run("whole", func(b *testing.B) {
		for b.Loop() {
			if tasks, _ := Plan(v, 4096); len(tasks) != 0 {
				b.Fatal("something is to be done")
			}
		}
	})
	w.condition[3] = Condition{Silent: Forever}
	b.Run("damaged", func(b *testing.B) {
		for b.Loop() {
			if tasks, _ := Plan(v, 4096); len(tasks) != 4096 {
				b.Fatalf("%d tasks", len(tasks))
			}
		}
	})
}
