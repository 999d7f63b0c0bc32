package repair

import (
	"container/heap"
	"slices"
)

// Plan returns what View.Me is to do, the most endangered segment first, at most limit
// tasks, and what it has seen. The same view gives the same plan. Of one segment lost
// rows are rebuilt before others are moved, unless no operator has room for any of the
// lost ones.
func Plan(v View, limit int) ([]Task, Outlook) {
	p := newPlanner(v)
	var out Outlook
	var found urgent
	for s := range v.Custody.All() {
		c, ok := p.consider(s, &out)
		if !ok || limit < 1 {
			continue
		}
		if len(found) == limit && c.compare(found[0]) > 0 || !p.acts(c) {
			continue
		}
		if len(found) == limit {
			heap.Pop(&found)
		}
		heap.Push(&found, c.kept())
	}
	slices.SortFunc(found, concern.compare)
	tasks := make([]Task, 0, len(found))
	for _, c := range found {
		tasks = append(tasks, p.task(c))
	}
	return tasks, out
}
