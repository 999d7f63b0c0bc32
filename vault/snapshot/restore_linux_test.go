package snapshot

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"holdfast/seal"
)

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root may do that")
	}
}

// As root owners come back, and setuid bits after them; capabilities too.
func TestRestoreOwners(t *testing.T) {
	needRoot(t)
	m := newMemStore()
	n := m.file(t, "tool", []byte("#!"))
	n.Mode, n.UID, n.GID = 0o6755, 1234, 2345
	capability := "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	dir := t.TempDir()
	if err := unix.Setxattr(dir, "security.capability", []byte(capability), 0); err == nil || err == unix.EINVAL {
		probe := filepath.Join(dir, "probe")
		putFile(t, probe, "")
		if unix.Setxattr(probe, "security.capability", []byte(capability), 0) == nil {
			n.Xattrs = []Xattr{{[]byte("security.capability"), []byte(capability)}}
		}
	}
	if n.Xattrs == nil {
		t.Log("without capabilities")
	}
	d := Node{Name: []byte("dir"), Type: Dir, Mode: 0o3555, UID: 7, GID: 8, MTime: Time{9, 10}, Tree: m.tree(t, n)}
	target := t.TempDir()
	restore(t, m, m.tree(t, d), "", RestoreOptions{Target: target})
	again := newMemStore()
	root, _ := archive(t, again, ArchiveOptions{}, target)
	got := find(t, again, root, target+"/dir/tool")
	if got.Mode != 0o6755 || got.UID != 1234 || got.GID != 2345 || len(got.Xattrs) != len(n.Xattrs) {
		t.Errorf("%+v", got)
	}
	got = find(t, again, root, target+"/dir")
	if got.Mode != 0o3555 || got.UID != 7 || got.GID != 8 || got.MTime != (Time{9, 10}) {
		t.Errorf("%+v", got)
	}
}

// Without root: everything but owners comes back, setuid bits of other people's
// files do not, devices are listed, and read-only directories are no obstacle,
// neither in the snapshot nor in the target.
func TestRestoreAsNobody(t *testing.T) {
	m := newMemStore()
	tool := m.file(t, "tool", []byte("#!"))
	tool.Mode, tool.UID, tool.MTime = 0o6755, 0, Time{3, 4}
	tool.Xattrs = []Xattr{{[]byte("security.x"), []byte("1")}, {[]byte("trusted.x"), []byte("1")}}
	locked := m.file(t, "locked", []byte("locked"))
	locked.Mode, locked.MTime = 0, Time{5, 6}
	dir := Node{Name: []byte("dir"), Type: Dir, Mode: 0o555, MTime: Time{7, 8}, Tree: m.tree(t, locked, tool)}
	pipe := Node{Name: []byte("pipe"), Type: Fifo, Mode: 0o640}
	null := Node{Name: []byte("null"), Type: Char, Mode: 0o666, Dev: 1<<32 | 3}
	root := m.tree(t, dir, null, pipe)
	target := t.TempDir()
	asNobody(t, target)
	r := Restorer{Source: m.source(), Options: RestoreOptions{Target: target}}
	for round := range 2 { // the second one meets what the first one left
		sum, err := r.Restore(t.Context(), root, "")
		if err != nil || sum.Failed != 1 || sum.Failures[0].Path != "/null" || !errors.Is(sum.Failures[0].Err, unix.EPERM) {
			t.Fatalf("round %d: %+v %v", round, sum, err)
		}
		if round == 1 && sum.Skipped != 3 {
			t.Errorf("%+v", sum)
		}
		for path, mode := range map[string]os.FileMode{
			"dir": os.ModeDir | 0o555, "dir/tool": 0o755, "dir/locked": 0, "pipe": os.ModeNamedPipe | 0o640,
		} {
			if info, err := os.Lstat(filepath.Join(target, path)); err != nil || info.Mode() != mode {
				t.Errorf("%s: %v %v", path, info.Mode(), err)
			}
		}
	}
	tool.MTime = Time{30, 40}
	dir.Tree = m.tree(t, tool)
	root = m.tree(t, dir)
	if sum := restore(t, m, root, "", r.Options); sum.Files != 1 {
		t.Errorf("into a read-only folder: %+v", sum)
	}
	r.Options.Overwrite = Never
	chmod(t, target+"/dir", 0o500)
	restore(t, m, root, "", r.Options)
	if info, _ := os.Stat(target + "/dir"); info.Mode().Perm() != 0o500 {
		t.Errorf("mode of a folder that was to stay: %o", info.Mode())
	}
}

// Holes come back as holes.
func TestRestoreSparse(t *testing.T) {
	dir := t.TempDir()
	src := filepath.Join(dir, "src")
	putFile(t, src+"/dense", strings.Repeat("x", 100))
	f, err := os.Create(src + "/sparse")
	if err != nil {
		t.Fatal(err)
	}
	for _, off := range []int64{0, 64 << 20, 1<<30 - 5000} {
		if _, err := f.WriteAt([]byte(strings.Repeat("data", 1024)), off); err != nil {
			t.Fatal(err)
		}
	}
	f.Truncate(1 << 30)
	f.Close()
	if f, err = os.Create(src + "/hole"); err != nil {
		t.Fatal(err)
	}
	f.Truncate(1 << 30)
	f.Close()
	if blocks(t, src+"/sparse") > 1<<20 {
		t.Skip("this file system has no holes")
	}
	m := newMemStore()
	root, stats := archive(t, m, ArchiveOptions{}, src)
	if stats.Added > 1<<20 {
		t.Errorf("%d bytes read of two sparse files", stats.Added)
	}
	if n := find(t, m, root, src+"/sparse"); len(n.Extents) != 6 || n.Size != 1<<30 {
		t.Errorf("%+v", n)
	}
	if n := find(t, m, root, src+"/hole"); !n.Hole() {
		t.Errorf("%+v", n)
	}
	dst := filepath.Join(dir, "dst")
	restore(t, m, root, src, RestoreOptions{Target: dst, Verify: true, Check: testCheck})
	for _, name := range []string{"/sparse", "/hole"} {
		if got := blocks(t, dst+name); got > 1<<20 {
			t.Errorf("%s takes %d bytes", name, got)
		}
	}
	a, errA := os.Open(src + "/sparse")
	b, errB := os.Open(dst + "/sparse")
	if errA != nil || errB != nil {
		t.Fatal(errA, errB)
	}
	defer a.Close()
	defer b.Close()
	for _, off := range []int64{0, 64 << 20, 64<<20 + 4096, 1<<30 - 5000, 1<<30 - 100} {
		p, q := make([]byte, 100), make([]byte, 100)
		a.ReadAt(p, off)
		b.ReadAt(q, off)
		if string(p) != string(q) {
			t.Errorf("other bytes at %d", off)
		}
	}
}

// A full disk ends the restore with a clear error; what is complete stays, and
// nothing else.
func TestRestoreFull(t *testing.T) {
	needRoot(t)
	target := t.TempDir()
	if err := unix.Mount("tmpfs", target, "tmpfs", 0, "size=1m"); err != nil {
		t.Skip("mount a small disk:", err)
	}
	defer unix.Unmount(target, unix.MNT_DETACH)
	m := newMemStore()
	var nodes []Node
	for _, name := range strings.Split("abcdefghijklmnopqrstuvwxyz", "") {
		nodes = append(nodes, m.file(t, name, []byte(strings.Repeat(name, 100_000))))
	}
	root := m.tree(t, nodes...)
	r := Restorer{Source: m.source(), Options: RestoreOptions{Target: target}}
	sum, err := r.Restore(t.Context(), root, "")
	if !errors.Is(err, ErrFull) || sum.Files == 0 || sum.Files == 26 {
		t.Fatalf("%+v %v", sum, err)
	}
	names := listDir(t, target)
	if int64(len(names)) != sum.Files {
		t.Errorf("%d files restored, there are %q", sum.Files, names)
	}
	for _, name := range names {
		wantFile(t, filepath.Join(target, name), strings.Repeat(name, 100_000))
	}
}

// A source whose own disk is full has not filled the target.
func TestRestoreSourceFull(t *testing.T) {
	m := newMemStore()
	root := shop(t, m)
	m.failChunk = func(seal.ChunkID) error { return &os.PathError{Op: "write", Path: "cache", Err: unix.ENOSPC} }
	r := Restorer{Source: m.source(), Options: RestoreOptions{Target: t.TempDir()}}
	if sum, err := r.Restore(t.Context(), root, ""); err != nil || sum.Failed != 3 || sum.Others != 1 {
		t.Errorf("%+v %v", sum, err)
	}
}

// What tar unpacks is what was archived.
func TestTarUnpacks(t *testing.T) {
	needRoot(t)
	tar, err := exec.LookPath("tar")
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	src, dst := filepath.Join(dir, "src"), filepath.Join(dir, "dst")
	for _, d := range []string{src, dst} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	randomTree(t, seeded(t), src, 150)
	putFile(t, src+"/file", "file")
	m := newMemStore()
	root, _ := archive(t, m, ArchiveOptions{}, src)
	cmd := exec.Command(tar, "-x", "--same-owner", "-p", "--xattrs", "--xattrs-include=*", "--numeric-owner", "-C", dst)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	err = Tar(t.Context(), m.source(), root, src, in)
	in.Close()
	if werr := cmd.Wait(); err != nil || werr != nil {
		t.Fatalf("%v %v\n%s", err, werr, out.String())
	}
	want := describe(t, src)
	for path, what := range want {
		if strings.HasPrefix(what, "socket") {
			delete(want, path)
		}
	}
	got := describe(t, dst)
	for _, tree := range []map[string]string{want, got} {
		for path, what := range tree { // tar leaves the times of links, and of folders in which it linked, to chance
			if i := strings.Index(what, " mtime="); i >= 0 && strings.HasPrefix(what, "symlink") {
				tree[path] = what[:i] + what[strings.Index(what, "]"):]
			}
		}
	}
	compare(t, want, got)
}
