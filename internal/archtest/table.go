package archtest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// ErrNoTable says that a document has no table headed "package" and "may import".
var ErrNoTable = errors.New("no table headed | package | may import |")

// Table says which packages of a module each of them may import directly. Packages
// are named without the module's path, the root package as ".".
type Table []Row

// Row holds for the packages that match a pattern.
type Row struct {
	Package Pattern
	May     []Pattern
}

// Pattern is the path of a package, or of a folder with "/..." behind it, which
// stands for the folder's package and all below.
type Pattern string

// Match reports whether p stands for a package.
func (p Pattern) Match(pkg string) bool {
	dir, below := strings.CutSuffix(string(p), "/...")
	return pkg == dir || below && strings.HasPrefix(pkg, dir+"/")
}

// ParseTable reads the rows of every such table in a Markdown document. Columns
// behind the second are ignored. A package that may import nothing has "-".
func ParseTable(r io.Reader) (Table, error) {
	var t Table
	var inside bool
	in := bufio.NewScanner(r)
	for in.Scan() {
		row := cells(in.Text())
		switch {
		case len(row) < 2:
			if inside && len(row) > 0 {
				return nil, fmt.Errorf("parse row %q: one column", in.Text())
			}
			inside = false
		case strings.EqualFold(row[0], "package") && strings.EqualFold(row[1], "may import"):
			inside = true
		case inside && !isRule(row[0]):
			parsed, err := parseRow(row[0], row[1])
			if err != nil {
				return nil, fmt.Errorf("parse row %q: %w", in.Text(), err)
			}
			t = append(t, parsed)
		}
	}
	if err := in.Err(); err != nil {
		return nil, fmt.Errorf("read table: %w", err)
	}
	return t, t.valid()
}

// cells splits a line of a table; a line that is none has no cells.
func cells(line string) []string {
	line = strings.TrimSpace(line)
	if !strings.HasPrefix(line, "|") {
		return nil
	}
	row := strings.Split(strings.Trim(line, "|"), "|")
	for i := range row {
		row[i] = strings.Trim(row[i], " \t`")
	}
	return row
}

// isRule reports whether a cell belongs to the line between head and body.
func isRule(cell string) bool { return len(cell) > 1 && strings.Trim(cell, "-:") == "" }

func parseRow(pkg, may string) (Row, error) {
	row := Row{Package: Pattern(pkg)}
	if pkg == "" || may == "" {
		return Row{}, errors.New("empty cell")
	}
	if may == "-" {
		return row, nil
	}
	for _, p := range strings.Split(may, ",") {
		p = strings.Trim(p, " \t`")
		if p == "" || p == "-" || strings.ContainsAny(p, " \t") {
			return Row{}, fmt.Errorf("not a package: %q", p)
		}
		row.May = append(row.May, Pattern(p))
	}
	return row, nil
}

func (t Table) valid() error {
	if len(t) == 0 {
		return ErrNoTable
	}
	for i, row := range t {
		if slices.ContainsFunc(t[:i], func(other Row) bool { return other.Package == row.Package }) {
			return fmt.Errorf("two rows for %s", row.Package)
		}
	}
	return nil
}

// row returns the row that holds for a package: of those that match, the one with
// the longest pattern, and the package's own before all.
func (t Table) row(pkg string) (Row, bool) {
	var best Row
	for _, row := range t {
		if string(row.Package) == pkg {
			return row, true
		}
		if row.Package.Match(pkg) && len(row.Package) > len(best.Package) {
			best = row
		}
	}
	return best, best.Package != ""
}
