package keep

import (
	"slices"
	"strings"
)

// Group is what a policy is applied to: the snapshots of one host and the same paths.
type Group struct {
	Host      string
	Paths     []string // sorted
	Decisions []Decision
}

// Groups parts snapshots by host and paths, applies the policy to each part, and
// returns the parts sorted by host and paths.
func (p Policy) Groups(all []Snapshot) []Group {
	parts := map[string][]Snapshot{}
	for _, s := range all {
		key := strings.Join(append([]string{s.Host}, sorted(s.Paths)...), "\x00")
		parts[key] = append(parts[key], s)
	}
	var out []Group
	for _, part := range parts {
		out = append(out, Group{part[0].Host, sorted(part[0].Paths), p.Apply(part)})
	}
	slices.SortFunc(out, func(a, b Group) int {
		if c := strings.Compare(a.Host, b.Host); c != 0 {
			return c
		}
		return slices.Compare(a.Paths, b.Paths)
	})
	return out
}

func sorted(paths []string) []string {
	out := slices.Clone(paths)
	slices.Sort(out)
	return out
}
