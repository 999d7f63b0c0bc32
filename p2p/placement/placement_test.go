package placement

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"holdfast/erasure"
	"holdfast/internal/ident"
)

// key makes a public key that nobody can sign with: placement only compares keys.
func key(kind byte, n int) ident.PublicKey {
	return ident.PublicKey{kind, byte(n >> 8), byte(n), 1}
}

// plain makes so many operators with one node of 1 TB each, all in one zone.
func plain(operators int) []Candidate {
	out := make([]Candidate, operators)
	for i := range out {
		out[i] = Candidate{Node: key('n', i), Operator: key('o', i), Space: 1 << 40, Weight: Full}
	}
	return out
}

// network draws up to 40 nodes of up to 25 operators in up to 5 zones.
func network(t *rapid.T) []Candidate {
	operators := rapid.IntRange(1, 25).Draw(t, "operators")
	zones := rapid.IntRange(1, 5).Draw(t, "zones")
	nodes := make([]Candidate, rapid.IntRange(operators, 40).Draw(t, "nodes"))
	for i := range nodes {
		o := i
		if i >= operators {
			o = rapid.IntRange(0, operators-1).Draw(t, "operator")
		}
		nodes[i] = Candidate{
			Node:     key('n', i),
			Operator: key('o', o),
			Zone:     fmt.Sprint("z", rapid.IntRange(0, zones-1).Draw(t, "zone")),
			Space:    rapid.SampledFrom([]int64{0, -1, 1, 1 << 30, 1 << 40, 1 << 62}).Draw(t, "space"),
			Weight:   rapid.SampledFrom([]int{Full, Full, 50, 1, 0, -1}).Draw(t, "weight"),
		}
	}
	return nodes
}

func lawful(t *rapid.T) erasure.Code {
	n := rapid.IntRange(2, 24).Draw(t, "n")
	return erasure.Code{K: rapid.IntRange(1, n/2).Draw(t, "k"), N: n}
}

func seeded(n uint64) (seed [32]byte) {
	for i := range 8 {
		seed[i] = byte(n >> (8 * i))
	}
	return seed
}

// perOperator counts shards, and checks that holders exist and have space.
func perOperator(t interface{ Fatalf(string, ...any) }, nodes []Candidate, placed []int) map[ident.PublicKey]int {
	count := make(map[ident.PublicKey]int)
	for shard, i := range placed {
		if i == None {
			continue
		}
		if i < 0 || i >= len(nodes) || !nodes[i].Takes() {
			t.Fatalf("shard %d is on candidate %d, which cannot hold it", shard, i)
		}
		count[nodes[i].Operator]++
	}
	return count
}

func usable(nodes []Candidate) int {
	var with []Candidate
	for _, c := range nodes {
		if c.Takes() {
			with = append(with, c)
		}
	}
	return Operators(with)
}

// The law: at most one shard per operator, or an even share of at most n-k; and
// ErrTooFew exactly when that leaves gaps.
func TestNoOperatorCanDestroy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes, code := network(t), lawful(t)
		placed, err := Choose(seeded(rapid.Uint64().Draw(t, "seed")), rapid.IntRange(0, 9).Draw(t, "segment"), code, nodes)
		if len(placed) != code.N {
			t.Fatalf("%d places for code %v (%v)", len(placed), code, err)
		}
		operators, limit := Operators(nodes), code.N-code.K
		if operators >= code.N {
			limit = 1
		}
		total, most := 0, 0
		for _, n := range perOperator(t, nodes, placed) {
			total += n
			most = max(most, n)
		}
		if most > limit || operators > 1 && most > (code.N+operators-1)/operators {
			t.Fatalf("an operator of %d holds %d shards of %v", operators, most, code)
		}
		few := ErrTooFew{}
		if gaps := code.N - total; (gaps > 0) != errors.As(err, &few) {
			t.Fatalf("%d gaps, error %v", gaps, err)
		} else if gaps > 0 && few.Missing < 1 {
			t.Fatalf("%d gaps, %d operators missing", gaps, few.Missing)
		}
		if err != nil && usable(nodes) >= max(MinOperators(code), min(operators, code.N)) && (usable(nodes) == operators || !LawOf(code, nodes).Zones) {
			t.Fatalf("every operator has space, and still: %v", err)
		}
	})
}

// ErrTooFew names the smallest number of operators that would do.
func TestMissingOperatorsAreEnough(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		code := lawful(t)
		nodes := plain(rapid.IntRange(0, code.N-1).Draw(t, "operators"))
		for i := range nodes {
			nodes[i].Space = int64(rapid.IntRange(0, 1).Draw(t, "space"))
		}
		_, err := Choose([32]byte{}, 0, code, nodes)
		var few ErrTooFew
		if !errors.As(err, &few) {
			return
		}
		for i := range few.Missing {
			nodes = append(nodes, Candidate{Node: key('N', i), Operator: key('O', i), Space: 1, Weight: Full})
		}
		if _, err := Choose([32]byte{}, 0, code, nodes); err != nil {
			t.Fatalf("with the %d missing operators: %v", few.Missing, err)
		}
		if _, err := Choose([32]byte{}, 0, code, nodes[:len(nodes)-1]); err == nil {
			t.Fatalf("%d operators said to be missing, one less would do", few.Missing)
		}
	})
	for _, c := range []struct{ operators, missing int }{{0, 2}, {1, 1}} {
		_, err := Choose([32]byte{}, 0, erasure.Code{K: 4, N: 8}, plain(c.operators))
		if !errors.Is(err, ErrTooFew{c.missing}) {
			t.Errorf("%d operators: %v, want %v", c.operators, err, ErrTooFew{c.missing})
		}
	}
	full := plain(8)
	full[3].Space, full[5].Space = 0, 0
	placed, err := Choose([32]byte{}, 0, erasure.Code{K: 4, N: 8}, full)
	if !errors.Is(err, ErrTooFew{2}) || len(slices.DeleteFunc(placed, func(i int) bool { return i == None })) != 6 {
		t.Errorf("two of eight operators are full: %v, %v", placed, err)
	}
}

func TestUnlawfulCode(t *testing.T) {
	placed, err := Choose([32]byte{}, 0, erasure.Code{K: 5, N: 8}, plain(8))
	if !errors.Is(err, erasure.ErrCode) || placed != nil {
		t.Fatalf("5/8: %v, %v", placed, err)
	}
}

// Any majority is needed: with at least two operators, half of them (rounded down)
// never hold more than n-k shards, as long as codes follow the table.
func TestHalfOfTheOperatorsCannotDestroy(t *testing.T) {
	for operators := 2; operators <= 40; operators++ {
		code, err := erasure.ForOperators(operators)
		if err != nil {
			t.Fatal(err)
		}
		placed, err := Choose(seeded(uint64(operators)), 0, code, plain(operators))
		if err != nil {
			t.Fatal(err)
		}
		if half := operators / 2; len(perOperator(t, plain(operators), placed)) == operators && half > code.N-code.K {
			t.Errorf("%d operators, code %v: %d of them can destroy", operators, code, half)
		}
	}
}

func TestSameForSameSeedWhateverTheOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes, code := network(t), lawful(t)
		seed, segment := seeded(rapid.Uint64().Draw(t, "seed")), rapid.IntRange(0, 1<<20).Draw(t, "segment")
		a, errA := Choose(seed, segment, code, nodes)
		perm := rapid.Permutation(indexes(len(nodes))).Draw(t, "order")
		shuffled := make([]Candidate, len(nodes))
		for i, j := range perm {
			shuffled[i] = nodes[j]
		}
		b, errB := Choose(seed, segment, code, shuffled)
		if !errors.Is(errA, errB) && errA != errB {
			t.Fatalf("%v, then %v", errA, errB)
		}
		for shard := range a {
			if (a[shard] == None) != (b[shard] == None) || a[shard] != None && nodes[a[shard]] != shuffled[b[shard]] {
				t.Fatalf("shard %d depends on the order of the candidates", shard)
			}
		}
	})
}

func indexes(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// A fixed point: a change of the algorithm makes an interrupted upload start anew,
// so it should not happen unnoticed.
func TestKnownPlacement(t *testing.T) {
	placed, err := Choose(seeded(1), 7, erasure.Code{K: 4, N: 8}, plain(12))
	if err != nil {
		t.Fatal(err)
	}
	if want := []int{2, 6, 3, 1, 5, 8, 9, 7}; !slices.Equal(placed, want) {
		t.Errorf("placed %v, want %v", placed, want)
	}
}

// Rendezvous: when an operator leaves, the set of holders loses him and gains one
// other; when he was no holder, nothing changes at all.
func TestLeavingDisplacesNobody(t *testing.T) {
	moved, trials := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		code := lawful(t)
		nodes := plain(code.N + rapid.IntRange(1, 10).Draw(t, "more"))
		for i := range nodes {
			nodes[i].Space = int64(rapid.IntRange(1, 1000).Draw(t, "space"))
		}
		seed := seeded(rapid.Uint64().Draw(t, "seed"))
		leaver := rapid.IntRange(0, len(nodes)-1).Draw(t, "leaver")
		before, err := Choose(seed, 0, code, nodes)
		if err != nil {
			t.Fatal(err)
		}
		nodes[leaver].Space = 0
		after, err := Choose(seed, 0, code, nodes)
		if err != nil {
			t.Fatal(err)
		}
		lost := 0
		for _, i := range before {
			if !slices.Contains(after, i) {
				lost++
				if i != leaver {
					t.Fatalf("node %d had to go because node %d left", i, leaver)
				}
			}
		}
		if !slices.Contains(before, leaver) && !slices.Equal(before, after) {
			t.Fatal("a node without shards left, and shards moved")
		}
		trials++
		for shard := range before {
			if before[shard] != after[shard] {
				moved++
			}
		}
	})
	if moved > 4*trials {
		t.Errorf("%d shards moved in %d departures", moved, trials)
	}
}

// No zone holds more than the evenest spread needs.
func TestZones(t *testing.T) {
	for _, c := range []struct {
		zones map[string]int // operators in each
		want  int            // most shards of 4/8 in one zone
	}{
		{map[string]int{"a": 8}, 8},
		{map[string]int{"a": 8, "b": 8}, 4},
		{map[string]int{"a": 10, "b": 2, "c": 2}, 4},
		{map[string]int{"a": 10, "b": 10, "c": 2}, 3},
		{map[string]int{"a": 20, "b": 1, "c": 1, "d": 1, "e": 1, "f": 1, "g": 1, "h": 1}, 1},
		{map[string]int{"": 4, "b": 6}, 4},
	} {
		var nodes []Candidate
		for zone, n := range c.zones {
			for range n {
				i := len(nodes)
				nodes = append(nodes, Candidate{Node: key('n', i), Operator: key('o', i), Zone: zone, Space: 1, Weight: Full})
			}
		}
		for s := range 50 {
			placed, err := Choose(seeded(3), s, erasure.Code{K: 4, N: 8}, nodes)
			if err != nil {
				t.Fatal(err)
			}
			most := 0
			for _, n := range newLoad(nodes, placed, -1).zone {
				most = max(most, n)
			}
			if most != c.want {
				t.Errorf("zones %v: %d shards in one, want %d", c.zones, most, c.want)
			}
		}
	}
}

// Several nodes of one operator hold as few shards of one segment each as they can.
func TestOperatorSpreadsOverHisNodes(t *testing.T) {
	nodes := plain(2)
	nodes = append(nodes, Candidate{Node: key('n', 2), Operator: key('o', 0), Space: 1, Weight: Full},
		Candidate{Node: key('n', 3), Operator: key('o', 0), Space: 1 << 40, Weight: Full})
	placed, err := Choose(seeded(1), 0, erasure.Code{K: 3, N: 6}, nodes)
	if err != nil {
		t.Fatal(err)
	}
	l := newLoad(nodes, placed, -1)
	if l.node[0] != 1 || l.node[1] != 3 || l.node[2] != 1 || l.node[3] != 1 {
		t.Errorf("shards by node: %v", l.node)
	}
}

func TestCounts(t *testing.T) {
	nodes := append(plain(3), plain(2)...)
	nodes[0].Space = 0
	if n := Operators(nodes); n != 3 {
		t.Errorf("%d operators, want 3", n)
	}
	for _, c := range []erasure.Code{{K: 1, N: 2}, {K: 4, N: 8}, {K: 1, N: 9}, {K: 8, N: 20}} {
		if n := MinOperators(c); n != 2 {
			t.Errorf("code %v: at least %d operators, want 2", c, n)
		}
	}
}

func BenchmarkChoose(b *testing.B) {
	for _, c := range []struct {
		code erasure.Code
		n    int
	}{{erasure.Code{K: 4, N: 8}, 8}, {erasure.Code{K: 8, N: 20}, 100}} {
		b.Run(fmt.Sprintf("%v_of_%d", c.code, c.n), func(b *testing.B) {
			nodes := plain(c.n)
			for i := range b.N {
				if _, err := Choose(seeded(1), i, c.code, nodes); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
