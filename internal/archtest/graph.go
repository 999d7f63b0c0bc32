package archtest

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// Graph says which packages each package of a module imports directly, tests not
// counted. All have their full paths.
type Graph map[string][]string

// List asks the go command for the graph of the module in dir, as it is built for
// one operating system.
func List(ctx context.Context, dir, goos string) (Graph, error) {
	out, err := goList(ctx, dir, goos, "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...")
	if err != nil {
		return nil, err
	}
	g := make(Graph)
	for line := range strings.Lines(out) {
		if fields := strings.Fields(line); len(fields) > 0 {
			g[fields[0]] = fields[1:]
		}
	}
	return g, nil
}

// Closure asks the go command for everything that a package needs, itself included.
func Closure(ctx context.Context, dir, goos, pkg string) ([]string, error) {
	out, err := goList(ctx, dir, goos, "-deps", pkg)
	return strings.Fields(out), err
}

func goList(ctx context.Context, dir, goos string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"list"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS="+goos, "CGO_ENABLED=0")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go list %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return string(out), nil
}

// Check compares the graph with the table, and returns what is wrong, sorted: an
// import that is not allowed, a package without a row, and a row or an entry that
// stands for no package.
func (g Graph) Check(module string, t Table) []string {
	names := make(map[string]string) // full path to path within the module
	for pkg := range g {
		if pkg == module {
			names[pkg] = "."
		} else if name, ok := strings.CutPrefix(pkg, module+"/"); ok {
			names[pkg] = name
		}
	}
	var wrong []string
	for pkg, name := range names {
		row, ok := t.row(name)
		if !ok {
			wrong = append(wrong, name+" has no row")
			continue
		}
		for _, imported := range g[pkg] {
			if other, ok := names[imported]; ok && !matches(row.May, other) {
				wrong = append(wrong, fmt.Sprintf("%s imports %s, which row %s does not allow", name, other, row.Package))
			}
		}
	}
	wrong = append(wrong, t.stale(slices.Collect(maps.Values(names)))...)
	slices.Sort(wrong)
	return wrong
}

// stale lists the patterns that stand for none of the packages.
func (t Table) stale(names []string) []string {
	var wrong []string
	for _, row := range t {
		for _, p := range append([]Pattern{row.Package}, row.May...) {
			if !slices.ContainsFunc(names, p.Match) {
				wrong = append(wrong, fmt.Sprintf("row %s: there is no package %s", row.Package, p))
			}
		}
	}
	return wrong
}

// Importers lists the packages outside home, a path of the graph, that directly
// import a package whose path begins with prefix.
func (g Graph) Importers(prefix, home string) []string {
	var found []string
	for pkg, imports := range g {
		outside := pkg != home && !strings.HasPrefix(pkg, home+"/")
		if outside && slices.ContainsFunc(imports, func(i string) bool { return strings.HasPrefix(i, prefix) }) {
			found = append(found, pkg)
		}
	}
	slices.Sort(found)
	return found
}

// Within lists the packages of a closure that are in one of the trees.
func Within(closure []string, trees ...string) []string {
	var found []string
	for _, pkg := range closure {
		if slices.ContainsFunc(trees, func(tree string) bool { return Pattern(tree + "/...").Match(pkg) }) {
			found = append(found, pkg)
		}
	}
	return found
}

func matches(patterns []Pattern, pkg string) bool {
	return slices.ContainsFunc(patterns, func(p Pattern) bool { return p.Match(pkg) })
}
