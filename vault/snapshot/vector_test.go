package snapshot

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/seal"
)

// vectors are the structures of docs/format.md, section 5, whose bytes are kept
// for ever. With HOLDFAST_WRITE_VECTORS set, missing files are written.
func vectors(t *testing.T) map[string][]byte {
	t.Helper()
	m := newMemStore()
	m.tree(t, vectorNodes()...)
	if len(m.trees) != 1 {
		t.Fatalf("%d objects", len(m.trees))
	}
	out := map[string][]byte{
		"empty.cbor": wire.MustEncode(nodesObject(1, nil)),
	}
	for _, p := range m.trees {
		out["directory.cbor"] = p
	}
	var err error
	if out["parts.cbor"], err = encodeParts([]seal.ChunkID{{1}, {2}, {3}}); err != nil {
		t.Fatal(err)
	}
	rows := AppendRow(nil, Row{seal.ChunkID{4}, 4 << 20})
	if out["chunks.cbor"], err = encodeChunkList(AppendRow(rows, Row{seal.ChunkID{5}, 1})); err != nil {
		t.Fatal(err)
	}
	signed, err := SignSnapshot(testLane(), testSnapshot())
	if err != nil {
		t.Fatal(err)
	}
	out["snapshot.cbor"] = wire.MustEncode(signed)
	out["source.hex"] = fmt.Appendf(nil, "%x\n", SourceID(testKeys(), "shop-1", []string{"/srv/shop", "/etc"}))
	out["cuts.txt"] = vectorCuts(t)
	return out
}

// vectorNodes has one node of each type, with every field somewhere.
func vectorNodes() []Node {
	id := seal.ChunkID{0xaa, 0xbb}
	time := Time{1700000000, 123456789}
	return []Node{
		{Name: []byte("block"), Type: Block, Mode: 0o660, MTime: time, GID: 6, Group: "disk", Dev: 8<<32 | 1},
		{Name: []byte("char"), Type: Char, Mode: 0o666, MTime: time, Dev: 1<<32 | 3},
		{Name: []byte("dir"), Type: Dir, Mode: 0o1777, MTime: Time{-1, 5}, Tree: id},
		{Name: []byte("empty"), Type: File, Mode: 0o600, MTime: time},
		{Name: []byte("fifo"), Type: Fifo, Mode: 0o600, MTime: time},
		{
			Name: []byte("file"), Type: File, Mode: 0o4755, MTime: time, CTime: Time{1700000001, 7},
			UID: 1000, GID: 100, User: "alice", Group: "users", Size: 1000, Content: AppendRow(nil, Row{id, 1000}),
			Link:   [2]int64{2049, 1234567},
			Xattrs: []Xattr{{[]byte("user.a"), []byte{0, 0xff}}, {[]byte("user.b"), []byte{}}},
		},
		{Name: []byte("hole"), Type: File, Mode: 0o600, MTime: time, Size: 1 << 30},
		{Name: []byte("large"), Type: File, Mode: 0o600, MTime: time, Size: 1 << 33, List: append(id[:], 0, 0, 0, 0, 2, 0, 0, 0)},
		{Name: []byte("socket"), Type: Socket, Mode: 0o755, MTime: time},
		{Name: []byte("sparse"), Type: File, Mode: 0o600, MTime: time, Size: 9000, Content: AppendRow(nil, Row{id, 10}), Extents: []int64{0, 4, 8192, 6}},
		{Name: []byte("symlink"), Type: Symlink, Mode: 0o777, MTime: time, Target: []byte("../\xff")},
		{Name: []byte{0xff, 0xfe}, Type: Fifo, Mode: 0, MTime: Time{}},
	}
}

// vectorCuts says after which names a directory of 3,000 is cut into parts.
func vectorCuts(t *testing.T) []byte {
	t.Helper()
	m := newMemStore()
	top, err := ParseTree(m.trees[m.tree(t, numbered(3000)...)])
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	for _, id := range top.Parts {
		part, err := ParseTree(m.trees[id])
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s\n", part.Nodes[len(part.Nodes)-1].Name)
	}
	return b.Bytes()
}

func TestVectors(t *testing.T) {
	for name, got := range vectors(t) {
		file := filepath.Join("testdata", name)
		want, err := os.ReadFile(file)
		if os.IsNotExist(err) && os.Getenv("HOLDFAST_WRITE_VECTORS") != "" {
			want, err = got, os.WriteFile(file, got, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s:\nwant %s\n got %s", name, hex.EncodeToString(want), hex.EncodeToString(got))
		}
		if strings.HasSuffix(name, ".cbor") && name != "snapshot.cbor" {
			if _, err := ParseTree(want); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// The committed snapshot still verifies.
func TestVectorSnapshot(t *testing.T) {
	p, err := os.ReadFile("testdata/snapshot.cbor")
	if err != nil {
		t.Fatal(err)
	}
	var signed ident.Signed
	if err := wire.Decode(p, &signed); err != nil {
		t.Fatal(err)
	}
	want := testSnapshot()
	s, err := VerifySnapshot(signed, want.Lane, want.Vault)
	if err != nil || s.Root != want.Root || s.Stats != want.Stats {
		t.Fatal(s, err)
	}
}
