package custody_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/ledger/custody"
)

// mapOf is a Map of nodes, written as operator and zone ("a1" is in zone 1, "a" in none),
// and of segments, each the nodes of its shards by number, - for none.
func mapOf(code erasure.Code, nodes []string, segments ...[]int) *custody.Map {
	m := custody.New()
	for i, n := range nodes {
		m.Holder(custody.Holder{Node: key(fmt.Sprint("node ", i)), Operator: key(n[:1]), Zone: n[1:]})
	}
	for i, held := range segments {
		m.Add(custody.Segment{CID: name(i), Code: code, RowSize: int64(i + 1), Held: held})
	}
	return m
}

func TestLaw(t *testing.T) {
	const none = custody.Nowhere
	code := erasure.Code{K: 2, N: 4} // no more than 2 of them together
	for what, c := range map[string]struct {
		nodes []string
		zones int
		held  []int
		want  []custody.Violation
	}{
		"one each":                   {[]string{"a1", "b2", "c1", "d2"}, 2, []int{0, 1, 2, 3}, nil},
		"two of an operator":         {[]string{"a1", "a1", "b2", "c2"}, 2, []int{0, 1, 2, 3}, nil},
		"three of an operator":       {[]string{"a1", "a2", "a3", "c4"}, 4, []int{0, 1, 2, 3}, []custody.Violation{{Domain: custody.Operator, Shards: 3, Most: 2}}},
		"three on a node":            {[]string{"a1", "b2"}, 1, []int{1, 0, 1, 1}, []custody.Violation{{Domain: custody.Node, Holder: 1, Shards: 3, Most: 2}, {Domain: custody.Operator, Holder: 1, Shards: 3, Most: 2}}},
		"three in a zone":            {[]string{"a1", "b1", "c1", "d2"}, 2, []int{3, 0, 1, 2}, []custody.Violation{{Domain: custody.Zone, Holder: 0, Shards: 3, Most: 2}}},
		"three in the only zone":     {[]string{"a1", "b1", "c1", "d1"}, 1, []int{0, 1, 2, 3}, nil},
		"three of no zone":           {[]string{"a", "b", "c", "d2"}, 2, []int{0, 1, 2, 3}, nil},
		"what nobody has counts not": {[]string{"a1", "b1"}, 2, []int{0, none, none, 1}, nil},
	} {
		t.Run(what, func(t *testing.T) {
			m := mapOf(code, c.nodes, c.held, []int{none, none, none, none})
			first, n := m.Law(c.zones, 10)
			for i := range c.want {
				c.want[i].Segment = name(0)
			}
			if n != len(c.want) || !slices.Equal(first, c.want) {
				t.Errorf("%d: %+v, not %+v", n, first, c.want)
			}
			if first, m := m.Law(c.zones, 0); m != n || len(first) != 0 {
				t.Errorf("%d of %d without room for any", len(first), m)
			}
		})
	}
}

func TestEffective(t *testing.T) {
	code := erasure.Code{K: 1, N: 2}
	near := func(got, want float64) bool { return math.Abs(got-want) < 1e-9 }
	even := mapOf(code, []string{"a1", "b1", "c2", "d2"}, []int{0, 1}, []int{2, 3})
	if e := even.Effective(); !near(e.Operators, 4) || !near(e.Zones, 2) || !near(e.Largest, 0.25) {
		t.Errorf("spread evenly: %+v", e)
	}
	// Of 6 shards 3 are with one, and of 3 bytes on two shards each he has 3 of 12.
	uneven := mapOf(code, []string{"a1", "b2", "c2", "d2"}, []int{0, 1}, []int{0, 2}, []int{0, 3})
	e := uneven.Effective()
	if !near(e.Operators, 1/(0.25+3./36)) || !near(e.Zones, 2) || !near(e.Largest, 0.5) || !near(e.OperatorBytes, 1/(0.25+(1.+4+9)/144)) || !near(e.ZoneBytes, 2) {
		t.Errorf("spread unevenly: %+v", e)
	}
	if e := custody.New().Effective(); e != (custody.Effective{}) {
		t.Errorf("of nothing: %+v", e)
	}
	held := uneven.Held()
	if held[0] != (custody.Held{Shards: 3, Bytes: 6}) || held[3] != (custody.Held{Shards: 1, Bytes: 3}) {
		t.Errorf("held %v", held)
	}
}

// Without segments nothing is lost, whoever goes.
func TestEmptyMap(t *testing.T) {
	m := mapOf(erasure.Code{}, []string{"a1", "b2", "b2"})
	l := m.Loss()
	if n := l.Operator(key("b")); n != 2 {
		t.Errorf("%d holders of an operator", n)
	}
	if r := m.Judge(l); r.Segments != 0 || r.LostCount != 0 || r.Worst.Segment.Defined() || len(r.Margins) != 0 {
		t.Errorf("%+v", r)
	}
	if n := m.Withstands(l); n != 2 {
		t.Errorf("withstands %d", n)
	}
	if _, ok := m.Find(name(0)); ok || m.Move(name(0), 0, 0) {
		t.Error("it has a segment")
	}
	m.Remove(name(0))
	if d := m.Expected(0); d != (custody.Digests{}) || len(m.Bucket(0, 0)) != 0 {
		t.Error("it expects something")
	}
}

// The list of lost segments ends; the count does not.
func TestManyLost(t *testing.T) {
	var held [][]int
	for range custody.MaxLost + 5 {
		held = append(held, []int{0, 0})
	}
	m := mapOf(erasure.Code{K: 1, N: 2}, []string{"a1"}, held...)
	l := m.Loss()
	l.Holder(0)
	l.Holder(custody.Nowhere) // is none
	r := m.Judge(l)
	if len(r.Lost) != custody.MaxLost || r.LostCount != custody.MaxLost+5 || r.Worst.Margin() != -1 || m.Withstands(l) != -1 || r.LostBytes != r.Bytes {
		t.Errorf("%d named of %d", len(r.Lost), r.LostCount)
	}
}

// A node that two operators have certified is two holders, and is lost as one.
func TestNodeOfTwoOperators(t *testing.T) {
	m := custody.New()
	a := m.Holder(custody.Holder{Node: keys[0], Operator: keys[1], Zone: "old"})
	b := m.Holder(custody.Holder{Node: keys[0], Operator: keys[2]})
	if again := m.Holder(custody.Holder{Node: keys[0], Operator: keys[1], Zone: "new"}); again != a || a == b || m.Holders()[a].Zone != "new" {
		t.Errorf("numbers %d, %d, %d", a, b, again)
	}
	if of := m.Of(keys[0]); !slices.Equal(of, []int{a, b}) {
		t.Errorf("of the node: %v", of)
	}
	if n := m.Loss().Node(keys[0]); n != 2 {
		t.Errorf("%d holders lost", n)
	}
}

// There are numbers for so many holders, and no more.
func TestTooManyHolders(t *testing.T) {
	m := custody.New()
	for i := range custody.MaxHolders + 2 {
		h := custody.Holder{Node: ident.PublicKey{byte(i), byte(i >> 8), byte(i >> 16)}}
		want := i
		if i >= custody.MaxHolders {
			want = custody.Nowhere
		}
		if n := m.Holder(h); n != want {
			t.Fatalf("holder %d has number %d", i, n)
		}
	}
	m.Add(custody.Segment{CID: name(0), Code: erasure.Code{K: 1, N: 2}, RowSize: 1, Held: []int{custody.MaxHolders - 1, custody.Nowhere}})
	if r := m.Judge(nil); r.Live != 1 {
		t.Errorf("%d shards live", r.Live)
	}
}
