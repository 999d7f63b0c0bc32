package snapshot

import (
	"fmt"
	"path"
	"strings"
	"unicode/utf8"
)

// Matcher decides by patterns which paths are meant. Paths begin with a slash and
// use slashes. A pattern is split at slashes; each element is matched as by
// path.Match, and ** stands for any number of elements, also none.
//
//   - A pattern that begins with a slash is matched from the root; any other may
//     begin at any element: `*.o`, `node_modules`, `cache/tmp`.
//   - A path is meant when the pattern matches it or one of its parents, so a
//     directory brings what is in it.
//   - A ** at the end stands for at least one element: `/tmp/**` is what lies in
//     /tmp, not /tmp itself.
//   - A pattern that begins with ! takes back what the patterns before it matched.
//     It does not bring back what lies in a directory that is excluded itself.
//
// The nil Matcher means nothing.
type Matcher struct {
	patterns []pattern
}

type pattern struct {
	elements []string
	anchored bool
	negated  bool
	fold     bool // without regard to case
	stars    bool // holds **
}

// NewMatcher compiles patterns; those of folded ignore case, and come after the
// others. The error is an ErrPattern that names the pattern.
func NewMatcher(exact, folded []string) (*Matcher, error) {
	m := &Matcher{}
	for _, s := range exact {
		if err := m.add(s, false); err != nil {
			return nil, err
		}
	}
	for _, s := range folded {
		if err := m.add(s, true); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *Matcher) add(s string, fold bool) error {
	p := pattern{fold: fold}
	rest, negated := strings.CutPrefix(s, "!")
	p.negated = negated
	p.anchored = strings.HasPrefix(rest, "/")
	if fold {
		rest = lower(rest)
	}
	for e := range strings.SplitSeq(rest, "/") {
		if e == "" || e == "." {
			continue
		}
		if _, err := path.Match(e, ""); err != nil {
			return fmt.Errorf("%w: %q", ErrPattern, s)
		}
		p.elements = append(p.elements, e)
		p.stars = p.stars || e == "**"
	}
	if len(p.elements) == 0 {
		return fmt.Errorf("%w: %q names nothing", ErrPattern, s)
	}
	if p.elements[len(p.elements)-1] == "**" {
		p.elements = append(p.elements, "*")
	}
	m.patterns = append(m.patterns, p)
	return nil
}

// Empty reports whether there is no pattern at all.
func (m *Matcher) Empty() bool { return m == nil || len(m.patterns) == 0 }

// Match reports whether the path is meant: the last pattern that matches decides.
func (m *Matcher) Match(name string) bool { return m.match(name, false) }

// matchItself does not look at parents: for a walk that has left out what is in
// excluded directories, and was told to go on in one of them.
func (m *Matcher) matchItself(name string) bool { return m.match(name, true) }

func (m *Matcher) match(name string, whole bool) bool {
	if m.Empty() {
		return false
	}
	exact := split(name)
	var folded []string
	meant := false
	for i := range m.patterns {
		p := &m.patterns[i]
		if p.negated != meant {
			continue // it could not change anything
		}
		elements := exact
		if p.fold {
			if folded == nil {
				folded = split(lower(name))
			}
			elements = folded
		}
		if p.match(elements, whole) {
			meant = !p.negated
		}
	}
	return meant
}

// Below reports whether something in the directory of that path could be meant.
// It is true when in doubt.
func (m *Matcher) Below(name string) bool {
	if m.Empty() {
		return false
	}
	for i := range m.patterns {
		p := &m.patterns[i]
		if p.negated {
			continue
		}
		elements := split(name)
		if p.fold {
			elements = split(lower(name))
		}
		if p.below(elements) {
			return true
		}
	}
	return false
}

// match tries the pattern at every place where it may begin.
func (p *pattern) match(elements []string, whole bool) bool {
	if p.anchored {
		return p.matchFrom(elements, whole)
	}
	for i := range elements {
		if p.matchFrom(elements[i:], whole) {
			return true
		}
	}
	return false
}

// matchFrom reports whether the pattern matches the first elements: the whole of
// them, or also fewer.
func (p *pattern) matchFrom(elements []string, whole bool) bool {
	if p.stars {
		return matchStars(p.elements, elements, whole)
	}
	if len(p.elements) > len(elements) || whole && len(p.elements) < len(elements) {
		return false
	}
	for i, pat := range p.elements {
		if !matchElement(pat, elements[i]) {
			return false
		}
	}
	return true
}

// matchStars does the same with **. It keeps the set of pattern positions that are
// reached, so that many ** cost no more than one.
func matchStars(pat, elements []string, whole bool) bool {
	at := make([]bool, len(pat)+1)
	at[0] = true
	open(pat, at)
	for _, e := range elements {
		if at[len(pat)] && !whole {
			return true
		}
		next := make([]bool, len(pat)+1)
		alive := false
		for i, here := range at[:len(pat)] {
			switch {
			case !here:
			case pat[i] == "**":
				next[i], alive = true, true
			case matchElement(pat[i], e):
				next[i+1], alive = true, true
			}
		}
		if !alive {
			return false
		}
		open(pat, next)
		at = next
	}
	return at[len(pat)]
}

// open moves over every ** that is reached: it may stand for nothing.
func open(pat []string, at []bool) {
	for i, e := range pat {
		if at[i] && e == "**" {
			at[i+1] = true
		}
	}
}

func (p *pattern) below(elements []string) bool {
	if !p.anchored {
		return true
	}
	for i, e := range elements {
		if i >= len(p.elements) || p.elements[i] == "**" {
			return true
		}
		if !matchElement(p.elements[i], e) {
			return false
		}
	}
	return true
}

// matchElement: a pattern was compiled, so there is no error.
func matchElement(pat, name string) bool {
	ok, err := path.Match(pat, name)
	return ok && err == nil
}

func split(name string) []string {
	name = strings.Trim(name, "/")
	if name == "" {
		return nil
	}
	return strings.Split(name, "/")
}

// lower folds case; names that are not UTF-8 only in their ASCII letters, so that
// their other bytes stay apart.
func lower(s string) string {
	if utf8.ValidString(s) {
		return strings.ToLower(s)
	}
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
