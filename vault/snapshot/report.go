package snapshot

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// reporter hands events to one function, one at a time.
type reporter struct {
	mu sync.Mutex
	f  func(Event)
}

func (r *reporter) tell(e Event) {
	if r.f == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.f(e)
}

// unreadList collects what could not be read: it counts all and names the first.
type unreadList struct {
	mu    sync.Mutex
	n     int64
	size  int
	items []Unread
}

func (u *unreadList) add(path string, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.n++
	if len(u.items) >= MaxUnread || u.size+len(path) > maxUnreads {
		return
	}
	u.size += len(path)
	u.items = append(u.items, Unread{[]byte(path), shortText(err.Error())})
}

func (u *unreadList) count() int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.n
}

// list returns them by path.
func (u *unreadList) list() []Unread {
	u.mu.Lock()
	defer u.mu.Unlock()
	out := slices.Clone(u.items)
	slices.SortStableFunc(out, func(a, b Unread) int { return bytes.Compare(a.Path, b.Path) })
	return out
}

// shortText makes a message fit for a structure: UTF-8 and not long.
func shortText(s string) string {
	s = s[:min(len(s), 200)]
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "?")
}
