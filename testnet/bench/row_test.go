package bench

import (
	"errors"
	"slices"
	"testing"
)

func TestSpread(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   Spread
	}{
		{nil, Spread{}},
		{[]float64{3}, Spread{3, 3, 3}},
		{[]float64{9, 1, 4}, Spread{4, 1, 9}},
		{[]float64{4, 1, 9, 2}, Spread{3, 1, 9}},
	} {
		if got := spread(slices.Clone(c.values)); got != c.want {
			t.Errorf("%v: %+v", c.values, got)
		}
	}
}

func TestLatency(t *testing.T) {
	var times []float64
	for i := range 100 {
		times = append(times, float64(100-i))
	}
	if l := latencyOf(times); l != (Latency{100, 50, 99}) {
		t.Errorf("%+v", l)
	}
	if l := latencyOf([]float64{5, 1}); l != (Latency{2, 1, 5}) {
		t.Errorf("%+v", l)
	}
	if l := latencyOf(nil); l != (Latency{}) {
		t.Errorf("%+v", l)
	}
}

func TestSummarize(t *testing.T) {
	put := func(seconds, cpu float64, memory int64) sample {
		return sample{part: Put, source: SourceFile, op: "put", bytes: 2e9, files: 1, client: cost{seconds, cpu, memory},
			nodesCPU: 2 * cpu, nodesPeak: 3 * memory, restCPU: cpu / 2, floor: Floor{Terms: []Term{{CPU: cpu}}, Cores: 2}}
	}
	commit := sample{source: SourceSmall, op: "commit", bytes: 1, times: []float64{3, 1, 2}, client: cost{seconds: 6}, segments: 2}
	rows := summarize([]sample{put(10, 8, 7), commit, put(20, 2, 5), put(5, 4, 6), commit})
	if len(rows) != 2 {
		t.Fatalf("%+v", rows)
	}
	r := rows[0]
	if r.Runs != 3 || r.Seconds != (Spread{10, 5, 20}) || r.MBps != (Spread{200, 100, 400}) {
		t.Errorf("%+v", r)
	}
	if r.ClientCPU != 2 || r.NodesCPU != 4 || r.RestCPU != 1 || r.ClientMem != 7 || r.NodeMem != 21 || r.Floor.CPU() != 4 {
		t.Errorf("%+v", r)
	}
	if c := rows[1]; c.Runs != 2 || c.Latency != (Latency{6, 2, 3}) || c.MBps != (Spread{}) || c.Segments != 2 || c.ClientCPU != 0 {
		t.Errorf("%+v", c)
	}
}

func TestMergePrimitives(t *testing.T) {
	got := merge([]Primitive{{"a", 1, 10, 2, 5}, {"b", 9, 9, 8, 9}, {"a", 3, 30, 2, 1}, {"a", 2, 20, 2, 3}})
	if want := []Primitive{{"a", 2, 20, 2, 3}, {"b", 9, 9, 8, 9}}; !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
}

func TestParts(t *testing.T) {
	all, err := ParseParts(nil)
	if err != nil || !slices.Equal(all, Parts()) {
		t.Errorf("%v, %v", all, err)
	}
	if p, err := ParseParts([]string{"get", " tree"}); err != nil || !slices.Equal(p, []Part{Get, Tree}) {
		t.Errorf("%v, %v", p, err)
	}
	if _, err := ParseParts([]string{"put", "everything"}); !errors.Is(err, ErrPart) {
		t.Error(err)
	}
}

// What a part needs runs with it.
func TestChoose(t *testing.T) {
	for _, c := range []struct {
		parts               []Part
		file, tree, network bool
	}{
		{[]Part{Primitives}, false, false, false},
		{[]Part{Commit}, false, false, true},
		{[]Part{Range}, true, false, true},
		{[]Part{Tree}, false, true, true},
		{[]Part{Again}, true, true, true},
		{[]Part{Degraded, Get}, true, false, true},
		{[]Part{Changed, Tree}, false, true, true},
		{Parts(), true, true, true},
	} {
		got := choose(c.parts)
		if got.file != c.file || got.tree != c.tree || got.network() != c.network {
			t.Errorf("%v: %+v", c.parts, got)
		}
		if got.parts[Put] != c.file || got.parts[Tree] != c.tree {
			t.Errorf("%v: without what it needs", c.parts)
		}
	}
}
