package snapshot

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"holdfast/internal/wire"
	"holdfast/seal"
)

func goodFile() Node {
	return Node{
		Name: []byte("a"), Type: File, Mode: 0o644, MTime: Time{1, 2}, Size: 5,
		Content: AppendRow(nil, Row{seal.ChunkID{1}, 5}),
	}
}

func TestNodeValidate(t *testing.T) {
	id := seal.ChunkID{1}
	bad := map[string]func(*Node){
		"no name":              func(n *Node) { n.Name = nil },
		"long name":            func(n *Node) { n.Name = bytes.Repeat([]byte("x"), maxName+1) },
		"slash":                func(n *Node) { n.Name = []byte("a/b") },
		"zero byte":            func(n *Node) { n.Name = []byte("a\x00b") },
		"dot":                  func(n *Node) { n.Name = []byte(".") },
		"dot dot":              func(n *Node) { n.Name = []byte("..") },
		"no type":              func(n *Node) { n.Type = "" },
		"unknown type":         func(n *Node) { n.Type = "door" },
		"mode":                 func(n *Node) { n.Mode = 0o10000 },
		"negative mode":        func(n *Node) { n.Mode = -1 },
		"nanoseconds":          func(n *Node) { n.MTime[1] = 1e9 },
		"negative nanoseconds": func(n *Node) { n.CTime[1] = -1 },
		"negative owner":       func(n *Node) { n.UID = -1 },
		"large group":          func(n *Node) { n.GID = 1 << 32 },
		"user name":            func(n *Node) { n.User = strings.Repeat("u", maxOwner+1) },
		"group name":           func(n *Node) { n.Group = "\xff" },
		"zero in user":         func(n *Node) { n.User = "a\x00" },
		"negative size":        func(n *Node) { n.Size = -1 },
		"size and content":     func(n *Node) { n.Size = 6 },
		"broken row":           func(n *Node) { n.Content = n.Content[:35] },
		"empty chunk":          func(n *Node) { n.Content = AppendRow(n.Content, Row{id, 0}) },
		"large chunk":          func(n *Node) { n.Size, n.Content = 5<<20, AppendRow(nil, Row{id, 5 << 20}) },
		"content and list":     func(n *Node) { n.Size, n.List = 6, append(id[:], 1, 0, 0, 0, 0, 0, 0, 0) },
		"broken list":          func(n *Node) { n.Content, n.List = nil, id[:] },
		"list of nothing":      func(n *Node) { n.Content, n.List = nil, append(id[:], 0, 0, 0, 0, 0, 0, 0, 0) },
		"huge list":            func(n *Node) { n.Content, n.List = nil, append(id[:], 255, 255, 255, 255, 255, 255, 255, 255) },
		"odd extents":          func(n *Node) { n.Extents = []int64{0} },
		"extents past the end": func(n *Node) { n.Extents = []int64{1, 5} },
		"overlapping extents":  func(n *Node) { n.Size, n.Extents = 9, []int64{0, 3, 2, 2} },
		"empty extent":         func(n *Node) { n.Size, n.Extents = 9, []int64{0, 5, 6, 0} },
		"negative extent":      func(n *Node) { n.Size, n.Extents = 9, []int64{-1, 5} },
		"overflowing extent":   func(n *Node) { n.Extents = []int64{1 << 62, 1 << 62} },
		"tree of a file":       func(n *Node) { n.Tree = id },
		"target of a file":     func(n *Node) { n.Target = []byte("x") },
		"device of a file":     func(n *Node) { n.Dev = 1 },
		"dir without tree":     func(n *Node) { *n = Node{Name: n.Name, Type: Dir} },
		"linked dir":           func(n *Node) { *n = Node{Name: n.Name, Type: Dir, Tree: id, Link: [2]int64{1, 2}} },
		"content of a dir":     func(n *Node) { n.Type, n.Tree = Dir, id },
		"link without target":  func(n *Node) { *n = Node{Name: n.Name, Type: Symlink} },
		"zero in target":       func(n *Node) { *n = Node{Name: n.Name, Type: Symlink, Target: []byte{0}} },
		"negative device":      func(n *Node) { *n = Node{Name: n.Name, Type: Char, Dev: -1} },
		"nameless attribute":   func(n *Node) { n.Xattrs = []Xattr{{}} },
		"unsorted attributes":  func(n *Node) { n.Xattrs = []Xattr{{Name: []byte("b")}, {Name: []byte("a")}} },
		"attribute twice":      func(n *Node) { n.Xattrs = []Xattr{{Name: []byte("b")}, {Name: []byte("b")}} },
		"large attributes":     func(n *Node) { n.Xattrs = []Xattr{{Name: []byte("b"), Value: make([]byte, maxXattrs)}} },
	}
	n := goodFile()
	if err := n.Validate(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range bad {
		n := goodFile()
		spoil(&n)
		err := n.Validate()
		if !errors.Is(err, ErrTree) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && len(err.Error()) > 300 {
			t.Errorf("%s: an error of %d bytes", name, len(err.Error()))
		}
	}
}

func TestNodeGood(t *testing.T) {
	id := seal.ChunkID{1}
	for _, n := range []Node{
		{Name: []byte("empty"), Type: File},
		{Name: []byte("hole"), Type: File, Size: 1 << 40},
		{Name: []byte("sparse"), Type: File, Size: 100, Extents: []int64{0, 2, 90, 3}, Content: AppendRow(nil, Row{id, 5})},
		{Name: []byte("large"), Type: File, Size: 1 << 33, List: append(id[:], 0, 0, 0, 0, 2, 0, 0, 0)},
		{Name: []byte{0xff, '\n'}, Type: Dir, Mode: 0o7777, Tree: id},
		{Name: []byte("old"), Type: Fifo, MTime: Time{-5, 999999999}},
		{Name: []byte("whiteout"), Type: Char},
		{Name: []byte("disk"), Type: Block, Dev: 8<<32 | 1},
		{Name: []byte("..."), Type: Socket, Link: [2]int64{-1, -1}},
		{Name: []byte("link"), Type: Symlink, Target: []byte{0xff}},
	} {
		if err := n.Validate(); err != nil {
			t.Error(err)
		}
		var back Node
		p := wire.MustEncode(n)
		if err := wire.Decode(p, &back); err != nil {
			t.Errorf("%s: %v", n.Name, err)
		}
		if !bytes.Equal(p, wire.MustEncode(back)) {
			t.Errorf("%s: %+v came back as %+v", n.Name, n, back)
		}
	}
}

func TestTime(t *testing.T) {
	for _, want := range []time.Time{time.Unix(0, 0), time.Unix(-1, 1), time.Unix(1<<33, 999999999)} {
		if got := TimeOf(want); !got.Time().Equal(want) || !got.valid() {
			t.Errorf("%v became %v", want, got)
		}
	}
}

// Only what two names of one file must have in common is in its body.
func TestNodeBody(t *testing.T) {
	a, b := goodFile(), goodFile()
	b.Name, b.UID, b.MTime, b.Mode = []byte("b"), 7, Time{9, 9}, 0
	if a.body() != b.body() {
		t.Error("names of one file differ")
	}
	b.Content = AppendRow(nil, Row{seal.ChunkID{2}, 5})
	if a.body() == b.body() {
		t.Error("other content, same body")
	}
}
