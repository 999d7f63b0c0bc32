package snapshot

import (
	"errors"
	"path"
	"strings"
	"testing"
)

func matcher(t testing.TB, patterns ...string) *Matcher {
	t.Helper()
	m, err := NewMatcher(patterns, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMatcher(t *testing.T) {
	for _, c := range []struct {
		patterns, yes, no string
	}{
		{"*.o", "/a.o /x/y/a.o /d.o/inside", "/a.oo /o /a.c"},
		{"cache", "/cache /a/cache /a/cache/x", "/caches /a/mycache"},
		{"cache/tmp", "/cache/tmp /a/cache/tmp/x", "/cache /tmp /cache/a/tmp"},
		{"/home/*/tmp", "/home/a/tmp /home/a/tmp/x", "/x/home/a/tmp /home/tmp /home/a/b/tmp"},
		{"/home/**/tmp", "/home/tmp /home/a/tmp /home/a/b/tmp/x", "/home /home/a /x/home/tmp"},
		{"/tmp/**", "/tmp/a /tmp/a/b", "/tmp /a/tmp/b"},
		{"**/x", "/x /a/x /a/b/x/c", "/a /xx"},
		{"a/**/b/**/c", "/a/b/c /z/a/1/b/2/3/c", "/a/c/b /a/b"},
		{"/", "", ""},
		{"[a-c]?", "/ax /b1/x", "/a /dx /abc"},
		{"dir/", "/dir /x/dir/y", "/dirs"},
		{"*", "/a /a/b", ""},
		{"**", "/a /a/b", ""},
		{"*.c !keep.c", "/a.c /x/b.c", "/keep.c /x/keep.c"},
		{"*.c !keep.c /x", "/a.c /x/keep.c", "/keep.c"},
		{"ä*", "/äb /x/ä", "/a"},
		{"\xff*", "/\xffa", "/a"},
	} {
		if c.patterns == "/" {
			if _, err := NewMatcher([]string{"/"}, nil); !errors.Is(err, ErrPattern) {
				t.Errorf("a pattern that names nothing: %v", err)
			}
			continue
		}
		m := matcher(t, strings.Fields(c.patterns)...)
		for _, p := range strings.Fields(c.yes) {
			if !m.Match(p) {
				t.Errorf("%q does not match %q", c.patterns, p)
			}
			if !m.Below(path.Dir(p)) {
				t.Errorf("%q: nothing below %q", c.patterns, path.Dir(p))
			}
		}
		for _, p := range strings.Fields(c.no) {
			if m.Match(p) {
				t.Errorf("%q matches %q", c.patterns, p)
			}
		}
	}
}

func TestMatcherFolds(t *testing.T) {
	m, err := NewMatcher([]string{"*.TMP"}, []string{"*.Bak", "ÄRGER", "\xffA"})
	if err != nil {
		t.Fatal(err)
	}
	for p, want := range map[string]bool{
		"/a.TMP": true, "/a.tmp": false, "/a.bak": true, "/X/a.BAK": true, "/ärger": true,
		"/\xffa": true, "/\xfea": false,
	} {
		if m.Match(p) != want {
			t.Errorf("%q: %v", p, !want)
		}
	}
}

func TestMatcherNil(t *testing.T) {
	var m *Matcher
	if m.Match("/a") || m.Below("/") || !m.Empty() {
		t.Error("nothing means something")
	}
}

func TestMatcherBelow(t *testing.T) {
	m := matcher(t, "/srv/shop/*.txt", "/etc/**/x")
	for p, want := range map[string]bool{
		"/": true, "/srv": true, "/srv/shop": true, "/srv/other": false, "/home": false, "/etc": true, "/etc/a/b": true,
	} {
		if m.Below(p) != want {
			t.Errorf("below %q: %v", p, !want)
		}
	}
}

func TestBadPatterns(t *testing.T) {
	for _, p := range []string{"", "!", "///", "[", "a/[", `a\`, "!["} {
		if _, err := NewMatcher([]string{p}, nil); !errors.Is(err, ErrPattern) {
			t.Errorf("%q: %v", p, err)
		}
	}
}

// Many ** must not take exponential time.
func TestMatcherIsFast(t *testing.T) {
	m := matcher(t, strings.Repeat("**/a/", 40)+"b")
	if m.Match(strings.Repeat("/a", 400)) {
		t.Error("matched")
	}
}

// FuzzMatcher compares with the definition, written as a recursion.
func FuzzMatcher(f *testing.F) {
	f.Add("a/**/b", "/x/a/c/b/d")
	f.Add("/**", "/x")
	f.Add("!*.c", "/a.c")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if len(pattern) > 40 || len(name) > 40 || strings.Count(pattern, "**") > 4 {
			return
		}
		m, err := NewMatcher([]string{pattern}, nil)
		if err != nil {
			return
		}
		got := m.Match(name)
		p := m.patterns[0]
		for _, whole := range []bool{false, true} {
			want := false
			elements := split(name)
			for i := 0; i <= len(elements); i++ {
				want = want || slowMatch(p.elements, elements[i:], whole)
				if p.anchored {
					break
				}
			}
			if got := m.match(name, whole); got != (want && !p.negated) {
				t.Errorf("%q on %q: %v", pattern, name, got)
			}
		}
		if got && !m.Below("/") {
			t.Errorf("%q: nothing below the root", pattern)
		}
	})
}

func slowMatch(pat, elements []string, whole bool) bool {
	switch {
	case len(pat) == 0:
		return !whole || len(elements) == 0
	case pat[0] == "**":
		return slowMatch(pat[1:], elements, whole) || len(elements) > 0 && slowMatch(pat, elements[1:], whole)
	case len(elements) == 0 || !matchElement(pat[0], elements[0]):
		return false
	}
	return slowMatch(pat[1:], elements[1:], whole)
}

func BenchmarkMatcher(b *testing.B) {
	m := matcher(b, "*.o", "node_modules", "/home/*/.cache", "**/tmp/**/x", "*.pyc", ".git")
	for b.Loop() {
		m.Match("/home/alice/work/project/src/main.go")
	}
}
