package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/internal/wire"
	"holdfast/seal"
)

// listDir lists everything below a folder.
func listDir(t testing.TB, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if path != dir {
			out = append(out, strings.TrimPrefix(path, dir+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// shop is a small snapshot made by hand.
func shop(t testing.TB, m *memStore) seal.ChunkID {
	t.Helper()
	at := func(n Node, sec int64) Node { n.MTime = Time{sec, 5}; return n }
	web := m.tree(t, at(m.file(t, "index.html", []byte("<html>")), 10), at(m.file(t, "style.css", []byte("css")), 11))
	inner := m.tree(t,
		at(m.file(t, "data.db", []byte(strings.Repeat("data", 3000))), 12),
		at(Node{Name: []byte("link"), Type: Symlink, Mode: 0o777, Target: []byte("data.db")}, 13),
		at(Node{Name: []byte("web"), Type: Dir, Mode: 0o750, Tree: web}, 14))
	srv := m.tree(t, at(Node{Name: []byte("shop"), Type: Dir, Mode: 0o755, Tree: inner}, 15))
	return m.tree(t, at(Node{Name: []byte("srv"), Type: Dir, Mode: 0o711, Tree: srv}, 16))
}

func TestRestoreSubpaths(t *testing.T) {
	m := newMemStore()
	root := shop(t, m)
	for subpath, want := range map[string]string{
		"":                         "srv srv/shop srv/shop/data.db srv/shop/link srv/shop/web srv/shop/web/index.html srv/shop/web/style.css",
		"/":                        "srv srv/shop srv/shop/data.db srv/shop/link srv/shop/web srv/shop/web/index.html srv/shop/web/style.css",
		"/srv/shop":                "data.db link web web/index.html web/style.css",
		"srv/shop/web/":            "index.html style.css",
		"/srv/shop/web/index.html": "index.html",
		"/srv/shop/link":           "link",
	} {
		target := filepath.Join(t.TempDir(), "new/target")
		sum := restore(t, m, root, subpath, RestoreOptions{Target: target})
		if got := strings.Join(listDir(t, target), " "); got != want {
			t.Errorf("%q:\n got %s\nwant %s", subpath, got, want)
		}
		if sum.Failed != 0 || sum.Files+sum.Dirs+sum.Others != int64(strings.Count(want, " ")+1) {
			t.Errorf("%q: %+v", subpath, sum)
		}
	}
	r := Restorer{Source: m.source(), Options: RestoreOptions{Target: t.TempDir()}}
	for _, subpath := range []string{"/gone", "/srv/shop/link/x", "/srv/shop/data.db/x", "/srv/../srv"} {
		if _, err := r.Restore(t.Context(), root, subpath); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q: %v", subpath, err)
		}
	}
}

func TestRestoreIncludeExclude(t *testing.T) {
	m := newMemStore()
	root := shop(t, m)
	for _, c := range []struct{ include, exclude, want string }{
		{"", "web", "srv srv/shop srv/shop/data.db srv/shop/link"},
		{"*.html", "", "srv srv/shop srv/shop/web srv/shop/web/index.html"},
		{"/srv/shop/web", "*.css", "srv srv/shop srv/shop/web srv/shop/web/index.html"},
		{"nothing", "", ""},
		{"/srv/shop/data.db", "", "srv srv/shop srv/shop/data.db"},
	} {
		o := RestoreOptions{Target: t.TempDir(), Include: matcher(t, strings.Fields(c.include)...), Exclude: matcher(t, strings.Fields(c.exclude)...)}
		m.reads = 0
		sum := restore(t, m, root, "", o)
		if got := strings.Join(listDir(t, o.Target), " "); got != c.want {
			t.Errorf("%+v:\n got %s", c, got)
		}
		if c.include == "/srv/shop/data.db" && m.reads != 3 { // the root, srv, shop
			t.Errorf("%d tree objects read for one file", m.reads)
		}
		if dirs := int64(len(listDir(t, o.Target))) - sum.Files - sum.Others; dirs != sum.Dirs {
			t.Errorf("%+v: %+v", c, sum)
		}
	}
	// The directories on the way get their metadata.
	target := t.TempDir()
	restore(t, m, root, "", RestoreOptions{Target: target, Include: matcher(t, "data.db")})
	if info, err := os.Stat(target + "/srv"); err != nil || info.Mode().Perm() != 0o711 || info.ModTime().Unix() != 16 {
		t.Error(info, err)
	}
}

func TestRestoreDryRun(t *testing.T) {
	m := newMemStore()
	root := shop(t, m)
	target := filepath.Join(t.TempDir(), "target")
	var seen []string
	o := RestoreOptions{Target: target, DryRun: true, Progress: func(e Event) { seen = append(seen, e.Path) }}
	sum := restore(t, m, root, "", o)
	if _, err := os.Lstat(target); err == nil {
		t.Error("the target was made")
	}
	if sum.Files != 3 || sum.Dirs != 3 || sum.Others != 1 || sum.Bytes != 12009 || len(seen) != 7 {
		t.Errorf("%+v %q", sum, seen)
	}
	restore(t, m, root, "", RestoreOptions{Target: target})
	before := describe(t, target)
	sum = restore(t, m, root, "", o)
	if sum.Files != 0 || sum.Skipped != 4 || sum.Bytes != 0 {
		t.Errorf("%+v", sum)
	}
	compare(t, before, describe(t, target))
}

// A second run finds everything in its place; what differs is restored again.
func TestRestoreIfChanged(t *testing.T) {
	m := newMemStore()
	root := shop(t, m)
	target := t.TempDir()
	restore(t, m, root, "/srv/shop", RestoreOptions{Target: target})
	want := describe(t, target)
	putFile(t, target+"/mine", "mine")
	putFile(t, target+"/data.db", "other")
	if err := os.Chmod(target+"/web/style.css", 0o600); err != nil {
		t.Fatal(err)
	}
	os.Remove(target + "/link")
	os.Symlink("elsewhere", target+"/link")
	sum := restore(t, m, root, "/srv/shop", RestoreOptions{Target: target})
	if sum.Files != 1 || sum.Others != 1 || sum.Skipped != 2 || sum.Bytes != 12000 {
		t.Errorf("%+v", sum)
	}
	wantFile(t, target+"/mine", "mine")
	os.Remove(target + "/mine")
	compare(t, want, describe(t, target))
}

func TestRestoreOverwrite(t *testing.T) {
	m := newMemStore()
	root := shop(t, m)
	for _, o := range []Overwrite{IfChanged, Always, Never} {
		target := t.TempDir()
		putFile(t, target+"/data.db", "mine")
		putFile(t, target+"/web/style.css", "css") // same size, another time
		opt := RestoreOptions{Target: target, Overwrite: o}
		restore(t, m, root, "/srv/shop", opt)
		info, err := os.Stat(target + "/data.db")
		if err != nil {
			t.Fatal(err)
		}
		if mine := info.Size() == 4; mine != (o == Never) {
			t.Errorf("%s: data.db has %d bytes", o, info.Size())
		}
		wantFile(t, target+"/web/index.html", "<html>")
		sum := restore(t, m, root, "/srv/shop", opt)
		if o == Always && sum.Files != 3 || o != Always && sum.Skipped != 4 {
			t.Errorf("%s: %+v", o, sum)
		}
		if back, err := ParseOverwrite(o.String()); err != nil || back != o {
			t.Errorf("%s: %v", o, err)
		}
	}
	if _, err := ParseOverwrite("sometimes"); err == nil {
		t.Error("any word will do")
	}
}

// Things of another kind in the way are left alone and listed; Always removes
// them, if that removes nothing else.
func TestRestoreInTheWay(t *testing.T) {
	m := newMemStore()
	root := shop(t, m)
	prepare := func() string {
		target := t.TempDir()
		putFile(t, target+"/web", "a file where a directory is wanted")
		putFile(t, target+"/data.db/x", "a full directory where a file is wanted")
		if err := os.Mkdir(target+"/link", 0o755); err != nil {
			t.Fatal(err)
		}
		return target
	}
	for _, o := range []Overwrite{IfChanged, Always, Never} {
		target := prepare()
		r := Restorer{Source: m.source(), Options: RestoreOptions{Target: target, Overwrite: o}}
		sum, err := r.Restore(t.Context(), root, "/srv/shop")
		if err != nil {
			t.Fatal(err)
		}
		var failed []string
		for _, f := range sum.Failures {
			if !errors.Is(f.Err, ErrInTheWay) {
				t.Errorf("%s: %s: %v", o, f.Path, f.Err)
			}
			failed = append(failed, strings.TrimPrefix(f.Path, "/srv/shop/"))
		}
		want := map[Overwrite]string{IfChanged: "data.db link web", Always: "data.db", Never: "web"}
		if got := strings.Join(failed, " "); got != want[o] {
			t.Errorf("%s: failed %q, want %q", o, got, want[o])
		}
		wantFile(t, target+"/data.db/x", "a full directory where a file is wanted")
		if o != Always {
			wantFile(t, target+"/web", "a file where a directory is wanted")
		} else {
			wantFile(t, target+"/web/index.html", "<html>")
		}
		for _, name := range listDir(t, target) {
			if strings.Contains(name, ".holdfast-") {
				t.Errorf("%s: %s is left", o, name)
			}
		}
	}
}

// A file that cannot be fetched leaves nothing under its name; the rest is there.
func TestRestoreMissingData(t *testing.T) {
	m := newMemStore()
	root := shop(t, m)
	lost := errors.New("out of reach")
	n := find(t, m, root, "/srv/shop/data.db")
	last := RowAt(n.Content, len(n.Content)/RowSize-1).ID
	m.failChunk = func(id seal.ChunkID) error {
		if id == last {
			return lost
		}
		return nil
	}
	target := t.TempDir()
	r := Restorer{Source: m.source(), Options: RestoreOptions{Target: target}}
	sum, err := r.Restore(t.Context(), root, "/srv/shop")
	if err != nil || sum.Failed != 1 || !errors.Is(sum.Failures[0].Err, lost) || sum.Failures[0].Path != "/srv/shop/data.db" {
		t.Errorf("%+v %v", sum, err)
	}
	if got := strings.Join(listDir(t, target), " "); got != "link web web/index.html web/style.css" {
		t.Error(got)
	}
	m.failChunk = nil
	if sum := restore(t, m, root, "/srv/shop", RestoreOptions{Target: target}); sum.Files != 1 || sum.Skipped != 3 {
		t.Errorf("continued: %+v", sum)
	}
	for id := range m.trees {
		if tree, _ := ParseTree(m.trees[id]); tree.Kind == Nodes && string(tree.Nodes[0].Name) == "index.html" {
			delete(m.trees, id)
		}
	}
	sum, err = r.Restore(t.Context(), root, "/srv/shop")
	if err != nil || sum.Failed != 1 || sum.Failures[0].Path != "/srv/shop/web" {
		t.Errorf("a directory out of reach: %+v %v", sum, err)
	}
	if _, err := r.Restore(t.Context(), seal.ChunkID{9}, ""); err == nil {
		t.Error("a root out of reach is no error")
	}
}

func TestRestoreCancelled(t *testing.T) {
	m := newMemStore()
	var nodes []Node
	for i := range 300 {
		nodes = append(nodes, m.file(t, fmt.Sprintf("%03d", i), []byte(fmt.Sprint(i))))
	}
	root := m.tree(t, nodes...)
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stop")
	done := 0
	r := Restorer{Source: m.source(), Options: RestoreOptions{Target: t.TempDir(), Progress: func(e Event) {
		if done++; done == 50 {
			cancel(stop)
		}
	}}}
	sum, err := r.Restore(ctx, root, "")
	if !errors.Is(err, stop) || sum.Files == 0 || sum.Files == 300 || sum.Failed != 0 {
		t.Errorf("%+v %v", sum, err)
	}
	for _, name := range listDir(t, r.Options.Target) {
		wantFile(t, filepath.Join(r.Options.Target, name), strings.TrimLeft(name[:2], "0")+name[2:])
	}
}

// Verify finds a file that seems the same and is not, and replaces it.
func TestRestoreVerify(t *testing.T) {
	m := newMemStore()
	root := shop(t, m)
	target := t.TempDir()
	o := RestoreOptions{Target: target, Verify: true, Check: testCheck}
	restore(t, m, root, "/srv/shop", o)
	path := target + "/data.db"
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	putFile(t, path, strings.Repeat("DATA", 3000))
	if err := os.Chtimes(path, time.Time{}, info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if sum := restore(t, m, root, "/srv/shop", RestoreOptions{Target: target}); sum.Skipped != 4 {
		t.Errorf("%+v", sum)
	}
	if sum := restore(t, m, root, "/srv/shop", o); sum.Files != 1 || sum.Skipped != 3 {
		t.Errorf("%+v", sum)
	}
	wantFile(t, path, strings.Repeat("data", 3000))
	// If what was written does not pass, it gets no name.
	bad := errors.New("bad")
	o = RestoreOptions{Target: t.TempDir(), Verify: true, Check: func(seal.Kind, seal.ChunkID, []byte) error { return bad }}
	r := Restorer{Source: m.source(), Options: o}
	sum, err := r.Restore(t.Context(), root, "/srv/shop/web")
	if err != nil || sum.Failed != 2 || !errors.Is(sum.Failures[0].Err, ErrVerify) || len(listDir(t, o.Target)) != 0 {
		t.Errorf("%+v %v %q", sum, err, listDir(t, o.Target))
	}
	r.Options.Check = nil
	if _, err := r.Restore(t.Context(), root, ""); err == nil {
		t.Error("verified with nothing")
	}
}

// A source that gives wrong lengths is found out, file by file.
func TestRestoreWrongContent(t *testing.T) {
	m := newMemStore()
	root := shop(t, m)
	for id, p := range m.chunks {
		m.chunks[id] = append(p[:len(p):len(p)], 'x')
	}
	r := Restorer{Source: m.source(), Options: RestoreOptions{Target: t.TempDir()}}
	sum, err := r.Restore(t.Context(), root, "/srv/shop/web")
	if err != nil || sum.Failed != 2 || !errors.Is(sum.Failures[0].Err, ErrContent) || len(listDir(t, r.Options.Target)) != 0 {
		t.Errorf("%+v %v", sum, err)
	}
}

// The source hears of all chunks that will be asked for.
func TestRestoreExpects(t *testing.T) {
	m := newMemStore()
	root := shop(t, m)
	restore(t, m, root, "", RestoreOptions{Target: t.TempDir()})
	for id := range m.chunks {
		if !m.expected[id] {
			t.Errorf("chunk %s came unexpected", id)
		}
	}
}

// Many failures are counted, and the first ones named.
func TestRestoreManyFailures(t *testing.T) {
	m := newMemStore()
	var nodes []Node
	for i := range MaxFailures + 100 {
		n := m.file(t, fmt.Sprintf("%05d", i), []byte("x"))
		nodes = append(nodes, n)
	}
	root := m.tree(t, nodes...)
	clear(m.chunks)
	r := Restorer{Source: m.source(), Options: RestoreOptions{Target: t.TempDir()}}
	sum, err := r.Restore(t.Context(), root, "")
	if err != nil || sum.Failed != MaxFailures+100 || len(sum.Failures) != MaxFailures {
		t.Errorf("%d failed, %d named, %v", sum.Failed, len(sum.Failures), err)
	}
	if !slices.IsSortedFunc(sum.Failures, func(a, b Failure) int { return strings.Compare(a.Path, b.Path) }) {
		t.Error("not by path")
	}
}

// rawTree stores a directory object that no honest writer makes.
func (m *memStore) rawTree(t testing.TB, v any) seal.ChunkID {
	t.Helper()
	id, err := m.Tree(t.Context(), wire.MustEncode(v))
	if err != nil {
		t.Fatal(err)
	}
	return id
}
