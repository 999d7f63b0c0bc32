package snapshot

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// sources are the given paths as a tree from the root, common parents merged.
type sources struct {
	name     string // one element; empty for the root
	path     string // where it is in the file system
	given    bool
	children map[string]*sources
}

// newSources merges absolute, clean paths.
func newSources(abs []string) *sources {
	root := &sources{path: string(filepath.Separator)}
	for _, p := range abs {
		at := root
		prefix := filepath.VolumeName(p) + string(filepath.Separator)
		for i, e := range elements(p) {
			volume := i == 0 && filepath.VolumeName(p) != ""
			if !volume {
				prefix = filepath.Join(prefix, e)
			}
			at = at.child(e, prefix)
		}
		at.given = true
	}
	return root
}

func (s *sources) child(name, path string) *sources {
	if s.children == nil {
		s.children = map[string]*sources{}
	}
	c := s.children[name]
	if c == nil {
		c = &sources{name: name, path: path}
		s.children[name] = c
	}
	return c
}

// sorted returns the children by name, bytewise.
func (s *sources) sorted() []*sources {
	if s == nil {
		return nil
	}
	out := make([]*sources, 0, len(s.children))
	for _, name := range slices.Sorted(maps.Keys(s.children)) {
		out = append(out, s.children[name])
	}
	return out
}

// under returns the source of that name below s; nil if nothing there was given.
func (s *sources) under(name string) *sources {
	if s == nil {
		return nil
	}
	return s.children[name]
}

// merge adds to sorted names those of what was given here, so that what was given
// and is not there is noticed.
func (s *sources) merge(names []string) []string {
	if s == nil || len(s.children) == 0 {
		return names
	}
	for name := range s.children {
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// elements are the names on the way from the root to an absolute path. A Windows
// volume is the first one, without what cannot stand in a name: C: becomes C.
func elements(path string) []string {
	volume := filepath.VolumeName(path)
	var out []string
	if v := strings.Trim(strings.NewReplacer(":", "", `\`, "_", "/", "_").Replace(volume), "_"); v != "" {
		out = append(out, v)
	}
	for e := range strings.SplitSeq(filepath.ToSlash(path[len(volume):]), "/") {
		if e != "" {
			out = append(out, e)
		}
	}
	return out
}
