package placement

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"holdfast/erasure"
)

// zoned makes operators with one node each: zones[i] operators in zone "z<i>".
func zoned(zones ...int) []Candidate {
	var out []Candidate
	for zone, n := range zones {
		for range n {
			c := plain(len(out) + 1)[len(out)]
			c.Zone = fmt.Sprint("z", zone)
			out = append(out, c)
		}
	}
	return out
}

func TestLaw(t *testing.T) {
	for _, c := range []struct {
		code  erasure.Code
		zones []int
		kept  bool
	}{
		{erasure.Code{K: 4, N: 8}, []int{8}, false},
		{erasure.Code{K: 4, N: 8}, []int{4, 4}, true},
		{erasure.Code{K: 4, N: 8}, []int{5, 3}, false}, // 5 and 3, however they are dealt
		{erasure.Code{K: 4, N: 8}, []int{5, 4}, true},
		{erasure.Code{K: 4, N: 8}, []int{1, 1}, true}, // of four shards each
		{erasure.Code{K: 2, N: 4}, []int{2, 1, 1}, true},
		{erasure.Code{K: 1, N: 3}, []int{2, 1}, true},
		{erasure.Code{K: 8, N: 20}, []int{12, 9}, true},
		{erasure.Code{K: 8, N: 20}, []int{13, 7}, false},
	} {
		law := LawOf(c.code, zoned(c.zones...))
		if law.Zones != c.kept || law.Most != c.code.N-c.code.K {
			t.Errorf("code %v, zones of %v operators: %+v", c.code, c.zones, law)
		}
	}
	// An operator with nodes in two zones counts where there is room.
	nodes := zoned(5, 2)
	nodes = append(nodes, nodes[0])
	nodes[7].Node, nodes[7].Zone = key('N', 0), "z1"
	if LawOf(erasure.Code{K: 4, N: 7}, nodes).Zones {
		t.Error("seven shards on five and two operators, of which n-k is three")
	}
	if !LawOf(erasure.Code{K: 3, N: 7}, nodes).Zones {
		t.Error("one of the five has a node in the other zone")
	}
}

// While operators are out of space no zone gets more than may be lost together, if it
// would not with them; the shard waits. Spares keep to the same.
func TestZoneLawWhileOperatorsAreOut(t *testing.T) {
	code := erasure.Code{K: 6, N: 12}
	nodes := zoned(10, 6)
	for i := range 2 {
		nodes[10+i].Space = 0
	}
	for segment := range 20 {
		placed, err := Choose(seeded(5), segment, code, nodes)
		if err == nil {
			t.Fatal("ten shards are called twelve")
		}
		if got := newLoad(nodes, placed, None).zone; got["z0"] != 6 || got["z1"] != 4 {
			t.Fatalf("shards by zone: %v", got)
		}
		if all := LawOf(code, nodes).Breaches(nodes, placed); len(all) > 0 {
			t.Fatalf("breaches: %v", all)
		}
		for shard, i := range placed {
			for _, spare := range Spares(seeded(5), segment, code, nodes, placed, shard) {
				if i == None && nodes[spare].Zone == "z0" {
					t.Fatalf("a seventh shard for a zone is offered to node %d", spare)
				}
			}
		}
	}
}

// Where the law cannot be kept, everything is placed, and who breaks it is named.
func TestBreachesAreNamed(t *testing.T) {
	code := erasure.Code{K: 4, N: 8}
	nodes := zoned(6, 2)
	placed, err := Choose(seeded(1), 0, code, nodes)
	if err != nil {
		t.Fatal(err)
	}
	all := LawOf(code, nodes).Breaches(nodes, placed)
	if len(all) != 1 || all[0] != (Breach{Zone: "z0", Shards: 6, Most: 4}) {
		t.Errorf("breaches: %v", all)
	}
	for i := range placed {
		placed[i] = i % 2
	}
	placed[0] = 1
	all = LawOf(code, nodes).Breaches(nodes, placed)
	if len(all) != 2 || all[0].Zone != "z0" || all[1].Operator != nodes[1].Operator || all[1].Shards != 5 {
		t.Errorf("breaches: %v", all)
	}
}

// What is chosen with all operators there breaks the law only where it cannot be kept.
func TestChooseKeepsTheLaw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var zones []int
		for range rapid.IntRange(1, 5).Draw(t, "zones") {
			zones = append(zones, rapid.IntRange(1, 9).Draw(t, "operators"))
		}
		nodes, code := zoned(zones...), lawful(t)
		for i := range nodes {
			nodes[i].Space = int64(rapid.IntRange(0, 9).Draw(t, "space"))
		}
		placed, _ := Choose(seeded(rapid.Uint64().Draw(t, "seed")), 0, code, nodes)
		law := LawOf(code, nodes)
		for _, b := range law.Breaches(nodes, placed) {
			if law.Zones || !b.Operator.IsZero() {
				t.Fatalf("zones of %v operators, code %v: %v", zones, code, b)
			}
		}
	})
}
