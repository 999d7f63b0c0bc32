package placement

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"holdfast/erasure"
	"holdfast/internal/ident"
)

// Whatever rows are lost, of whatever placement: who gets one may have it, no operator
// gets above his share by it, and a row stays without a holder only where nobody has
// room.
func TestReplaceKeepsTheLaw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes, code := network(t), lawful(t)
		seed := seeded(rapid.Uint64().Draw(t, "seed"))
		placed, _ := Choose(seeded(rapid.Uint64().Draw(t, "placed by")), 0, code, nodes)
		for i := range nodes { // the world has changed since
			nodes[i].Space *= int64(rapid.IntRange(0, 1).Draw(t, "still there"))
		}
		rows := rapid.SliceOfNDistinct(rapid.IntRange(0, code.N-1), 0, code.N, rapid.ID[int]).Draw(t, "rows")
		got := Replace(seed, code, nodes, placed, rows)
		if len(got) != len(rows) {
			t.Fatalf("%d places for %d rows", len(got), len(rows))
		}
		after := slices.Clone(placed)
		for i, row := range rows {
			after[row] = got[i]
			if got[i] != None && !nodes[got[i]].Takes() {
				t.Fatalf("row %d goes to candidate %d, which takes nothing", row, got[i])
			}
		}
		limit, load := Share(code, Operators(nodes)), newLoad(nodes, after, None)
		zone, danger := LawOf(code, nodes).InZone(code.N), Endangered(code, load.shards())
		for _, i := range got {
			if i != None && load.operator(nodes, i) > limit {
				t.Fatalf("an operator of %d holds %d shards of %v", Operators(nodes), load.operator(nodes, i), code)
			}
			// The last shard that a segment in danger gets ends the danger.
			if i != None && load.zone[nodes[i].Zone] > zone && !Endangered(code, load.shards()-1) {
				t.Fatalf("a zone gets %d of %d shards of %v, %d at most", load.zone[nodes[i].Zone], load.shards(), code, zone)
			}
		}
		if slices.Contains(got, None) {
			for i, c := range nodes {
				if c.Takes() && load.operator(nodes, i) < limit && (danger || load.zone[c.Zone] < zone) {
					t.Fatalf("candidate %d has room, and a row has no holder", i)
				}
			}
		}
		if !slices.Equal(got, Replace(seed, code, nodes, placed, rows)) {
			t.Fatal("not deterministic")
		}
	})
}

// An operator that holds nothing of the segment comes before one that does, whatever
// their spaces; and of several all get their turn.
func TestReplacePrefersOperatorsThatHoldNone(t *testing.T) {
	code := erasure.Code{K: 2, N: 6}
	nodes := plain(4) // fewer than n: a share is two
	nodes[3].Space = 1
	for n := range 50 {
		got := Replace(seeded(uint64(n)), code, nodes, []int{0, 1, 2, 0, 1, None}, []int{5, 4})
		if got[0] != 3 || got[1] != 1 && got[1] != 2 && got[1] != 3 {
			t.Fatalf("the rows go to %v", got)
		}
	}
	first := map[int]int{}
	for n := range 300 {
		got := Replace(seeded(uint64(n)), erasure.Code{K: 2, N: 4}, plain(7), []int{0, 1, 2, None}, []int{3})
		first[got[0]]++
	}
	for i := 3; i < 7; i++ {
		if first[i] < 40 {
			t.Errorf("operator %d got %d of 300 rows", i, first[i])
		}
	}
}

// A node whose standing is a twentieth gets about a twentieth of another's rows.
func TestReplaceWeighsStanding(t *testing.T) {
	nodes := plain(5)
	nodes[4].Weight = Full / 20
	got := map[int]int{}
	for n := range 2100 {
		got[Replace(seeded(uint64(n)), erasure.Code{K: 1, N: 4}, nodes, []int{0, 1, 2, None}, []int{3})[0]]++
	}
	if got[4] < 50 || got[4] > 150 || got[3]+got[4] != 2100 {
		t.Errorf("rows by candidate: %v", got)
	}
}

// A zone that holds fewer shards of the segment comes first.
func TestReplaceSpreadsOverZones(t *testing.T) {
	nodes := plain(6)
	for i := range nodes {
		nodes[i].Zone = "a"
	}
	nodes[5].Zone = "b"
	got := Replace(seeded(1), erasure.Code{K: 2, N: 4}, nodes, []int{0, 1, 2, None}, []int{3})
	if got[0] != 5 {
		t.Errorf("the row goes to zone %q", nodes[got[0]].Zone)
	}
}

// A zone gets no more than n-k where all operators together can keep to that: the row waits
// for a node in another zone. So a segment that is mended stays one that no zone can lose.
func TestReplaceKeepsZonesApart(t *testing.T) {
	code, nodes := erasure.Code{K: 4, N: 8}, zoned(4, 6)
	nodes[0].Space = 0
	placed := []int{0, 1, 2, 3, 4, 5, 6, 7}
	if got := Replace(seeded(1), code, nodes, placed, []int{0}); !slices.Equal(got, []int{None}) {
		t.Errorf("the row of zone z0 goes to %v", got)
	}
	if got := Replace(seeded(1), code, nodes, placed, []int{0, 7}); max(got[0], got[1]) < 7 || min(got[0], got[1]) != None {
		t.Errorf("z1 has room for one of two rows: %v", got)
	}
	nodes[0].Space = 1
	if got := Replace(seeded(1), code, nodes, placed, []int{0}); !slices.Equal(got, []int{0}) {
		t.Errorf("the row goes to %v, not to the healed node", got)
	}
	// Where nobody could keep to it there is no such rule.
	if got := Replace(seeded(1), code, zoned(3, 6), []int{None, 1, 2, 3, 4, 5, 6, 7}, []int{0}); got[0] != 8 && got[0] != 0 {
		t.Errorf("the row goes to %v", got)
	}
	nodes = zoned(3, 6)
	nodes[0].Space = 0
	if got := Replace(seeded(1), code, nodes, []int{None, 1, 2, 3, 4, 5, 6, 7}, []int{0}); got[0] != 8 {
		t.Errorf("the row goes to %v, and one operator has none", got)
	}
}

// When a zone is gone, what is left can afford to wait for it as long as it can lose two
// shards more, and no longer.
func TestReplaceWhenAZoneIsGone(t *testing.T) {
	code, nodes := erasure.Code{K: 4, N: 8}, zoned(4, 8)
	for i := range 4 {
		nodes[i].Space = 0
	}
	got := Replace(seeded(1), code, nodes, []int{0, 1, 2, 3, 4, 5, 6, 7}, []int{0, 1, 2, 3})
	if got[0] < 8 || got[1] < 8 || got[2] != None || got[3] != None {
		t.Errorf("four shards are left, which all have to live: %v", got)
	}
}

// The node that has lost its row gets it again where all other operators hold one.
func TestReplaceOnTheHealedNode(t *testing.T) {
	got := Replace(seeded(1), erasure.Code{K: 4, N: 8}, plain(8), []int{0, 1, 2, 3, 4, 5, 6, 7}, []int{6})
	if !slices.Equal(got, []int{6}) {
		t.Errorf("the row goes to %v", got)
	}
	nodes := plain(8)
	nodes[6].Space = 0
	if got := Replace(seeded(1), erasure.Code{K: 4, N: 8}, nodes, []int{0, 1, 2, 3, 4, 5, None, 7}, []int{6}); got[0] != None {
		t.Errorf("the row goes to %v, which holds another", got)
	}
	nodes = append(nodes, Candidate{Node: key('n', 60), Operator: nodes[6].Operator, Space: 1, Weight: Full})
	if got := Replace(seeded(1), erasure.Code{K: 4, N: 8}, nodes, []int{0, 1, 2, 3, 4, 5, None, 7}, []int{6}); got[0] != 8 {
		t.Errorf("the row goes to %v, not to the operator's other node", got)
	}
}

// On record nobody is ever above his share, whichever of the rows arrive: an operator is
// given another's row only where his own lost ones have new holders too.
func TestReplaceGivesOwnRowsFirst(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes, code := network(t), lawful(t)
		placed, _ := Choose(seeded(rapid.Uint64().Draw(t, "placed by")), 0, code, nodes)
		for i := range nodes {
			nodes[i].Space *= int64(rapid.IntRange(0, 1).Draw(t, "still there"))
		}
		rows := rapid.SliceOfNDistinct(rapid.IntRange(0, code.N-1), 0, code.N, rapid.ID[int]).Draw(t, "rows")
		record := slices.Clone(placed)
		for i, to := range Replace(seeded(1), code, nodes, placed, rows) {
			if to != None {
				record[rows[i]] = to
			}
		}
		limit, load := Share(code, Operators(nodes)), newLoad(nodes, record, None)
		for i := range nodes {
			if load.operator(nodes, i) > limit {
				t.Fatalf("an operator has %d shards of %v on record, %d at most", load.operator(nodes, i), code, limit)
			}
		}
	})
	// All have lost theirs, and are there again: each gets his own.
	for n := range 50 {
		got := Replace(seeded(uint64(n)), erasure.Code{K: 2, N: 4}, plain(4), []int{0, 1, 2, 3}, []int{0, 1, 2, 3})
		if !slices.Equal(got, []int{0, 1, 2, 3}) {
			t.Fatalf("places %v", got)
		}
	}
	// The second of two lost rows is the only operator's own.
	nodes := plain(4)
	nodes[0].Space, nodes[1].Space, nodes[2].Space = 0, 0, 0
	got := Replace(seeded(1), erasure.Code{K: 2, N: 4}, nodes, []int{0, 1, 2, 3}, []int{0, 3})
	if !slices.Equal(got, []int{None, 3}) {
		t.Errorf("places %v", got)
	}
}

// What names nothing is a gap, not a panic.
func TestReplaceOfNonsense(t *testing.T) {
	if got := Replace([32]byte{}, erasure.Code{K: 1, N: 2}, plain(2), []int{-7, 99}, []int{0, 1, 5}); len(got) != 3 {
		t.Errorf("places %v", got)
	}
	if got := Replace([32]byte{}, erasure.Code{K: 1, N: 2}, nil, nil, []int{0}); !slices.Equal(got, []int{None}) {
		t.Errorf("places among nobody: %v", got)
	}
}

func TestOperatorsOfReplaceCount(t *testing.T) {
	nodes := plain(3)
	nodes[2] = Candidate{Operator: ident.PublicKey{9}} // admitted, and out of reach
	got := Replace(seeded(4), erasure.Code{K: 1, N: 3}, nodes, []int{0, 1, None}, []int{2})
	if got[0] != None {
		t.Errorf("an operator of three gets two of three shards")
	}
}
