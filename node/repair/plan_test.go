package repair

import (
	"slices"
	"testing"
	"time"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/ledger/custody"
	"holdfast/p2p/placement"
)

var code36 = erasure.Code{K: 3, N: 6}

func TestNothingToDo(t *testing.T) {
	w := newWorld(8)
	w.add(1, code36, 0, 1, 2, 3, 4, 5)
	if out := none(t, w.view()); out != (Outlook{Segments: 1}) {
		t.Errorf("outlook %+v", out)
	}
}

// A reboot costs nothing; a holder that stays away is replaced by an operator that
// holds none, from the rows that are there.
func TestGraceThenRebuilt(t *testing.T) {
	w := newWorld(8)
	s := w.add(1, code36, 0, 1, 2, 3, 4, 5)
	w.condition[2] = Condition{Silent: 24*time.Hour - 1}
	if out := none(t, w.view()); out.Damaged != 1 || out.Waiting != 1 {
		t.Errorf("outlook %+v", out)
	}
	w.condition[2] = Condition{Silent: 24 * time.Hour}
	task := only(t, w.view())
	if task.Segment.CID != s || task.Move || len(task.To) != 1 || task.To[0].Row != 2 {
		t.Errorf("task %+v", task)
	}
	if n := task.To[0].Node; n != key('n', 6) && n != key('n', 7) {
		t.Errorf("the row goes to %v, which holds another", n)
	}
	want := []Place{{0, key('n', 0)}, {1, key('n', 1)}, {3, key('n', 3)}, {4, key('n', 4)}, {5, key('n', 5)}}
	if !slices.Equal(task.From, want) {
		t.Errorf("sources %v", task.From)
	}
}

// SPEC: margins at or below 1 are repaired after a tenth of the grace.
func TestEndangeredWaitLess(t *testing.T) {
	w := newWorld(9)
	w.add(1, code36, 0, 1, 2, 3, 4, 5)
	w.condition[0], w.condition[1] = Condition{Silent: 3 * time.Hour}, Condition{Silent: 2 * time.Hour}
	task := only(t, w.view()) // four are there: margin 1
	if len(task.To) != 1 || task.To[0].Row != 0 {
		t.Errorf("task %+v", task)
	}
	if last := task.From[len(task.From)-1]; last.Row != 1 {
		t.Errorf("the silent holder is asked before others: %v", task.From)
	}
}

// What a holder says it has lost is lost at once, and comes back to it where all others
// hold a row already.
func TestMissingRowsComeBackToTheHealedNode(t *testing.T) {
	w := newWorld(8)
	s := w.add(1, erasure.Code{K: 4, N: 8}, 0, 1, 2, 3, 4, 5, 6, 7)
	w.missing[s] = []int{3}
	task := only(t, w.view())
	if !slices.Equal(task.To, []Place{{3, key('n', 3)}}) {
		t.Errorf("task %+v", task)
	}
	w.condition[3] = Condition{Silent: time.Second} // it does not answer now
	if out := none(t, w.view()); out.NoRoom != 1 {
		t.Errorf("outlook %+v", out)
	}
}

func TestLostForGood(t *testing.T) {
	w := newWorld(8)
	w.add(1, code36, 0, 1, 2, 3, 4, 5)
	for h := range 4 {
		w.condition[h] = Condition{Silent: Forever}
	}
	if out := none(t, w.view()); out.Lost != 1 || out.Waiting != 0 {
		t.Errorf("outlook %+v", out)
	}
	w.condition[0] = Condition{Silent: time.Second} // it may come back
	if out := none(t, w.view()); out.Lost != 0 || out.Waiting != 1 {
		t.Errorf("outlook %+v", out)
	}
}

// A draining holder's rows are copied, not rebuilt; a lost row comes first.
func TestMoves(t *testing.T) {
	w := newWorld(8)
	s := w.add(1, code36, 0, 1, 2, 3, 4, 5)
	w.condition[4] = Condition{Leaving: true}
	task := only(t, w.view())
	if !task.Move || len(task.To) != 1 || task.To[0].Row != 4 || !slices.Equal(task.From, []Place{{4, key('n', 4)}}) {
		t.Errorf("task %+v", task)
	}
	w.missing[s] = []int{0}
	task = only(t, w.view())
	if task.Move || task.To[0].Row != 0 || len(task.From) != 5 {
		t.Errorf("task %+v", task)
	}
}

// Where no operator has room for a lost row, the rows of a node that leaves can still go
// to a node of its operator.
func TestMovesWhereLostRowsHaveNoRoom(t *testing.T) {
	w := newWorld(6)
	s := w.add(1, code36, 0, 1, 2, 3, 4, 5)
	w.condition[4] = Condition{Leaving: true}
	w.condition[5] = Condition{Silent: Forever}
	w.candidates = append(w.candidates, placement.Candidate{Node: key('n', 40), Operator: key('o', 4), Space: 1, Weight: 1})
	w.candidates[0].Space, w.candidates[1].Space = 0, 0
	task := only(t, w.view())
	if task.Segment.CID != s || !task.Move || !slices.Equal(task.To, []Place{{4, key('n', 40)}}) {
		t.Errorf("task %+v", task)
	}
}

// SPEC: order by expected remaining life.
func TestMostEndangeredFirst(t *testing.T) {
	w := newWorld(16)
	w.add(1, code36, 0, 1, 2, 3, 4, 5)
	wide := w.add(2, erasure.Code{K: 2, N: 6}, 0, 1, 2, 3, 4, 5)
	narrow := w.add(3, code36, 0, 1, 10, 3, 4, 5)
	for _, h := range []int{0, 1} {
		w.condition[h] = Condition{Silent: Forever}
	}
	w.missing[wide] = []int{5}
	w.missing[narrow] = []int{5}
	tasks, _ := Plan(w.view(), 10)
	var order []ident.CID
	for i, task := range tasks {
		order = append(order, task.Segment.CID)
		if i > 0 && tasks[i-1].Life > task.Life {
			t.Errorf("lives %v before %v", tasks[i-1].Life, task.Life)
		}
	}
	// 3 of 3 live: 1/3; 3 of 2: 1/2+1/3; 4 of 3: 1/3+1/4.
	if want := []ident.CID{narrow, segmentName(1), wide}; !slices.Equal(order, want) {
		t.Errorf("order %v, want %v", order, want)
	}
	first, _ := Plan(w.view(), 1)
	if len(first) != 1 || first[0].Segment.CID != narrow {
		t.Errorf("with a limit of one: %v", first)
	}
}

// Shards of holders that leave are there: what is only to be moved comes after what is lost.
func TestMovesComeAfterLosses(t *testing.T) {
	w := newWorld(16)
	moving := w.add(1, code36, 0, 1, 2, 3, 4, 5)
	damaged := w.add(2, code36, 6, 7, 8, 9, 10, 11)
	for h := range 3 {
		w.condition[h] = Condition{Leaving: true}
	}
	w.missing[damaged] = []int{5}
	tasks, _ := Plan(w.view(), 10)
	if len(tasks) != 2 || tasks[0].Segment.CID != damaged || tasks[1].Segment.CID != moving || !tasks[1].Move {
		t.Errorf("%+v", tasks)
	}
}

// Of an ill-coded segment nothing is rebuilt, and what has to leave is copied, so that
// nobody who leaves waits for it for ever.
func TestIllCodedSegmentsAreMoved(t *testing.T) {
	w := newWorld(8)
	s := w.add(1, code36, 0, 1, 2, 3, 4, 5)
	w.missing[s] = []int{0}
	v := w.view()
	v.IllCoded = func(c ident.CID) bool { return c == s }
	if out := none(t, v); out.Damaged != 1 || out.NoRoom != 0 {
		t.Errorf("outlook %+v", out)
	}
	w.condition[4] = Condition{Leaving: true}
	if task := only(t, v); !task.Move || len(task.To) != 1 || task.To[0].Row != 4 {
		t.Errorf("task %+v", task)
	}
}

// Rows that have never had a holder are left to who committed, for a while.
func TestIncompleteCommits(t *testing.T) {
	w := newWorld(6)
	w.add(1, code36, 0, 1, 2, 3, 4, custody.Nowhere)
	v := w.view()
	v.Waited = func(_ ident.CID, live int) time.Duration {
		if live != 5 {
			t.Errorf("%d live", live)
		}
		return 2 * time.Hour
	}
	none(t, v)
	v.Waited = func(ident.CID, int) time.Duration { return 24 * time.Hour / hurry }
	if task := only(t, v); !slices.Equal(task.To, []Place{{5, key('n', 5)}}) {
		t.Errorf("task %+v", task)
	}
}

// The first of the rendezvous order acts, the next when it is not alive, or has had its
// time.
func TestStewardsTakeTurns(t *testing.T) {
	w := newWorld(8)
	s := w.add(1, code36, 0, 1, 2, 3, 4, 5)
	w.missing[s] = []int{0}
	v := w.view()
	for i := range 4 {
		v.Stewards = append(v.Stewards, Steward{key('o', i), true})
	}
	waited := time.Duration(0)
	v.Waited = func(ident.CID, int) time.Duration { return waited }
	acts := func() (who []int) {
		for i, o := range Order(s, v.Stewards) {
			v.Me = o.Operator
			if tasks, _ := Plan(v, 1); len(tasks) > 0 {
				who = append(who, i)
			}
		}
		return who
	}
	for _, c := range []struct {
		waited time.Duration
		dead   []int // places in the order
		want   []int
	}{
		{0, nil, []int{0}},
		{v.Turn - 1, nil, []int{0}},
		{v.Turn, nil, []int{0, 1}},
		{3 * v.Turn, nil, []int{0, 1, 2, 3}},
		{0, []int{0}, []int{0, 1}},
		{0, []int{0, 1}, []int{0, 1, 2}},
		{v.Turn, []int{1}, []int{0, 1, 2}},
	} {
		waited = c.waited
		v.Stewards = Order(s, v.Stewards)
		for i := range v.Stewards {
			v.Stewards[i].Alive = !slices.Contains(c.dead, i)
		}
		if got := acts(); !slices.Equal(got, c.want) {
			t.Errorf("after %v, %v not alive: %v act, want %v", c.waited, c.dead, got, c.want)
		}
	}
	v.Me = key('o', 7) // no member
	none(t, v)
}

func TestBusySegmentsAreLeft(t *testing.T) {
	w := newWorld(8)
	s := w.add(1, code36, 0, 1, 2, 3, 4, 5)
	w.missing[s] = []int{0}
	v := w.view()
	v.Busy = func(c ident.CID) bool { return c == s }
	if out := none(t, v); out.Damaged != 1 {
		t.Errorf("outlook %+v", out)
	}
}
