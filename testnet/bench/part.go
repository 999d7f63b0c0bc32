package bench

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Part is a piece of the benchmark that can be chosen.
type Part string

// The parts, in the order in which they run.
const (
	Primitives Part = "primitives" // what the data path is made of
	Put        Part = "put"        // the large file in
	Get        Part = "get"        // and out
	Range      Part = "range"      // the first byte of a random range of it
	Tree       Part = "tree"       // a tree of small files in and out
	Commit     Part = "commit"     // a backup of one small file
	Again      Part = "again"      // a second backup of what has not changed
	Changed    Part = "changed"    // a backup after one percent has changed
	Degraded   Part = "degraded"   // restores with half of the nodes dead
)

// Parts lists them all.
func Parts() []Part {
	return []Part{Primitives, Put, Get, Range, Tree, Commit, Again, Changed, Degraded}
}

// ErrPart says that there is no such part.
var ErrPart = errors.New("not a part of the benchmark")

// ParseParts reads a list of parts; none is all.
func ParseParts(names []string) ([]Part, error) {
	if len(names) == 0 {
		return Parts(), nil
	}
	var parts []Part
	for _, name := range names {
		p := Part(strings.TrimSpace(name))
		if !slices.Contains(Parts(), p) {
			return nil, fmt.Errorf("%w: %q", ErrPart, name)
		}
		parts = append(parts, p)
	}
	return parts, nil
}

// choice is what a run consists of. What a chosen part needs runs with it, and is
// measured too. Parts that work with both sources take those that are chosen, or
// both if none is.
type choice struct {
	parts      map[Part]bool
	file, tree bool // the sources
}

func choose(parts []Part) choice {
	c := choice{parts: map[Part]bool{}}
	for _, p := range parts {
		c.parts[p] = true
	}
	c.file, c.tree = c.parts[Put] || c.parts[Get] || c.parts[Range], c.parts[Tree]
	if both := c.parts[Again] || c.parts[Changed] || c.parts[Degraded]; both && !c.file && !c.tree {
		c.file, c.tree = true, true
	}
	if c.file {
		c.parts[Put] = true
	}
	if c.tree {
		c.parts[Tree] = true
	}
	return c
}

// network reports whether anything needs one.
func (c choice) network() bool {
	return c.file || c.tree || c.parts[Commit]
}
