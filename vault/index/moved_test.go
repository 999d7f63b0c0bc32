package index

import (
	"cmp"
	"reflect"
	"slices"
	"testing"

	"holdfast/internal/ident"
)

func move(shard int, node byte, time int64) Move {
	return Move{Segment: cid("s"), Shard: shard, Node: lane(node), Operator: lane(node / 10), Time: time, Receipt: cid(string(rune('a' + node)))}
}

func moves(t *testing.T, x *Index) []Move {
	t.Helper()
	s, ok, err := x.Segment(cid("s"))
	if err != nil || !ok {
		t.Fatalf("segment: %v, %v", ok, err)
	}
	slices.SortFunc(s.Moves, func(a, b Move) int { return cmp.Compare(a.Shard, b.Shard) })
	return s.Moves
}

// The newest move of each operator for each shard is known, whether the move or the
// segment was known first, and whatever is said of the segment again.
func TestMoves(t *testing.T) {
	each(t, func(t *testing.T, x *Index) {
		nodes := []ident.PublicKey{lane(1), lane(2), {}}
		s := Segment{CID: cid("s"), Lane: lane(1), Descriptor: []byte{1}, Nodes: nodes}
		must(t, x.AddMoves(lane(9), Cursor{Next: 3}, []Move{move(1, 7, 10)}, nil))
		must(t, x.AddSegments(cid("entry"), []Segment{s}))
		if got := moves(t, x); !reflect.DeepEqual(got, []Move{move(1, 7, 10)}) {
			t.Errorf("moves %v", got)
		}
		must(t, x.AddMoves(lane(9), Cursor{Next: 5}, []Move{move(1, 6, 9), move(1, 5, 10), move(2, 5, 11)}, nil))
		must(t, x.AddSegments(cid("entry"), []Segment{s}))
		want := []Move{move(1, 7, 10), move(2, 5, 11)} // of two at one time the receipt with the greater name
		if cid("h").Compare(cid("f")) < 0 {
			want[0] = move(1, 5, 10)
		}
		if got := moves(t, x); !reflect.DeepEqual(got, want) {
			t.Errorf("moves %v", got)
		}
		must(t, x.AddMoves(lane(8), Cursor{Next: 1}, []Move{move(1, 4, 12)}, nil))
		if got := moves(t, x); len(got) != 2 || got[0] != move(1, 4, 12) {
			t.Errorf("the newest move is not known: %v", got)
		}
		must(t, x.AddMoves(lane(8), Cursor{Next: 2}, []Move{move(1, 99, 1<<50)}, nil))
		if got := moves(t, x); len(got) != 3 || !slices.Contains(got, move(1, 4, 12)) || !slices.Contains(got, move(1, 99, 1<<50)) {
			t.Errorf("another operator's word has erased a move: %v", got)
		}
		if got, _, _ := x.Segment(cid("s")); !slices.Equal(got.Nodes, nodes) {
			t.Errorf("what the entry says has changed: %v", got.Nodes)
		}
		var all []Move
		for m, err := range x.Moves() {
			must(t, err)
			all = append(all, m)
		}
		if len(all) != 3 || !slices.Contains(all, move(1, 4, 12)) {
			t.Errorf("moves: %+v", all)
		}
		if err := x.AddMoves(lane(8), Cursor{}, []Move{move(256, 1, 1)}, nil); err == nil {
			t.Error("a shard that cannot be is taken in")
		}
	})
}

func TestMovesAreOnTheDisk(t *testing.T) {
	c := config(t)
	x := reopen(t, c)
	at := Cursor{Store: [8]byte{1, 2}, Next: 77}
	must(t, x.AddMoves(lane(9), at, []Move{move(3, 7, 1<<40)}, []Holder{
		{Node: lane(7), Operator: lane(3), Zone: "north", Name: "op", Serial: 5},
		{Node: lane(7), Operator: lane(3), Zone: "south", Serial: 4},
		{Node: lane(7), Operator: lane(4), Zone: "taken over", Serial: 9},
	}))
	must(t, x.Close())
	x = reopen(t, c)
	if got, err := x.Cursor(lane(9)); err != nil || got != at {
		t.Errorf("cursor %v, %v", got, err)
	}
	if got, err := x.Cursor(lane(8)); err != nil || got != (Cursor{}) {
		t.Errorf("cursor of a member that has shown nothing: %v, %v", got, err)
	}
	for m, err := range x.Moves() {
		if err != nil || m != move(3, 7, 1<<40) {
			t.Errorf("move %+v, %v", m, err)
		}
	}
	holders, err := x.Holders()
	if err != nil || len(holders) != 1 || holders[0] != (Holder{Node: lane(7), Operator: lane(3), Zone: "north", Name: "op", Serial: 5}) {
		t.Errorf("holders %+v, %v", holders, err)
	}
}
