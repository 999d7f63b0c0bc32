package ledger_test

import (
	"errors"
	"reflect"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
)

// lanes are sorted, as they stand in a set.
func sortedLanes() []ident.PublicKey {
	var keys []ident.PublicKey
	for i := range 3 {
		keys = append(keys, ledgertest.Key("lane "+strconv.Itoa(i)).Public())
	}
	slices.SortFunc(keys, ident.PublicKey.Compare)
	return keys
}

func entryNamed(name string) ident.CID { return ident.SumDagCBOR([]byte(name)) }

// drawSet draws the set of an entry of lane own.
func drawSet(t *rapid.T, name string, own ident.PublicKey) ledger.Set {
	s := ledger.Set{Lane: own, Entry: entryNamed(name), Lanes: []ledger.LaneSet{}}
	for i, lane := range sortedLanes() {
		label := name + strconv.Itoa(i)
		if n := spansOf(numbers(t, label)); len(n) > 0 {
			upto := entryNamed(rapid.SampledFrom([]string{"x", "y"}).Draw(t, label+" upto"))
			s = s.With(lane, upto, n)
		}
	}
	return s
}

// wireForm sends a reference set through its bytes.
func wireForm(t *rapid.T, r ledger.RefSet) ledger.RefSet {
	p, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	r, err = ledger.ParseRefSet(p)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Law: the full form, and the difference from any earlier set, mean the set itself.
func TestRefSetsComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		own := rapid.SampledFrom(sortedLanes()).Draw(t, "own")
		base, next := drawSet(t, "base", own), drawSet(t, "next", own)
		full, err := wireForm(t, next.Full()).Resolve(own, next.Entry, ledger.Set{})
		if err != nil || !reflect.DeepEqual(full, next) {
			t.Fatalf("full: %v, %v; want %v", full, err, next)
		}
		base.Depth = rapid.IntRange(0, ledger.MaxDeltas-1).Draw(t, "depth")
		delta, err := wireForm(t, next.Since(base)).Resolve(own, next.Entry, base)
		next.Depth = base.Depth + 1
		if err != nil || !reflect.DeepEqual(delta, next) {
			t.Fatalf("delta: %v, %v; want %v", delta, err, next)
		}
	})
}

// Law: resolving follows the definition, whatever the delta says.
func TestDeltaAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		own := sortedLanes()[1]
		base := drawSet(t, "base", own)
		mspans, mdrop := numbers(t, "spans"), numbers(t, "drop")
		r := ledger.RefSet{Base: base.Entry, Lanes: []ledger.LaneRefs{{
			Lane: own, Spans: spansOf(mspans).Pairs(), Drop: spansOf(mdrop).Pairs(),
		}}}
		got, err := r.Resolve(own, entryNamed("next"), base)
		want, held := map[int64]bool{}, true
		for n := int64(0); n < 100; n++ {
			in := base.Contains(own, n)
			held = held && (in || !mdrop[n])
			if in && !mdrop[n] || mspans[n] {
				want[n] = true
			}
		}
		if !held {
			if !errors.Is(err, ledger.ErrRefs) {
				t.Fatalf("drops what is not there: %v", err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		same(t, "own lane", got.Numbers(own), want)
		for _, other := range sortedLanes() {
			if other != own && !slices.Equal(got.Numbers(other), base.Numbers(other)) {
				t.Fatal("a lane that is not named has changed")
			}
		}
	})
}

func TestRefSetRefusals(t *testing.T) {
	lanes := sortedLanes()
	own, other := lanes[0], lanes[1]
	base := ledger.Set{Lane: own, Entry: entryNamed("base")}.With(own, ident.CID{}, ledger.NewSpans(0, 1))
	valid := func() ledger.RefSet {
		return ledger.RefSet{Base: base.Entry, Lanes: []ledger.LaneRefs{
			{Lane: own, Spans: []int64{2, 1}, Drop: []int64{0, 1}},
			{Lane: other, UpTo: entryNamed("upto"), Spans: []int64{7, 3}},
		}}
	}
	for name, spoil := range map[string]func(*ledger.RefSet, *ledger.Set){
		"unsorted lanes":            func(r *ledger.RefSet, _ *ledger.Set) { slices.Reverse(r.Lanes) },
		"a lane twice":              func(r *ledger.RefSet, _ *ledger.Set) { r.Lanes[1].Lane = own },
		"odd spans":                 func(r *ledger.RefSet, _ *ledger.Set) { r.Lanes[0].Spans = []int64{2} },
		"odd drop":                  func(r *ledger.RefSet, _ *ledger.Set) { r.Lanes[0].Drop = []int64{0} },
		"own lane with upto":        func(r *ledger.RefSet, _ *ledger.Set) { r.Lanes[0].UpTo = entryNamed("upto") },
		"other lane without upto":   func(r *ledger.RefSet, _ *ledger.Set) { r.Lanes[1].UpTo = ident.CID{} },
		"upto that is no entry":     func(r *ledger.RefSet, _ *ledger.Set) { r.Lanes[1].UpTo = ident.SumRaw(nil) },
		"base that is no entry":     func(r *ledger.RefSet, _ *ledger.Set) { r.Base = ident.SumRaw(nil) },
		"full set that drops":       func(r *ledger.RefSet, _ *ledger.Set) { r.Base = ident.CID{} },
		"base of another lane":      func(_ *ledger.RefSet, b *ledger.Set) { b.Lane = other },
		"another base":              func(r *ledger.RefSet, _ *ledger.Set) { r.Base = entryNamed("another") },
		"deltas without end":        func(_ *ledger.RefSet, b *ledger.Set) { b.Depth = ledger.MaxDeltas },
		"drop of what base lacks":   func(r *ledger.RefSet, _ *ledger.Set) { r.Lanes[0].Drop = []int64{5, 1} },
		"drop in a lane base lacks": func(r *ledger.RefSet, _ *ledger.Set) { r.Lanes[1].Drop = []int64{0, 1} },
		"empty lane in a full set":  func(r *ledger.RefSet, _ *ledger.Set) { r.Base, r.Lanes[0] = ident.CID{}, ledger.LaneRefs{Lane: own} },
		"more runs than a set may have": func(r *ledger.RefSet, b *ledger.Set) {
			for n := range int64(ledger.MaxSpans) {
				r.Lanes[1].Spans = append(r.Lanes[1].Spans, 20+2*n, 1)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, b := valid(), base
			resolve := func() error {
				p, err := r.Encode()
				if err != nil {
					return err
				}
				read, err := ledger.ParseRefSet(p)
				if err != nil {
					return err
				}
				_, err = read.Resolve(own, entryNamed("next"), b)
				return err
			}
			if err := resolve(); err != nil {
				t.Fatalf("valid: %v", err)
			}
			spoil(&r, &b)
			if err := resolve(); !errors.Is(err, ledger.ErrRefs) {
				t.Errorf("%v", err)
			}
		})
	}
}

// The number of runs is limited in what deltas add up to, too.
func TestRefSetsDoNotGrowWithoutEnd(t *testing.T) {
	own := sortedLanes()[0]
	var half ledger.Spans
	for n := range int64(ledger.MaxSpans/2 + 1) {
		half = append(half, ledger.Span{First: 4 * n, Count: 1})
	}
	base, err := ledger.Set{Lane: own}.With(own, ident.CID{}, half).Full().Resolve(own, entryNamed("base"), ledger.Set{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range half {
		half[i].First += 2
	}
	r := ledger.RefSet{Base: base.Entry, Lanes: []ledger.LaneRefs{{Lane: own, Spans: half.Pairs()}}}
	if _, err := r.Resolve(own, entryNamed("next"), base); !errors.Is(err, ledger.ErrTooLarge) {
		t.Errorf("%v", err)
	}
}
