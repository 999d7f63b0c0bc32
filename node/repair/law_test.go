package repair

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/ledger/custody"
	"holdfast/p2p/placement"
)

// drawn is a random vault with the plain facts that a slow, obvious model judges.
type drawn struct {
	*world
	segments []custody.Segment
	grace    time.Duration
	busy     map[ident.CID]bool
	ill      map[ident.CID]bool
	waited   time.Duration
}

func drawWorld(t *rapid.T) *drawn {
	d := &drawn{world: newWorld(0), grace: 100, busy: map[ident.CID]bool{}, ill: map[ident.CID]bool{}}
	operators := rapid.IntRange(1, 9).Draw(t, "operators")
	nodes := rapid.IntRange(operators, 12).Draw(t, "nodes")
	silences := []time.Duration{0, 0, 0, 0, 1, 9, 10, 11, 99, 100, Forever}
	for i := range nodes {
		h := custody.Holder{Node: key('n', i), Operator: key('o', i%operators), Zone: rapid.SampledFrom([]string{"", "a"}).Draw(t, "zone")}
		n := d.custody.Holder(h)
		d.condition[n] = Condition{Silent: rapid.SampledFrom(silences).Draw(t, "silent"), Leaving: rapid.IntRange(0, 5).Draw(t, "leaving") == 0}
		if c := d.condition[n]; rapid.IntRange(0, 3).Draw(t, "announced") == 0 {
			c.Excused = min(c.Silent, 50)
			d.condition[n] = c
		}
		if rapid.IntRange(0, 9).Draw(t, "is a candidate") > 0 {
			d.candidates = append(d.candidates, placement.Candidate{
				Node: h.Node, Operator: h.Operator, Zone: h.Zone,
				Space: int64(rapid.IntRange(0, 3).Draw(t, "space")), Weight: rapid.SampledFrom([]int{0, 1, 1000}).Draw(t, "weight"),
			})
		}
	}
	for i := range rapid.IntRange(0, 12).Draw(t, "segments") {
		n := rapid.IntRange(2, 8).Draw(t, "n")
		s := custody.Segment{CID: segmentName(i), Code: erasure.Code{K: rapid.IntRange(1, n/2).Draw(t, "k"), N: n}, RowSize: 16}
		for range n {
			s.Held = append(s.Held, rapid.IntRange(custody.Nowhere, nodes-1).Draw(t, "holder"))
		}
		d.custody.Add(s)
		d.segments = append(d.segments, s)
		d.missing[s.CID] = rapid.SliceOfNDistinct(rapid.IntRange(0, n-1), 0, 1, rapid.ID[int]).Draw(t, "missing")
		d.busy[s.CID] = rapid.IntRange(0, 9).Draw(t, "busy") == 0
		d.ill[s.CID] = rapid.IntRange(0, 9).Draw(t, "ill-coded") == 0
	}
	d.waited = rapid.SampledFrom([]time.Duration{0, 9, 10, Forever}).Draw(t, "waited")
	return d
}

func (d *drawn) view() View {
	v := d.world.view()
	v.Grace = d.grace
	v.Busy = func(s ident.CID) bool { return d.busy[s] }
	v.IllCoded = func(s ident.CID) bool { return d.ill[s] }
	v.Waited = func(ident.CID, int) time.Duration { return d.waited }
	return v
}

// What the model calls the state of a row.
const (
	stays = iota
	leaves
	waitedFor
	gone
)

// rows says of each row of a segment what the rules say of it, one rule after another.
func (d *drawn) rows(s custody.Segment) []int {
	there := 0
	for row, h := range s.Held {
		if h != custody.Nowhere && !slices.Contains(d.missing[s.CID], row) && d.condition[h].Silent == 0 {
			there++
		}
	}
	tooLong := func(c Condition) bool {
		if there-s.Code.K <= 1 && c.Silent >= d.grace/10 {
			return true
		}
		return c.Silent >= d.grace+c.Excused && c.Silent > 0
	}
	states := make([]int, len(s.Held))
	for row, h := range s.Held {
		switch {
		case h == custody.Nowhere, slices.Contains(d.missing[s.CID], row), tooLong(d.condition[h]):
			states[row] = gone
		case d.condition[h].Silent > 0:
			states[row] = waitedFor
		case d.condition[h].Leaving:
			states[row] = leaves
		}
	}
	return states
}

func count(states []int, which ...int) (n int) {
	for _, s := range states {
		if slices.Contains(which, s) {
			n++
		}
	}
	return n
}

// usable reports whether a node may be given anything.
func (d *drawn) usable(c placement.Candidate) bool {
	for h, holder := range d.custody.Holders() {
		if holder.Node == c.Node && d.condition[h] != (Condition{}) {
			return false
		}
	}
	return c.Space > 0 && c.Weight > 0
}

// may lists the operators that may take one more row, when rows in these states stay.
func (d *drawn) may(s custody.Segment, states []int, stay ...int) (who []ident.PublicKey) {
	limit := placement.Share(s.Code, placement.Operators(d.candidates))
	zones, total := d.zones(s, states, stay...)
	for _, c := range d.candidates {
		lawful := zones[c.Zone] < d.mostInZone(s.Code) || total <= s.Code.K+1
		if d.usable(c) && lawful && d.holds(s, states, c.Operator, stay...) < limit {
			who = append(who, c.Operator)
		}
	}
	return who
}

// admitted are the candidates, and the nodes without space of their operators.
func (d *drawn) admitted() []placement.Candidate {
	all := slices.Clone(d.candidates)
	for _, h := range d.custody.Holders() {
		operator := func(c placement.Candidate) bool { return c.Operator == h.Operator }
		node := func(c placement.Candidate) bool { return c.Node == h.Node }
		if slices.ContainsFunc(d.candidates, operator) && !slices.ContainsFunc(d.candidates, node) {
			all = append(all, placement.Candidate{Node: h.Node, Operator: h.Operator, Zone: h.Zone})
		}
	}
	return all
}

func (d *drawn) mostInZone(code erasure.Code) int {
	if placement.LawOf(code, d.admitted()).Zones {
		return code.N - code.K
	}
	return code.N
}

// zones counts the rows in these states that are with admitted operators, by zone and in all.
func (d *drawn) zones(s custody.Segment, states []int, stay ...int) (in map[string]int, total int) {
	in = map[string]int{}
	for row, h := range s.Held {
		if h == custody.Nowhere || !slices.Contains(stay, states[row]) {
			continue
		}
		holder := d.custody.Holders()[h]
		if slices.ContainsFunc(d.admitted(), func(c placement.Candidate) bool { return c.Node == holder.Node }) {
			in[holder.Zone]++
			total++
		}
	}
	return in, total
}

func (d *drawn) holds(s custody.Segment, states []int, operator ident.PublicKey, stay ...int) (n int) {
	for row, h := range s.Held {
		if h != custody.Nowhere && slices.Contains(stay, states[row]) && d.custody.Holders()[h].Operator == operator {
			n++
		}
	}
	return n
}

// wanted says what the model would have done for a segment: rebuild, move or nothing.
func (d *drawn) wanted(s custody.Segment) (rebuild, move bool) {
	states := d.rows(s)
	lost, nowhere := count(states, gone), 0
	for _, h := range s.Held {
		if h == custody.Nowhere {
			nowhere++
		}
	}
	if d.busy[s.CID] {
		return false, false
	}
	if lost > 0 && !d.ill[s.CID] && (lost > nowhere || d.waited >= d.grace/10) && count(states, stays, leaves) >= s.Code.K && len(d.may(s, states, stays, leaves, waitedFor)) > 0 {
		return true, false
	}
	return false, count(states, leaves) > 0 && len(d.may(s, states, stays, waitedFor, gone)) > 0
}

// The plan does what the rules say, read literally, and nothing else; and it is lawful.
func TestPlanAgainstAModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawWorld(t)
		tasks, out := Plan(d.view(), 1000)
		by := map[ident.CID]Task{}
		for i, task := range tasks {
			by[task.Segment.CID] = task
			if i > 0 && tasks[i-1].Life > task.Life {
				t.Fatal("a segment that lives longer comes first")
			}
		}
		lost := 0
		for _, s := range d.segments {
			rebuild, move := d.wanted(s)
			task, planned := by[s.CID]
			if planned != (rebuild || move) || planned && task.Move != move {
				t.Fatalf("segment %v, rows %v: task %+v (%v), want rebuild %v, move %v", s, d.rows(s), task, planned, rebuild, move)
			}
			if planned {
				d.check(t, task)
			}
			if count(d.rows(s), stays, leaves, waitedFor) < s.Code.K {
				lost++
			}
		}
		if out.Segments != len(d.segments) || out.Lost != lost || len(by) != len(tasks) {
			t.Fatalf("outlook %+v, want %d segments, %d lost", out, len(d.segments), lost)
		}
	})
}

// check holds one task against the model.
func (d *drawn) check(t *rapid.T, task Task) {
	s := task.Segment
	states := d.rows(s)
	want := gone
	if task.Move {
		want = leaves
	}
	if want := life(count(states, stays, leaves), s.Code.K); task.Life != want {
		t.Fatalf("it is to live for %v, not for %v", task.Life, want)
	}
	if len(task.To) == 0 || len(task.To) > count(states, want) {
		t.Fatalf("%d rows to place, %d are to be", len(task.To), count(states, want))
	}
	added := map[ident.PublicKey]int{}
	for _, to := range task.To {
		i := slices.IndexFunc(d.candidates, func(c placement.Candidate) bool { return c.Node == to.Node })
		if states[to.Row] != want || i < 0 || !d.usable(d.candidates[i]) {
			t.Fatalf("row %d goes to %v", to.Row, to.Node)
		}
		added[d.candidates[i].Operator]++
	}
	stay := []int{stays, waitedFor, leaves}
	if task.Move {
		stay = []int{stays, waitedFor, gone}
	}
	zones, total := d.zones(s, states, stay...)
	for _, to := range task.To {
		zones[d.zoneOf(to.Node)]++
		total++
	}
	for _, to := range task.To {
		if n := zones[d.zoneOf(to.Node)]; n > d.mostInZone(s.Code) && total > s.Code.K+2 {
			t.Fatalf("a zone gets %d of %d rows of %v", n, total, s.Code)
		}
	}
	for o, n := range added {
		if n+d.holds(s, states, o, stay...) > placement.Share(s.Code, placement.Operators(d.candidates)) {
			t.Fatalf("an operator gets above his share")
		}
	}
	d.checkSources(t, task, states)
}

func (d *drawn) zoneOf(node ident.PublicKey) string {
	i := slices.IndexFunc(d.candidates, func(c placement.Candidate) bool { return c.Node == node })
	return d.candidates[i].Zone
}

func (d *drawn) checkSources(t *rapid.T, task Task, states []int) {
	want := count(states, stays, leaves, waitedFor)
	if task.Move {
		want = len(task.To)
	}
	if len(task.From) != want {
		t.Fatalf("%d sources, want %d", len(task.From), want)
	}
	waiting := false
	for i, from := range task.From {
		if states[from.Row] == gone || d.custody.Holders()[task.Segment.Held[from.Row]].Node != from.Node {
			t.Fatalf("row %d is asked of %v", from.Row, from.Node)
		}
		if task.Move && from.Row != task.To[i].Row {
			t.Fatal("another row is copied than is to be moved")
		}
		if waiting && states[from.Row] != waitedFor {
			t.Fatal("a silent holder is asked before one that answers")
		}
		waiting = states[from.Row] == waitedFor
	}
}

// The order of the candidates changes nothing, and a limit takes the first.
func TestPlanIsTheSameForAllStewards(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawWorld(t)
		a, outA := Plan(d.view(), 1000)
		limit := rapid.IntRange(0, 12).Draw(t, "limit")
		few, _ := Plan(d.view(), limit)
		d.candidates = rapid.Permutation(d.candidates).Draw(t, "order")
		b, outB := Plan(d.view(), 1000)
		if outA != outB || len(a) != len(b) || len(few) != min(limit, len(a)) {
			t.Fatalf("%+v, then %+v; %d of %d", outA, outB, len(few), len(a))
		}
		for i := range a {
			if !sameTask(a[i], b[i]) || i < len(few) && !sameTask(a[i], few[i]) {
				t.Fatalf("%+v, then %+v", a[i], b[i])
			}
		}
	})
}

func sameTask(a, b Task) bool {
	return a.Segment.CID == b.Segment.CID && slices.Equal(a.To, b.To) && slices.Equal(a.From, b.From) && a.Move == b.Move && a.Life == b.Life
}

// However holders fall silent and come back, at most one steward acts on a segment until
// a turn has passed, and at least one does in the end, if it is alive.
func TestOneStewardAtATime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(8)
		s := w.add(1, erasure.Code{K: 3, N: 6}, 0, 1, 2, 3, 4, 5)
		w.missing[s] = []int{0}
		v := w.view()
		alive := 0
		for i := range rapid.IntRange(1, 7).Draw(t, "members") {
			st := Steward{key('o', i), rapid.Bool().Draw(t, "alive")}
			v.Stewards = append(v.Stewards, st)
			if st.Alive {
				alive++
			}
		}
		turns := rapid.IntRange(0, 8).Draw(t, "turns")
		v.Waited = func(ident.CID, int) time.Duration { return time.Duration(turns) * v.Turn }
		acting := 0
		for _, st := range v.Stewards {
			if v.Me = st.Operator; st.Alive {
				tasks, _ := Plan(v, 1)
				acting += len(tasks)
			}
		}
		if want := min(alive, turns+1); acting != want {
			t.Fatalf("%d of %d stewards act after %d turns, want %d", acting, alive, turns, want)
		}
	})
}
