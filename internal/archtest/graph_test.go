package archtest

import (
	"reflect"
	"strings"
	"testing"
)

func sampleTable(t *testing.T) Table {
	table, err := ParseTable(strings.NewReader(sampleDocument))
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// sampleGraph obeys the sample table.
func sampleGraph() Graph {
	return Graph{
		"m/top":         {"fmt", "m/low", "m/mid", "m/mid/x"},
		"m/mid":         {"m/low", "example.com/else"},
		"m/mid/x":       {"m/low"},
		"m/mid/special": {"fmt"},
		"m/low":         nil,
		"m/other":       nil,
	}
}

func TestCheck(t *testing.T) {
	for what, c := range map[string]struct {
		change func(Graph)
		want   []string
	}{
		"obedient": {func(Graph) {}, nil},
		"upwards": {func(g Graph) { g["m/low"] = []string{"fmt", "m/top"} },
			[]string{"low imports top, which row low does not allow"}},
		"a special row is stricter": {func(g Graph) { g["m/mid/special"] = []string{"m/low"} },
			[]string{"mid/special imports low, which row mid/special does not allow"}},
		"sideways": {func(g Graph) { g["m/mid/x"] = []string{"m/mid"} },
			[]string{"mid/x imports mid, which row mid/... does not allow"}},
		"a package without a row": {func(g Graph) { g["m/new"] = nil; g["m"] = nil },
			[]string{". has no row", "new has no row"}},
		"a row without a package": {func(g Graph) { delete(g, "m/other") },
			[]string{"row other: there is no package other"}},
		"an entry without a package": {func(g Graph) { delete(g, "m/mid"); delete(g, "m/mid/x"); delete(g, "m/mid/special"); g["m/top"] = nil },
			[]string{"row mid/...: there is no package mid/...", "row mid/special: there is no package mid/special", "row top: there is no package mid/..."}},
	} {
		g := sampleGraph()
		c.change(g)
		if got := g.Check("m", sampleTable(t)); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %q; want %q", what, got, c.want)
		}
	}
}

func TestImporters(t *testing.T) {
	g := Graph{
		"m/p2p":      {"github.com/lib/core"},
		"m/p2p/rpc":  {"github.com/lib/core/host"},
		"m/p2punder": {"github.com/lib/core"},
		"m/node":     {"fmt", "github.com/lib/core/peer"},
		"m/store":    {"github.com/library"},
	}
	if got, want := g.Importers("github.com/lib/", "m/p2p"), []string{"m/node", "m/p2punder"}; !reflect.DeepEqual(got, want) {
		t.Errorf("%q; want %q", got, want)
	}
}

func TestWithin(t *testing.T) {
	closure := []string{"fmt", "m/seal", "m/sealant", "m/vault/object", "filippo.io/age/internal/stream", "filippo.io/edwards25519"}
	want := []string{"m/seal", "m/vault/object", "filippo.io/age/internal/stream"}
	if got := Within(closure, "filippo.io/age", "m/seal", "m/vault"); !reflect.DeepEqual(got, want) {
		t.Errorf("%q; want %q", got, want)
	}
}

// What the go command says about this package, which changes seldom.
func TestListAndClosure(t *testing.T) {
	g, err := List(t.Context(), ".", "linux")
	if err != nil {
		t.Fatal(err)
	}
	if imports := strings.Join(g["holdfast/internal/archtest"], " "); len(g) != 1 || !strings.Contains(imports, "os/exec") || strings.Contains(imports, "testing") {
		t.Errorf("%q", g)
	}
	closure, err := Closure(t.Context(), ".", "linux", ".")
	if err != nil || len(Within(closure, "holdfast/internal/archtest", "syscall")) < 2 {
		t.Errorf("%q, %v", closure, err)
	}
	if _, err := Closure(t.Context(), ".", "linux", "holdfast/no/such/package"); err == nil || !strings.Contains(err.Error(), "no/such/package") {
		t.Error(err)
	}
}
