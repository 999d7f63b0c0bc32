package repair

import (
	"fmt"
	"testing"
	"time"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/ledger/custody"
	"holdfast/p2p/placement"
)

// key makes a public key that nobody can sign with: plans only compare keys.
func key(kind byte, n int) ident.PublicKey {
	return ident.PublicKey{kind, byte(n >> 8), byte(n), 1}
}

func segmentName(n int) ident.CID { return ident.SumDagCBOR(fmt.Append(nil, "segment ", n)) }

// world is a vault whose holders are one node of each operator.
type world struct {
	custody    *custody.Map
	candidates []placement.Candidate
	condition  map[int]Condition
	missing    map[ident.CID][]int
}

func newWorld(operators int) *world {
	w := &world{custody: custody.New(), condition: map[int]Condition{}, missing: map[ident.CID][]int{}}
	for i := range operators {
		w.candidates = append(w.candidates, placement.Candidate{Node: key('n', i), Operator: key('o', i), Space: 1 << 40, Weight: placement.Full})
		w.custody.Holder(custody.Holder{Node: key('n', i), Operator: key('o', i)})
	}
	return w
}

// add places a segment on these holders.
func (w *world) add(n int, code erasure.Code, held ...int) ident.CID {
	w.custody.Add(custody.Segment{CID: segmentName(n), Code: code, RowSize: 1 << 20, Held: held})
	return segmentName(n)
}

func (w *world) view() View {
	return View{
		Custody: w.custody, Condition: func(h int) Condition { return w.condition[h] },
		Missing:    func(s ident.CID) []int { return w.missing[s] },
		Candidates: w.candidates, Grace: 24 * time.Hour, Turn: 10 * time.Minute,
	}
}

// only returns the plan's one task.
func only(t *testing.T, v View) Task {
	t.Helper()
	tasks, out := Plan(v, 10)
	if len(tasks) != 1 {
		t.Fatalf("%d tasks, want 1 (%+v)", len(tasks), out)
	}
	return tasks[0]
}

func none(t *testing.T, v View) Outlook {
	t.Helper()
	tasks, out := Plan(v, 10)
	if len(tasks) != 0 {
		t.Fatalf("tasks %v, want none", tasks)
	}
	return out
}
