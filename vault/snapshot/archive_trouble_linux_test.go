package snapshot

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"holdfast/seal"
)

// troubled archives a folder in which something goes wrong, and returns what was
// listed, by path below the folder.
func troubled(t *testing.T, m *memStore, o ArchiveOptions, dir string) (seal.ChunkID, Stats, map[string]string) {
	t.Helper()
	a := Archiver{Sink: m, Options: o}
	root, stats, unread, err := a.Paths(t.Context(), []string{dir})
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]string{}
	for _, u := range unread {
		listed[strings.TrimPrefix(string(u.Path), dir+"/")] = u.Error
	}
	if int(stats.Unread) != len(unread) {
		t.Errorf("%d unread, %d listed", stats.Unread, len(unread))
	}
	return root, stats, listed
}

func missing(t *testing.T, m *memStore, root seal.ChunkID, path string) bool {
	t.Helper()
	_, err := Find(t.Context(), m.source(), root, path)
	if err != nil && !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
	return err != nil
}

// before returns a Progress that does something just before a file is read.
func before(path string, do func()) func(Event) {
	return func(e Event) {
		if e.Action == Started && e.Path == path {
			do()
		}
	}
}

func TestArchiveVanishing(t *testing.T) {
	dir := t.TempDir()
	for _, f := range []string{"a", "b", "c", "d/x", "d/y"} {
		putFile(t, filepath.Join(dir, f), f)
	}
	b := filepath.Join(dir, "b")
	m := newMemStore()
	root, stats, listed := troubled(t, m, ArchiveOptions{Progress: before(b, func() { os.Remove(b) })}, dir)
	if len(listed) != 1 || listed["b"] != "vanished" || !missing(t, m, root, b) || stats.Files != 4 {
		t.Errorf("%q %+v", listed, stats)
	}
	// A directory that is gone when the walk comes to it, and one that is empty then.
	putFile(t, b, "b")
	a := filepath.Join(dir, "a")
	hook := func(e Event) {
		if e.Path == a {
			os.RemoveAll(filepath.Join(dir, "d"))
		}
	}
	o := ArchiveOptions{Workers: 1, Excludes: []func(string, *Node) bool{func(path string, n *Node) bool {
		if path == a {
			hook(Event{Path: a})
		}
		return false
	}}}
	_, _, listed = troubled(t, newMemStore(), o, dir)
	if len(listed) != 1 || listed["d"] != "vanished" {
		t.Errorf("%q", listed)
	}
}

// What changes while it is read is kept as it was read, and listed.
func TestArchiveChanging(t *testing.T) {
	for name, c := range map[string]struct {
		change func(t *testing.T, path string)
		size   int64
	}{
		"grows": {func(t *testing.T, path string) {
			f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Close()
			f.WriteString("more")
		}, 10000},
		"shrinks": {func(t *testing.T, path string) {
			if err := os.Truncate(path, 7000); err != nil {
				t.Error(err)
			}
		}, 7000},
		"is emptied": {func(t *testing.T, path string) {
			if err := os.Truncate(path, 0); err != nil {
				t.Error(err)
			}
		}, 3000},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "log")
		putFile(t, path, strings.Repeat("0123456789", 1000))
		m := newMemStore()
		done := false
		m.duringFile = func([]byte) {
			if !done {
				done = true
				c.change(t, path)
			}
		}
		root, _, listed := troubled(t, m, ArchiveOptions{}, dir)
		if listed["log"] != errChanged.Error() {
			t.Errorf("%s: listed %q", name, listed)
		}
		if n := find(t, m, root, path); n.Size != c.size {
			t.Errorf("%s: %d bytes, want %d", name, n.Size, c.size)
		}
	}
}

// A sparse file that shrinks keeps its first extents.
func TestArchiveShrinkingSparse(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "sparse")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range int64(4) {
		if _, err := f.WriteAt([]byte(strings.Repeat("x", 4096)), i<<20); err != nil {
			t.Fatal(err)
		}
	}
	f.Close()
	m := newMemStore()
	m.duringFile = func([]byte) { os.Truncate(path, 2<<20+100) }
	root, _, listed := troubled(t, m, ArchiveOptions{}, dir)
	n := find(t, m, root, path)
	if listed["sparse"] == "" || n.Size > 2<<20+100 || n.Validate() != nil {
		t.Errorf("%q %+v", listed, n)
	}
	if len(n.Extents) == 0 {
		t.Log("this file system does not tell of holes")
	}
}

// A file that is replaced while the walk is on its way to it: by another file,
// which is taken, and by a pipe, for which nobody waits.
func TestArchiveReplaced(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	putFile(t, path, "old")
	m := newMemStore()
	root, _, listed := troubled(t, m, ArchiveOptions{Progress: before(path, func() {
		putFile(t, path+".new", "newer")
		os.Rename(path+".new", path)
	})}, dir)
	if n := find(t, m, root, path); n.Size != 5 || len(listed) != 0 {
		t.Errorf("%+v, listed %q", n, listed)
	}
	root, _, listed = troubled(t, m, ArchiveOptions{Progress: before(path, func() {
		os.Remove(path)
		if err := unix.Mkfifo(path, 0o600); err != nil {
			t.Error(err)
		}
	})}, dir)
	if listed["f"] == "" || !missing(t, m, root, path) {
		t.Errorf("listed %q", listed)
	}
	os.Remove(path)
	putFile(t, path, "file")
	_, _, listed = troubled(t, m, ArchiveOptions{Progress: before(path, func() {
		os.Remove(path)
		os.Symlink("/etc/passwd", path)
	})}, dir)
	if listed["f"] == "" {
		t.Errorf("a link was followed: %q", listed)
	}
}

// A read error in the middle is listed, and the rest goes on.
func TestArchiveReadError(t *testing.T) {
	dir := t.TempDir()
	putFile(t, filepath.Join(dir, "x"), "x")
	a := Archiver{Sink: newMemStore()}
	_, stats, unread, err := a.Paths(t.Context(), []string{"/proc/self/mem", dir})
	if err != nil || len(unread) != 1 || string(unread[0].Path) != "/proc/self/mem" || stats.Files != 1 {
		t.Errorf("%q %+v %v", unread, stats, err)
	}
}

// Files of /proc say that they are empty and are not.
func TestArchivePseudoFiles(t *testing.T) {
	m := newMemStore()
	root, _ := archive(t, m, ArchiveOptions{}, "/proc/self/mounts")
	if n := find(t, m, root, "/proc/self/mounts"); n.Size == 0 || len(n.Content) == 0 {
		t.Errorf("%+v", n)
	}
}

// A file with several names is read once, in whatever order the readers come.
func TestArchiveHardLinks(t *testing.T) {
	dir := t.TempDir()
	for i := range 10 {
		path := filepath.Join(dir, fmt.Sprintf("%02d", i))
		putFile(t, path, path)
		for k := range 10 {
			if err := os.Link(path, filepath.Join(dir, fmt.Sprintf("%02d-%d", (i*7+k)%10, i*10+k))); err != nil {
				t.Fatal(err)
			}
		}
	}
	m := newMemStore()
	root, stats := archive(t, m, ArchiveOptions{}, dir)
	if m.files != 10 || stats.Files != 110 {
		t.Errorf("%d files read, %d stored", m.files, stats.Files)
	}
	content := map[[2]int64]string{}
	for _, p := range paths(t, m, root, dir)[1:] {
		n := find(t, m, root, p)
		if !n.Linked() || len(n.Content) == 0 {
			t.Fatalf("%s: %+v", p, n)
		}
		if c, ok := content[n.Link]; ok && c != string(n.Content) {
			t.Errorf("%s has another content than its other names", p)
		}
		content[n.Link] = string(n.Content)
	}
	if len(content) != 10 {
		t.Errorf("%d files", len(content))
	}
}

// If the first name is gone when it is to be read, another one is read.
func TestArchiveHardLinkVanishing(t *testing.T) {
	for name, trouble := range map[string]func(path string){
		"removed":  func(path string) { os.Remove(path) },
		"replaced": func(path string) { os.Remove(path); os.WriteFile(path, []byte("another"), 0o600) },
	} {
		dir := t.TempDir()
		first := filepath.Join(dir, "0")
		putFile(t, first, "content")
		for i := 1; i < 5; i++ {
			if err := os.Link(first, filepath.Join(dir, fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
		}
		m := newMemStore()
		o := ArchiveOptions{Workers: 2}
		walked := make(chan struct{})
		o.Excludes = []func(string, *Node) bool{func(path string, n *Node) bool {
			if strings.HasSuffix(path, "/4") {
				close(walked)
			}
			return false
		}}
		o.Progress = before(first, func() { <-walked; trouble(first) })
		root, _, listed := troubled(t, m, o, dir)
		if name == "removed" && listed["0"] == "" {
			t.Errorf("%s: %q", name, listed)
		}
		for i := 1; i < 5; i++ {
			if n := find(t, m, root, filepath.Join(dir, fmt.Sprint(i))); n.Size != 7 {
				t.Errorf("%s: name %d: %+v", name, i, n)
			}
		}
		if n, err := Find(t.Context(), m.source(), root, first); err == nil && n.Linked() {
			t.Errorf("%s: %+v", name, n)
		}
	}
}

// Without root's rights: what cannot be opened is listed.
func TestArchiveForbidden(t *testing.T) {
	dir := t.TempDir()
	for _, f := range []string{"open/x", "shut/x", "secret"} {
		putFile(t, filepath.Join(dir, f), f)
	}
	chmod(t, filepath.Join(dir, "shut"), 0)
	chmod(t, filepath.Join(dir, "secret"), 0)
	asNobody(t, dir)
	m := newMemStore()
	root, stats, listed := troubled(t, m, ArchiveOptions{}, dir)
	if len(listed) != 2 || listed["shut"] != "permission denied" || listed["secret"] != "permission denied" {
		t.Errorf("%q", listed)
	}
	if stats.Files != 1 || !missing(t, m, root, dir+"/shut") {
		t.Errorf("%+v", stats)
	}
}

// A folder that may be searched but not listed does not stand in the way of a
// path in it that was given.
func TestArchiveThroughUnlistable(t *testing.T) {
	dir := t.TempDir()
	for _, f := range []string{"home/alice/file", "home/alice/dir/x"} {
		putFile(t, filepath.Join(dir, f), f)
	}
	chmod(t, filepath.Join(dir, "home/alice"), 0o711)
	asNobody(t, filepath.Join(dir, "home/alice/dir"))
	m := newMemStore()
	root, _ := archive(t, m, ArchiveOptions{}, dir+"/home/alice/file", dir+"/home/alice/dir")
	if n := find(t, m, root, dir+"/home/alice/dir/x"); n.Size == 0 {
		t.Error(n)
	}
	if n := find(t, m, root, dir+"/home/alice"); n.Mode != 0o711 {
		t.Errorf("%o", n.Mode)
	}
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// asNobody gives a folder to somebody without rights, and makes the rest of the
// test run as him.
func asNobody(t *testing.T, dirs ...string) {
	t.Helper()
	if os.Geteuid() != 0 {
		return // already without rights
	}
	const nobody = 65534
	for _, dir := range dirs {
		if err := os.Chown(dir, nobody, nobody); err != nil {
			t.Fatal(err)
		}
		for up := dir; len(up) > len(os.TempDir()); up = filepath.Dir(up) {
			info, err := os.Stat(up)
			if err != nil {
				t.Fatal(err)
			}
			if info.Mode().Perm()&0o111 != 0o111 {
				chmod(t, up, info.Mode()|0o111)
			}
		}
	}
	if err := syscall.Setegid(nobody); err != nil {
		t.Skip("setegid:", err)
	}
	if err := syscall.Seteuid(nobody); err != nil {
		t.Skip("seteuid:", err)
	}
	t.Cleanup(func() {
		if err := errors.Join(syscall.Seteuid(0), syscall.Setegid(0)); err != nil {
			t.Fatal(err)
		}
	})
}

// Mount points stay empty with OneFileSystem.
func TestArchiveOneFileSystem(t *testing.T) {
	var dev, shm unix.Stat_t
	if unix.Stat("/dev", &dev) != nil || unix.Stat("/dev/shm", &shm) != nil || dev.Dev == shm.Dev {
		t.Skip("/dev/shm is no mount point here")
	}
	f, err := os.CreateTemp("/dev/shm", "holdfast")
	if err != nil {
		t.Skip(err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	for _, one := range []bool{false, true} {
		saw, mount := false, false
		o := ArchiveOptions{OneFileSystem: one, Progress: func(e Event) {
			saw = saw || e.Path == f.Name() && e.Action == Done
			mount = mount || e.Path == "/dev/shm" && e.Action == Done
		}}
		dry := Archiver{Options: o}
		if _, _, _, err := dry.Paths(t.Context(), []string{"/dev"}); err != nil {
			t.Fatal(err)
		}
		if saw == one || !mount {
			t.Errorf("one file system %v: file %v, mount point %v", one, saw, mount)
		}
	}
}

// 200 levels and names of 255 bytes: longer than any path may be.
func TestDeepTree(t *testing.T) {
	dir := t.TempDir()
	src, dst := filepath.Join(dir, "src"), filepath.Join(dir, "dst")
	if err := os.Mkdir(src, 0o755); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(src)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.Repeat("n", 255)
	at := root
	for range 200 {
		if err := at.Mkdir(name, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := at.WriteFile("file", []byte("here"), 0o644); err != nil {
			t.Fatal(err)
		}
		next, err := at.OpenRoot(name)
		if err != nil {
			t.Fatal(err)
		}
		at.Close()
		at = next
	}
	if err := at.Symlink("x", "link"); err != nil {
		t.Fatal(err)
	}
	at.Close()
	m := newMemStore()
	id, stats := archive(t, m, ArchiveOptions{}, src)
	sum := restore(t, m, id, src, RestoreOptions{Target: dst})
	if stats.Files != 200 || sum.Files != 200 || sum.Dirs != 200 || sum.Others != 1 {
		t.Errorf("%+v %+v", stats, sum)
	}
	again := newMemStore()
	if root, _ := archive(t, again, ArchiveOptions{}, dst); find(t, again, root, dst+"/"+name+"/file").Size != 4 {
		t.Error("not the same")
	}
}
