package snapshot

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/seal"
)

// jail is a target beside which nothing may change.
type jail struct {
	t              *testing.T
	outside, inner string
	before         map[string]string
}

func newJail(t *testing.T) *jail {
	t.Helper()
	dir := t.TempDir()
	j := &jail{t: t, outside: filepath.Join(dir, "outside"), inner: filepath.Join(dir, "outside/target")}
	putFile(t, j.outside+"/victim", "victim")
	putFile(t, j.outside+"/dir/victim", "victim")
	if err := os.Mkdir(j.inner, 0o755); err != nil {
		t.Fatal(err)
	}
	j.before = j.state()
	return j
}

// state is everything around the target.
func (j *jail) state() map[string]string {
	return describe(j.t, j.outside, "/target")
}

// restore restores whatever comes and checks that nothing got out.
func (j *jail) restore(m *memStore, root seal.ChunkID, o RestoreOptions) (Summary, error) {
	j.t.Helper()
	o.Target = j.inner
	r := Restorer{Source: m.source(), Options: o}
	sum, err := r.Restore(j.t.Context(), root, "")
	compare(j.t, j.before, j.state())
	return sum, err
}

// Names that lead elsewhere are refused with the directory that holds them.
func TestHostileNames(t *testing.T) {
	for _, name := range []string{"..", ".", "../victim", "/etc/victim", "a/../../victim", "dir/victim", "", "x\x00y"} {
		j := newJail(t)
		m := newMemStore()
		n := m.file(t, name, []byte("owned"))
		inner := m.rawTree(t, nodesObject(1, []Node{n}))
		root := m.tree(t, m.file(t, "good", []byte("good")), Node{Name: []byte("z"), Type: Dir, Tree: inner, Mode: 0o755})
		sum, err := j.restore(m, root, RestoreOptions{})
		if err != nil || sum.Failed != 1 || !errors.Is(sum.Failures[0].Err, ErrTree) {
			t.Errorf("%q: %+v %v", name, sum, err)
		}
		wantFile(t, j.inner+"/good", "good")
		if _, err := j.restore(m, inner, RestoreOptions{}); !errors.Is(err, ErrTree) {
			t.Errorf("%q as the root: %v", name, err)
		}
	}
}

// A link and a directory of the same name cannot both be in a snapshot; in two
// snapshots, one after the other, they can.
func TestHostileSymlinks(t *testing.T) {
	m := newMemStore()
	link := func(target string) Node {
		return Node{Name: []byte("x"), Type: Symlink, Mode: 0o777, Target: []byte(target)}
	}
	victim := m.file(t, "victim", []byte("owned"))
	dir := Node{Name: []byte("x"), Type: Dir, Mode: 0o777, MTime: Time{1, 1}, Tree: m.tree(t, victim)}
	both := m.rawTree(t, nodesObject(1, []Node{link(".."), dir}))
	j := newJail(t)
	if _, err := j.restore(m, both, RestoreOptions{}); !errors.Is(err, ErrTree) {
		t.Error(err)
	}
	for _, target := range []string{"..", "../dir", "/", "../../outside", "./.././dir", "dir/../.."} {
		for _, o := range []Overwrite{IfChanged, Always, Never} {
			j := newJail(t)
			if target == "/" {
				target = j.outside
			}
			if sum, err := j.restore(m, m.tree(t, link(target)), RestoreOptions{}); err != nil || sum.Failed != 0 {
				t.Fatal(sum, err)
			}
			sum, err := j.restore(m, m.tree(t, dir), RestoreOptions{Overwrite: o})
			if err != nil || (sum.Failed == 0) != (o == Always) {
				t.Errorf("%s %s: %+v %v", target, o, sum, err)
			}
		}
	}
}

// Links that are in the target already are replaced or left, never followed.
func TestHostileTarget(t *testing.T) {
	m := newMemStore()
	file := m.file(t, "victim", []byte("owned"))
	file.Mode, file.UID, file.GID, file.MTime = 0o777, 1234, 1234, Time{5, 5}
	file.Xattrs = []Xattr{{[]byte("user.owned"), []byte("1")}}
	fifo := Node{Name: []byte("victim"), Type: Fifo, Mode: 0o777, UID: 1234}
	link := Node{Name: []byte("victim"), Type: Symlink, Mode: 0o777, Target: []byte("x"), UID: 1234}
	dir := Node{Name: []byte("victim"), Type: Dir, Mode: 0o777, UID: 1234, Tree: m.tree(t, file)}
	for _, n := range []Node{file, fifo, link, dir} {
		for _, o := range []Overwrite{IfChanged, Always, Never} {
			for _, to := range []string{"../victim", "../dir", "../gone"} {
				j := newJail(t)
				if err := os.Symlink(to, j.inner+"/victim"); err != nil {
					t.Fatal(err)
				}
				if _, err := j.restore(m, m.tree(t, n), RestoreOptions{Overwrite: o, Verify: true, Check: testCheck}); err != nil {
					t.Errorf("%s %s over a link to %s: %v", n.Type, o, to, err)
				}
				if _, err := os.Lstat(j.outside + "/gone"); err == nil {
					t.Errorf("%s %s wrote through a link to %s", n.Type, o, to)
				}
			}
		}
	}
}

// Names of one file that are not: other content under the same pair of numbers.
func TestHostileLinks(t *testing.T) {
	m := newMemStore()
	a, b, c := m.file(t, "a", []byte("a")), m.file(t, "b", []byte("bb")), m.file(t, "c", []byte("a"))
	a.Link, b.Link, c.Link = [2]int64{1, 1}, [2]int64{1, 1}, [2]int64{1, 1}
	s := Node{Name: []byte("s"), Type: Symlink, Mode: 0o777, Target: []byte("/etc/passwd"), Link: [2]int64{1, 1}}
	j := newJail(t)
	if sum, err := j.restore(m, m.tree(t, a, b, c, s), RestoreOptions{}); err != nil || sum.Failed != 0 {
		t.Errorf("%+v %v", sum, err)
	}
	wantFile(t, j.inner+"/a", "a")
	wantFile(t, j.inner+"/b", "bb")
	one, _ := os.Stat(j.inner + "/a")
	two, _ := os.Stat(j.inner + "/c")
	if !os.SameFile(one, two) {
		t.Error("two names of one file became two files")
	}
}

// A directory that is said to be ever so deep ends.
func TestHostileDepth(t *testing.T) {
	m := newMemStore()
	tree := m.tree(t)
	for range maxDepth + 5 {
		tree = m.tree(t, Node{Name: []byte("d"), Type: Dir, Mode: 0o755, Tree: tree})
	}
	err := Walk(t.Context(), m.source(), tree, "", func(string, *Node) error { return nil })
	if !errors.Is(err, ErrTree) {
		t.Errorf("walk: %v", err)
	}
	r := Restorer{Source: m.source(), Options: RestoreOptions{Target: t.TempDir(), DryRun: true}}
	if sum, err := r.Restore(t.Context(), tree, ""); err != nil || sum.Failed != 1 {
		t.Errorf("restore: %+v %v", sum, err)
	}
	if err := Tar(t.Context(), m.source(), tree, "", new(strings.Builder)); !errors.Is(err, ErrTree) {
		t.Errorf("tar: %v", err)
	}
	if _, err := Find(t.Context(), m.source(), tree, strings.Repeat("d/", maxDepth+2)); !errors.Is(err, ErrNotFound) {
		t.Errorf("find: %v", err)
	}
}

// A file that is said to be ever so large takes no room.
func TestHostileSize(t *testing.T) {
	m := newMemStore()
	huge := Node{Name: []byte("huge"), Type: File, Mode: 0o600, Size: 1<<63 - 1}
	root := m.tree(t, huge, m.file(t, "ok", []byte("ok")))
	j := newJail(t)
	if sum, err := j.restore(m, root, RestoreOptions{}); err != nil || sum.Files < 1 {
		t.Errorf("%+v %v", sum, err)
	}
	wantFile(t, j.inner+"/ok", "ok")
}

// FuzzRestore feeds tree objects of any form to a restore, above a victim.
func FuzzRestore(f *testing.F) {
	f.Add("a", "..", "../victim", byte(0))
	f.Add("x", "x", "/etc", byte(1))
	f.Add("link", "..", "link/victim", byte(2))
	f.Add("\xff", "a\\b", ".", byte(3))
	f.Fuzz(func(t *testing.T, name, inner, target string, kind byte) {
		m := newMemStore()
		types := []Type{File, Dir, Symlink, Fifo, Socket, "", "door"}
		n := Node{Name: []byte(name), Type: types[int(kind)%len(types)], Mode: int64(kind) & 0o777}
		switch n.Type {
		case Dir:
			n.Tree = m.rawTree(t, nodesObject(1, []Node{m.file(t, inner, []byte("owned"))}))
		case Symlink:
			n.Target = []byte(target)
		case File:
			n = m.file(t, name, []byte(target))
		}
		j := newJail(t)
		if target != "" && !strings.ContainsAny(inner, "/\x00") && inner != "" {
			os.Symlink(target, filepath.Join(j.inner, inner))
		}
		j.before = j.state()
		root := m.rawTree(t, nodesObject(1, []Node{n}))
		for _, o := range []Overwrite{IfChanged, Always} {
			if _, err := j.restore(m, root, RestoreOptions{Overwrite: o}); err != nil && !errors.Is(err, ErrTree) {
				t.Log(fmt.Sprintf("%q %q %q: %v", name, inner, target, err))
			}
		}
	})
}
