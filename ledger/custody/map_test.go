package custody_test

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/custody"
)

// model is what a Map must be: no order, no sharing, nothing packed.
type model struct {
	holders  []custody.Holder
	segments map[ident.CID]custody.Segment
}

func (m model) clone() model {
	c := model{slices.Clone(m.holders), make(map[ident.CID]custody.Segment)}
	for id, s := range m.segments {
		s.Held = slices.Clone(s.Held)
		c.segments[id] = s
	}
	return c
}

func (m model) sorted() []custody.Segment {
	return slices.SortedFunc(maps.Values(m.segments), func(a, b custody.Segment) int { return a.CID.Compare(b.CID) })
}

// key is a public key for tests; no signature is made with it.
func key(name string) ident.PublicKey {
	return ident.NewPrivateKey(ident.SumRaw([]byte(name)).Hash()).Public()
}

var (
	keys = func() (all []ident.PublicKey) {
		for i := range 12 {
			all = append(all, key(fmt.Sprint(i)))
		}
		return all
	}()
	codes = []erasure.Code{{K: 1, N: 2}, {K: 1, N: 3}, {K: 2, N: 4}, {K: 4, N: 8}, {K: 127, N: 255}}
)

func name(i int) ident.CID { return ident.SumDagCBOR([]byte(fmt.Sprint("segment ", i))) }

// pair is a Map and its model, changed by the same steps.
type pair struct {
	m    *custody.Map
	want model
}

func (p *pair) holder(t *rapid.T) int {
	if len(p.want.holders) == 0 || rapid.IntRange(0, 9).Draw(t, "new holder") == 0 {
		i := rapid.IntRange(0, len(keys)-1).Draw(t, "node")
		h := custody.Holder{Node: keys[i], Operator: keys[i/2], Zone: rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(t, "zone")}
		n := p.m.Holder(h)
		at := slices.IndexFunc(p.want.holders, func(x custody.Holder) bool { return x.Node == h.Node })
		if at < 0 {
			at = len(p.want.holders)
			p.want.holders = append(p.want.holders, h)
		}
		p.want.holders[at] = h
		if n != at {
			t.Fatalf("holder %d has number %d", at, n)
		}
	}
	return rapid.IntRange(custody.Nowhere, len(p.want.holders)-1).Draw(t, "holder")
}

func (p *pair) step(t *rapid.T) {
	id := name(rapid.IntRange(0, 900).Draw(t, "segment"))
	switch rapid.SampledFrom([]string{"add", "add", "add many", "move", "move", "remove", "clone"}).Draw(t, "step") {
	case "add":
		p.add(t, id)
	case "add many":
		for range rapid.IntRange(1, 400).Draw(t, "many") {
			p.add(t, name(rapid.IntRange(0, 900).Draw(t, "segment")))
		}
	case "move":
		h := p.holder(t)
		index := rapid.IntRange(-1, 8).Draw(t, "index")
		s, ok := p.want.segments[id]
		ok = ok && index >= 0 && index < s.Code.N
		if p.m.Move(id, index, h) != ok {
			t.Fatalf("move of shard %d of %v", index, id)
		}
		if ok {
			s.Held[index] = h
		}
	case "remove":
		p.m.Remove(id)
		delete(p.want.segments, id)
	case "clone":
		other := pair{p.m.Clone(), p.want.clone()}
		if rapid.Bool().Draw(t, "go on with the clone") {
			*p, other = other, *p
		}
		p.add(t, id)
		other.m.Remove(id)
		delete(other.want.segments, id)
		other.check(t)
	}
}

func (p *pair) add(t *rapid.T, id ident.CID) {
	code := rapid.SampledFrom(codes).Draw(t, "code")
	s := custody.Segment{CID: id, Code: code, RowSize: rapid.Int64Range(1, erasure.MaxSegment).Draw(t, "row")}
	for range code.N {
		s.Held = append(s.Held, p.holder(t))
		if code.N > 8 {
			s.Held = slices.Repeat(s.Held, code.N)
			break
		}
	}
	p.m.Add(s)
	s.Held = slices.Clone(s.Held)
	p.want.segments[id] = s
}

func (p *pair) check(t *rapid.T) {
	want := p.want.sorted()
	got := slices.Collect(p.m.All())
	if len(got) != len(want) || p.m.Len() != len(want) {
		t.Fatalf("%d segments, counted %d, not %d", len(got), p.m.Len(), len(want))
	}
	for i := range want {
		if !equal(got[i], want[i]) {
			t.Fatalf("segment %d is %v, not %v", i, got[i], want[i])
		}
		if s, ok := p.m.Find(want[i].CID); !ok || !equal(s, want[i]) {
			t.Fatalf("found %v, not %v", s, want[i])
		}
	}
	if !slices.Equal(p.m.Holders(), p.want.holders) {
		t.Fatalf("holders %v, not %v", p.m.Holders(), p.want.holders)
	}
}

func equal(a, b custody.Segment) bool {
	return a.CID == b.CID && a.Code == b.Code && a.RowSize == b.RowSize && slices.Equal(a.Held, b.Held)
}

// A Map does what a simple one does, and so does its clone, whichever is changed.
func TestMapIsItsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := pair{custody.New(), model{segments: make(map[ident.CID]custody.Segment)}}
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			p.step(t)
		}
		p.check(t)
		p.judge(t)
		p.alone(t)
		p.expect(t)
	})
}

// A Map that is filled at once is what it is if segments are added one by one, also where
// names come twice, or begin alike.
func TestFill(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := pair{custody.New(), model{segments: make(map[ident.CID]custody.Segment)}}
		p.holder(t)
		filled := p.m.Clone()
		parts := make([][]custody.Segment, rapid.IntRange(0, 3).Draw(t, "parts"))
		alike := rapid.SampledFrom([]int{0, 1, 9}).Draw(t, "bytes that all names have in common")
		for i := range parts {
			for range rapid.IntRange(0, 700).Draw(t, "segments") {
				s := custody.Segment{CID: alikeName(alike, rapid.IntRange(0, 900).Draw(t, "segment")), Code: rapid.SampledFrom(codes[:4]).Draw(t, "code"), RowSize: 1}
				for range s.Code.N {
					s.Held = append(s.Held, rapid.IntRange(custody.Nowhere, 0).Draw(t, "holder"))
				}
				p.m.Add(s)
				p.want.segments[s.CID] = s
				parts[i] = append(parts[i], s)
			}
		}
		var sequences []iter.Seq[custody.Segment]
		for _, part := range parts {
			sequences = append(sequences, slices.Values(part))
		}
		filled.Fill(sequences...)
		p.check(t)
		p.m = filled
		p.check(t)
		p.step(t)
		p.check(t)
		p.judge(t)
		p.expect(t)
	})
}

// alikeName is a name whose first bytes are zero.
func alikeName(zeros, i int) ident.CID {
	hash := name(i).Hash()
	clear(hash[:zeros])
	return ident.NewCID(ident.DagCBOR, hash)
}

// judge compares a report with one that is counted the long way.
func (p *pair) judge(t *rapid.T) {
	l, gone, lost := p.loss(t)
	got := p.m.Judge(l)
	worst, withstands, nodes := 1<<10, 1<<10, 1<<10
	var lostNames []ident.CID
	margins := map[int]int{}
	var live int64
	for _, s := range p.want.sorted() {
		left, by, byNode := 0, map[ident.PublicKey]int{}, map[ident.PublicKey]int{}
		for i, h := range s.Held {
			if h != custody.Nowhere && !gone[h] && !lost[custody.Shard{Segment: s.CID, Index: i}] {
				left++
				by[p.want.holders[h].Operator]++
				byNode[p.want.holders[h].Node]++
			}
		}
		live += int64(left)
		margins[left-s.Code.K]++
		worst = min(worst, left-s.Code.K)
		withstands, nodes = min(withstands, ledger.Withstands(by, s.Code.K)), min(nodes, ledger.Withstands(byNode, s.Code.K))
		if left < s.Code.K {
			lostNames = append(lostNames, s.CID)
		}
	}
	if !maps.Equal(got.Margins, margins) || got.Live != live || got.LostCount != len(lostNames) || !slices.Equal(got.Lost, lostNames) {
		t.Fatalf("report %+v, not %v, %d live, %v lost", got, margins, live, lostNames)
	}
	if got.Segments > 0 && (got.Worst.Margin() != worst || p.m.Withstands(l) != withstands || p.m.WithstandsNodes(l) != nodes) {
		t.Fatalf("worst %v, withstands %d operators, %d nodes, not %d, %d, %d", got.Worst, p.m.Withstands(l), p.m.WithstandsNodes(l), worst, withstands, nodes)
	}
}

// alone compares what the loss of one party more would do with what it does.
func (p *pair) alone(t *rapid.T) {
	l, gone, lost := p.loss(t)
	got := p.m.Alone(l)
	for domain, of := range map[custody.Domain]func(custody.Holder) string{
		custody.Node:     func(h custody.Holder) string { return h.Node.String() },
		custody.Operator: func(h custody.Holder) string { return h.Operator.String() },
		custody.Zone:     func(h custody.Holder) string { return h.Zone },
	} {
		want, least := false, 0
		for _, s := range p.want.segments {
			left, by := 0, map[string]int{}
			for i, h := range s.Held {
				if h == custody.Nowhere || gone[h] || lost[custody.Shard{Segment: s.CID, Index: i}] {
					continue
				}
				left++
				by[of(p.want.holders[h])]++
			}
			for party, n := range by {
				if margin := left - n - s.Code.K; party != "" && (!want || margin < least) {
					want, least = true, margin
				}
			}
		}
		if a := got[domain]; want != (a.Holder != custody.Nowhere) || want && a.Margin != least {
			t.Fatalf("alone by %s: %+v, not %d (%v)", domain, a, least, want)
		}
	}
}

func (p *pair) loss(t *rapid.T) (*custody.Loss, map[int]bool, map[custody.Shard]bool) {
	l, gone, lost := p.m.Loss(), map[int]bool{}, map[custody.Shard]bool{}
	where := func(match func(custody.Holder) bool) (n int) {
		for i, h := range p.want.holders {
			if match(h) {
				gone[i] = true
				n++
			}
		}
		return n
	}
	for range rapid.IntRange(0, 3).Draw(t, "losses") {
		k := rapid.SampledFrom(keys).Draw(t, "key")
		got, want := 0, 0
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			got, want = l.Node(k), where(func(h custody.Holder) bool { return h.Node == k })
		case 1:
			got, want = l.Operator(k), where(func(h custody.Holder) bool { return h.Operator == k })
		case 2:
			got, want = l.Zone("a"), where(func(h custody.Holder) bool { return h.Zone == "a" })
		default:
			for _, s := range p.want.segments {
				l.Shard(s.CID, 1)
				lost[custody.Shard{Segment: s.CID, Index: 1}] = true
			}
		}
		if got != want {
			t.Fatalf("%d holders lost, not %d", got, want)
		}
	}
	return l, gone, lost
}

// expect compares digests with those of rows that are sorted the long way.
func (p *pair) expect(t *rapid.T) {
	all := p.m.ExpectedAll()
	for h := range p.want.holders {
		var want custody.Digests
		rows := map[int][]custody.Row{}
		for _, s := range p.want.segments {
			for i, at := range s.Held {
				if at == h {
					r := custody.Row{Digest: s.CID.Hash(), Index: uint16(i)}
					rows[r.Bucket()] = append(rows[r.Bucket()], r)
					want.Shards++
					want.Bytes += s.RowSize
				}
			}
		}
		for b, list := range rows {
			slices.SortFunc(list, custody.Row.Compare)
			var encoded []byte
			for _, r := range list {
				encoded = custody.AppendRow(encoded, r)
			}
			want.Buckets[b] = custody.SumBucket(encoded)
			if got := p.m.Bucket(h, b); !slices.Equal(got, list) {
				t.Fatalf("bucket %d of holder %d: %v, not %v", b, h, got, list)
			}
		}
		if all[h] != want || p.m.Expected(h) != want {
			t.Fatalf("digests of holder %d differ", h)
		}
	}
}
