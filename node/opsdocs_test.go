package node

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.yaml.in/yaml/v3"

	"holdfast/ledger/ledgertest"
)

// metricLabels returns the names of this program's metrics, each with its labels.
func metricLabels(t *testing.T) map[string][]string {
	t.Helper()
	dir := newNode(t, "one")
	n := start(t, dir, ledgertest.Start)
	defer n.end()
	descs := make(chan *prometheus.Desc)
	go func() {
		defer close(descs)
		n.registry.Describe(descs)
	}()
	form := regexp.MustCompile(`fqName: "(holdfast_[a-z0-9_]+)".*constLabels: \{(.*?)\}, variableLabels: \{(.*?)\}`)
	found := map[string][]string{}
	for d := range descs {
		m := form.FindStringSubmatch(d.String())
		if m == nil {
			continue // of the Go runtime, or the process
		}
		labels := strings.FieldsFunc(m[3], func(r rune) bool { return r == ',' })
		for _, l := range strings.FieldsFunc(m[2], func(r rune) bool { return r == ',' }) {
			name, _, _ := strings.Cut(l, "=")
			labels = append(labels, name)
		}
		found[m[1]] = labels
	}
	if len(found) < 40 {
		t.Fatalf("only %d metrics", len(found))
	}
	return found
}

// named returns the metrics that a text names, parts of histograms by their whole.
// What `backup` writes is cmd's, and its tests'.
func named(text string) []string {
	var names []string
	for _, name := range regexp.MustCompile(`\bholdfast_[a-z0-9_]+`).FindAllString(text, -1) {
		for _, part := range []string{"_bucket", "_sum", "_count"} {
			name = strings.TrimSuffix(name, part)
		}
		if !strings.HasPrefix(name, "holdfast_backup_") && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func readDocument(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "docs", name))
	must(t, err)
	return string(text)
}

// Every metric that documents, alert rules and the dashboard name is there, and every
// one that is there is in operators.md. No label has a value for each object.
func TestMetricsAreAsDocumented(t *testing.T) {
	metrics := metricLabels(t)
	for _, document := range []string{"operators.md", "ops/alerts.yml", "ops/grafana.json", "ops/README.md"} {
		for _, name := range named(readDocument(t, document)) {
			if _, ok := metrics[name]; !ok {
				t.Errorf("%s names %s, which is not there", document, name)
			}
		}
	}
	documented := named(readDocument(t, "operators.md"))
	few := []string{"version", "state", "volume", "op", "rpc", "code", "number", "dir", "class", "severity", "category"}
	for name, labels := range metrics {
		if !slices.Contains(documented, name) {
			t.Errorf("%s is not in operators.md", name)
		}
		for _, label := range labels {
			if !slices.Contains(few, label) {
				t.Errorf("%s has the label %q: are its values few?", name, label)
			}
		}
	}
}

type ruleFile struct {
	Groups []struct {
		Name  string
		Rules []struct {
			Alert, Expr, For    string
			Labels, Annotations map[string]string
		}
	}
}

// The alert rules have the form that Prometheus reads, and each says how bad it is and
// what to do.
func TestAlertRules(t *testing.T) {
	var file ruleFile
	d := yaml.NewDecoder(strings.NewReader(readDocument(t, "ops/alerts.yml")))
	d.KnownFields(true)
	must(t, d.Decode(&file))
	seen, metrics := map[string]bool{}, metricLabels(t)
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			for _, m := range regexp.MustCompile(`\$labels\.([a-z]+)`).FindAllStringSubmatch(r.Annotations["summary"]+r.Annotations["description"], -1) {
				if !slices.Contains(labelsOf(r.Expr, metrics), m[1]) {
					t.Errorf("%s says %s, which %s has not", r.Alert, m[0], r.Expr)
				}
			}
			if !regexp.MustCompile(`^Holdfast[A-Za-z]+$`).MatchString(r.Alert) || seen[r.Alert] {
				t.Errorf("%q: no name, or twice", r.Alert)
			}
			seen[r.Alert] = true
			if !slices.Contains([]string{"critical", "warning"}, r.Labels["severity"]) || len(r.Annotations["summary"]) < 20 || len(r.Annotations["description"]) < 40 || len(r.Annotations) != 2 {
				t.Errorf("%s: %v %v", r.Alert, r.Labels, r.Annotations)
			}
			if r.For != "" && !regexp.MustCompile(`^[0-9]+[smhd]$`).MatchString(r.For) {
				t.Errorf("%s: for %q", r.Alert, r.For)
			}
			if err := balanced(r.Expr); err != "" || !strings.ContainsAny(r.Expr, "<>=") {
				t.Errorf("%s: %s: %s", r.Alert, r.Expr, err)
			}
		}
	}
	if len(seen) < 8 {
		t.Errorf("only %d rules", len(seen))
	}
}

// labelsOf returns the labels of what an expression comes to: those by which it adds up,
// else those that all of its metrics have.
func labelsOf(expr string, metrics map[string][]string) []string {
	if m := regexp.MustCompile(`\bby \(([a-z, ]+)\)`).FindStringSubmatch(expr); m != nil {
		return strings.FieldsFunc(m[1], func(r rune) bool { return r == ',' || r == ' ' })
	}
	labels := []string{"job", "instance"}
	if strings.Contains(expr, "holdfast_backup_") {
		return append(labels, "source")
	}
	for i, name := range named(expr) {
		if i == 0 {
			labels = append(labels, metrics[name]...)
		}
		labels = slices.DeleteFunc(labels, func(l string) bool {
			return l != "job" && l != "instance" && !slices.Contains(metrics[name], l)
		})
	}
	return labels
}

// balanced says what is open in an expression, or closed too often.
func balanced(expr string) string {
	var open []rune
	pair := map[rune]rune{')': '(', '}': '{', ']': '['}
	for _, r := range regexp.MustCompile(`"[^"]*"`).ReplaceAllString(expr, "") {
		switch {
		case strings.ContainsRune("({[", r):
			open = append(open, r)
		case pair[r] != 0:
			if len(open) == 0 || open[len(open)-1] != pair[r] {
				return "closed too often"
			}
			open = open[:len(open)-1]
		case r == '"':
			return "a string does not end"
		}
	}
	return string(open)
}

// The dashboard is one that Grafana imports: panels that do not lie over one another,
// each with a question, from a source that the reader chooses.
func TestDashboard(t *testing.T) {
	var board struct {
		UID, Title    string
		SchemaVersion int
		Templating    struct{ List []struct{ Name, Type string } }
		Panels        []struct {
			ID          int
			Title, Type string
			GridPos     struct{ X, Y, W, H int }
			Datasource  struct{ UID string }
			Targets     []struct{ Expr string }
		}
	}
	must(t, json.Unmarshal([]byte(readDocument(t, "ops/grafana.json")), &board))
	if board.UID == "" || board.Title == "" || board.SchemaVersion == 0 || len(board.Templating.List) != 2 {
		t.Errorf("%+v", board)
	}
	taken, ids := map[[2]int]string{}, map[int]bool{}
	for _, p := range board.Panels {
		if ids[p.ID] || p.Title == "" {
			t.Errorf("panel %d %q: twice, or nameless", p.ID, p.Title)
		}
		ids[p.ID] = true
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				if taken[at] != "" || at[0] >= 24 {
					t.Fatalf("%s lies over %q or outside", p.Title, taken[at])
				}
				taken[at] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		if len(p.Targets) == 0 || p.Datasource.UID != "${datasource}" {
			t.Errorf("%s: %+v", p.Title, p)
		}
		for _, target := range p.Targets {
			if err := balanced(target.Expr); err != "" || !strings.Contains(target.Expr, "holdfast_") {
				t.Errorf("%s: %s: %s", p.Title, target.Expr, err)
			}
		}
	}
}
