package snapshot

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestWalk(t *testing.T) {
	m := newMemStore()
	root := shop(t, m)
	for at, want := range map[string]string{
		"":                    "/srv /srv/shop /srv/shop/data.db /srv/shop/link /srv/shop/web /srv/shop/web/index.html /srv/shop/web/style.css",
		"/srv/shop/web":       "/srv/shop/web /srv/shop/web/index.html /srv/shop/web/style.css",
		"srv//shop/./data.db": "/srv/shop/data.db",
	} {
		if got := strings.Join(paths(t, m, root, at), " "); got != want {
			t.Errorf("%q:\n got %s\nwant %s", at, got, want)
		}
	}
	var got []string
	err := Walk(t.Context(), m.source(), root, "", func(path string, n *Node) error {
		got = append(got, filepath.Base(path))
		if n.Type == Dir && path == "/srv/shop/web" || n.Type == Symlink {
			return SkipDir
		}
		return nil
	})
	if err != nil || strings.Join(got, " ") != "srv shop data.db link" {
		t.Errorf("%q %v", got, err)
	}
	stop := errors.New("stop")
	if err := Walk(t.Context(), m.source(), root, "", func(string, *Node) error { return stop }); !errors.Is(err, stop) {
		t.Error(err)
	}
	if err := Walk(t.Context(), m.source(), root, "/gone", nil); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
}

func TestFindInParts(t *testing.T) {
	m := newMemStore()
	root := m.tree(t, numbered(3000)...)
	for _, name := range []string{"000000", "000383", "001500", "002999"} {
		if n, err := Find(t.Context(), m.source(), root, name); err != nil || string(n.Name) != name {
			t.Errorf("%s: %v %v", name, n, err)
		}
	}
	for _, name := range []string{"0", "001500x", "9"} {
		if _, err := Find(t.Context(), m.source(), root, name); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDump(t *testing.T) {
	m := newMemStore()
	sparse := m.file(t, "sparse", bytes.Repeat([]byte("x"), 7000))
	sparse.Size, sparse.Extents = 20000, []int64{100, 4000, 9000, 3000}
	hole := Node{Name: []byte("hole"), Type: File, Size: 70000}
	root := m.tree(t, hole, sparse)
	want := make([]byte, 20000)
	for i := range want {
		if i >= 100 && i < 4100 || i >= 9000 && i < 12000 {
			want[i] = 'x'
		}
	}
	var out bytes.Buffer
	if err := Dump(t.Context(), m.source(), root, "/sparse", &out); err != nil || !bytes.Equal(out.Bytes(), want) {
		t.Errorf("%d bytes, %v", out.Len(), err)
	}
	out.Reset()
	if err := Dump(t.Context(), m.source(), root, "/hole", &out); err != nil || !bytes.Equal(out.Bytes(), make([]byte, 70000)) {
		t.Errorf("%d bytes, %v", out.Len(), err)
	}
	if err := Dump(t.Context(), m.source(), root, "/", &out); !errors.Is(err, ErrNotFile) {
		t.Error(err)
	}
	full := errors.New("full")
	if err := Dump(t.Context(), m.source(), root, "/sparse", failingWriter{full}); !errors.Is(err, full) {
		t.Error(err)
	}
	if err := Dump(t.Context(), m.source(), root, "/hole", failingWriter{full}); !errors.Is(err, full) {
		t.Error(err)
	}
}

type failingWriter struct{ err error }

func (f failingWriter) Write([]byte) (int, error) { return 0, f.err }

func TestTar(t *testing.T) {
	m := newMemStore()
	odd := m.file(t, "odd\xff", []byte("odd"))
	odd.MTime, odd.Link = Time{1700000000, 123456789}, [2]int64{1, 2}
	odd.Xattrs = []Xattr{{[]byte("user.a"), []byte{0, 1, 0xff}}, {[]byte("user.b=c"), []byte("no")}}
	twin := odd
	twin.Name = []byte("twin")
	long := m.file(t, strings.Repeat("n", 255), nil)
	root := m.tree(t,
		Node{Name: []byte("blk"), Type: Block, Dev: 8<<32 | 1},
		Node{Name: []byte("d"), Type: Dir, Mode: 0o1755, UID: 1 << 30, User: "alice", MTime: Time{-5, 5}, Tree: m.tree(t, long)},
		odd,
		Node{Name: []byte("sock"), Type: Socket},
		Node{Name: []byte("sym"), Type: Symlink, Target: []byte("../\xfe")},
		twin)
	var out bytes.Buffer
	if err := Tar(t.Context(), m.source(), root, "/", &out); err != nil {
		t.Fatal(err)
	}
	var names []string
	r := tar.NewReader(&out)
	for {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
		switch h.Name {
		case "odd\xff":
			body, _ := io.ReadAll(r)
			if string(body) != "odd" || h.ModTime.Nanosecond() != 123456789 || h.PAXRecords["SCHILY.xattr.user.a"] != "\x00\x01\xff" {
				t.Errorf("%+v %q", h, body)
			}
		case "twin":
			if h.Typeflag != tar.TypeLink || h.Linkname != "odd\xff" {
				t.Errorf("%+v", h)
			}
		case "d/":
			if h.Uid != 1<<30 || h.Uname != "alice" || h.Mode != 0o1755 || h.ModTime.Unix() != -5 {
				t.Errorf("%+v", h)
			}
		case "blk":
			if h.Devmajor != 8 || h.Devminor != 1 {
				t.Errorf("%+v", h)
			}
		case "sym":
			if h.Linkname != "../\xfe" {
				t.Errorf("%+v", h)
			}
		}
	}
	want := []string{"blk", "d/", "d/" + strings.Repeat("n", 255), "odd\xff", "sym", "twin"}
	if !slices.Equal(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
	out.Reset()
	if err := Tar(t.Context(), m.source(), root, "/twin", &out); err != nil {
		t.Fatal(err)
	}
	if h, err := tar.NewReader(&out).Next(); err != nil || h.Name != "twin" || h.Typeflag != tar.TypeReg {
		t.Errorf("%+v %v", h, err)
	}
}
