package archtest

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

const sampleDocument = `# Architecture

| not | this one |
|---|---|
| a | b |

| package | may import | why |
|:---|---|---|
| ` + "`top`" + ` | ` + "`mid/...`, `low`" + ` | assembles |
| mid/... | low | |
| mid/special | -
| low | - |

Text between | the | tables.

| package | may import |
|---|---|
| other | low |
`

func TestParseTable(t *testing.T) {
	got, err := ParseTable(strings.NewReader(sampleDocument))
	if err != nil {
		t.Fatal(err)
	}
	want := Table{
		{"top", []Pattern{"mid/...", "low"}},
		{"mid/...", []Pattern{"low"}},
		{"mid/special", nil},
		{"low", nil},
		{"other", []Pattern{"low"}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v; want %v", got, want)
	}
}

func TestParseTableRefuses(t *testing.T) {
	const head = "| package | may import |\n|---|---|\n"
	for what, s := range map[string]string{
		"a row twice":           head + "| a | - |\n| a | - |\n",
		"an empty second cell":  head + "| a | |\n",
		"an empty first cell":   head + "| | a |\n",
		"one column":            head + "| a |\n",
		"a trailing comma":      head + "| a | b, |\n",
		"nothing and something": head + "| a | -, b |\n",
		"two words":             head + "| a | b c |\n",
	} {
		if got, err := ParseTable(strings.NewReader(s)); err == nil {
			t.Errorf("%s: %v", what, got)
		}
	}
	for _, s := range []string{"", head, "| a | b |\n|---|---|\n| c | d |\n", "package may import\n"} {
		if _, err := ParseTable(strings.NewReader(s)); !errors.Is(err, ErrNoTable) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func TestPatternMatch(t *testing.T) {
	for _, c := range []struct {
		p    Pattern
		pkg  string
		want bool
	}{
		{"a", "a", true}, {"a", "a/b", false}, {"a", "ab", false}, {"a/...", "a", true}, {"a/...", "a/b/c", true},
		{"a/...", "ab", false}, {"a/b", "a", false}, {".", ".", true}, {".", "a", false},
	} {
		if c.p.Match(c.pkg) != c.want {
			t.Errorf("%s, %s: %v", c.p, c.pkg, !c.want)
		}
	}
}

// The longest pattern decides, and a package's own row before all.
func TestTableRow(t *testing.T) {
	table := Table{{Package: "a/..."}, {Package: "a/b/..."}, {Package: "a/b"}, {Package: "a/b/c/..."}}
	for pkg, want := range map[string]Pattern{"a": "a/...", "a/x": "a/...", "a/b": "a/b", "a/b/x": "a/b/...", "a/b/c": "a/b/c/...", "b": ""} {
		if row, ok := table.row(pkg); row.Package != want || ok != (want != "") {
			t.Errorf("%s: %v", pkg, row)
		}
	}
}
