package snapshot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/internal/leaktest"
	"holdfast/seal"
)

func TestMain(m *testing.M) { os.Exit(leaktest.Run(m)) }

// paths lists a snapshot.
func paths(t testing.TB, m *memStore, root seal.ChunkID, at string) []string {
	t.Helper()
	var out []string
	err := Walk(t.Context(), m.source(), root, at, func(path string, n *Node) error {
		out = append(out, path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func find(t testing.TB, m *memStore, root seal.ChunkID, path string) *Node {
	t.Helper()
	n, err := Find(t.Context(), m.source(), root, path)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// The tree has the whole way from the root, with the real metadata of what is on
// it, and nothing else there.
func TestArchivePaths(t *testing.T) {
	dir := t.TempDir()
	for _, f := range []string{"shop/db/data", "shop/web/index", "mail/box", "mail/other", "not"} {
		putFile(t, filepath.Join(dir, f), f)
	}
	if err := os.Chmod(filepath.Join(dir, "mail"), 0o711); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("shop", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	m := newMemStore()
	root, stats := archive(t, m, ArchiveOptions{}, "shop/web", filepath.Join(dir, "mail/box"), "link", "./link/db")
	got := paths(t, m, root, dir)
	want := []string{"", "/link", "/mail", "/mail/box", "/shop", "/shop/web", "/shop/web/index"}
	// The path through the link is a path of its own, so link is a directory here.
	want = slices.Insert(want, 2, "/link/db", "/link/db/data")
	for i := range want {
		want[i] = dir + want[i]
	}
	if slices.Equal(got, want) {
		if n := find(t, m, root, dir+"/link"); n.Type != Dir {
			t.Errorf("link is a %s", n.Type)
		}
	} else if n := find(t, m, root, dir+"/link"); n.Type != Symlink || slices.Contains(got, dir+"/link/db") {
		t.Errorf("%q, want %q", got, want)
	}
	if n := find(t, m, root, dir+"/mail"); n.Mode != 0o711 || n.MTime == (Time{}) {
		t.Errorf("an ancestor without its metadata: %+v", n)
	}
	if stats.Files < 2 || stats.Unread != 0 {
		t.Errorf("%+v", stats)
	}
}

// A symbolic link that was given is stored as a link.
func TestArchiveSymlinkArgument(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	if err := os.Symlink("/etc", link); err != nil {
		t.Fatal(err)
	}
	m := newMemStore()
	root, _ := archive(t, m, ArchiveOptions{}, link)
	if n := find(t, m, root, link); n.Type != Symlink || string(n.Target) != "/etc" {
		t.Errorf("%+v", n)
	}
}

// What is missing is listed; if nothing is there, that is an error.
func TestArchiveMissing(t *testing.T) {
	dir := t.TempDir()
	putFile(t, filepath.Join(dir, "a/x"), "x")
	gone := filepath.Join(dir, "a/gone")
	a := Archiver{Sink: newMemStore()}
	_, stats, unread, err := a.Paths(t.Context(), []string{dir, gone})
	if err != nil || stats.Unread != 1 || len(unread) != 1 || string(unread[0].Path) != gone {
		t.Errorf("%+v %q %v", stats, unread, err)
	}
	_, _, unread, err = a.Paths(t.Context(), []string{gone})
	if !errors.Is(err, ErrNoSource) || len(unread) != 1 {
		t.Errorf("%q %v", unread, err)
	}
	if _, _, _, err := a.Paths(t.Context(), nil); !errors.Is(err, ErrNoSource) {
		t.Error(err)
	}
}

func TestArchiveExcludes(t *testing.T) {
	dir := t.TempDir()
	for _, f := range []string{
		"keep", "a.tmp", "A.TMP", "sub/b.tmp", "cache/CACHEDIR.TAG", "cache/x", "fake/CACHEDIR.TAG", "fake/x",
		"nob/.nobackup", "nob/x", "nob/d/y", "hdr/.skip", "hdr/x", "hdr2/.skip", "hdr2/x", "given/x.tmp", "fn/secret",
	} {
		content := f
		switch f {
		case "cache/CACHEDIR.TAG":
			content = cacheTag + "\n# more"
		case "hdr/.skip":
			content = "yes, skip"
		}
		putFile(t, filepath.Join(dir, f), content)
	}
	exclude, err := NewMatcher([]string{"*.tmp"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var events []string
	m := newMemStore()
	root, stats := archive(t, m, ArchiveOptions{
		Exclude:          exclude,
		ExcludeCaches:    true,
		ExcludeIfPresent: []string{".nobackup", ".skip:yes"},
		Excludes: []func(string, *Node) bool{func(path string, n *Node) bool {
			return n.Type == File && strings.HasSuffix(path, "/secret")
		}},
		Progress: func(e Event) {
			if e.Action == Excluded {
				events = append(events, strings.TrimPrefix(e.Path, dir))
			}
		},
	}, dir, filepath.Join(dir, "given/x.tmp"))
	var got []string
	for _, p := range paths(t, m, root, dir)[1:] {
		got = append(got, strings.TrimPrefix(p, dir+"/"))
	}
	want := strings.Fields("A.TMP cache cache/CACHEDIR.TAG fake fake/CACHEDIR.TAG fake/x fn given given/x.tmp hdr hdr/.skip hdr2 hdr2/.skip hdr2/x keep nob nob/.nobackup sub")
	if !slices.Equal(got, want) {
		t.Errorf("\n got %q\nwant %q", got, want)
	}
	if want := strings.Fields("/a.tmp /cache/x /fn/secret /hdr/x /nob/d /nob/x /sub/b.tmp"); !slices.Equal(events, want) {
		t.Errorf("excluded %q, want %q", events, want)
	}
	if stats.Files != 10 {
		t.Errorf("%+v", stats)
	}
}

func TestArchiveBadRules(t *testing.T) {
	for _, rule := range []string{"", ":x", "a/b", "..", "/etc/x:y"} {
		a := Archiver{Options: ArchiveOptions{ExcludeIfPresent: []string{rule}}}
		if _, _, _, err := a.Paths(t.Context(), []string{t.TempDir()}); !errors.Is(err, ErrPattern) {
			t.Errorf("%q: %v", rule, err)
		}
	}
}

// Below an excluded directory only what was given by name is stored.
func TestArchiveGivenInExcluded(t *testing.T) {
	dir := t.TempDir()
	putFile(t, filepath.Join(dir, "out/deep/in/file"), "x")
	putFile(t, filepath.Join(dir, "out/deep/other"), "x")
	putFile(t, filepath.Join(dir, "out/not"), "x")
	m := newMemStore()
	root, _ := archive(t, m, ArchiveOptions{Exclude: matcher(t, "out")}, dir, filepath.Join(dir, "out/deep/in"))
	var got []string
	for _, p := range paths(t, m, root, dir)[1:] {
		got = append(got, strings.TrimPrefix(p, dir+"/"))
	}
	if want := strings.Fields("out out/deep out/deep/in out/deep/in/file"); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// A dry run counts the same and stores nothing.
func TestArchiveDryRun(t *testing.T) {
	dir := t.TempDir()
	randomTree(t, seeded(t), dir, 150)
	putFile(t, filepath.Join(dir, "file"), "content")
	m := newMemStore()
	_, want := archive(t, m, ArchiveOptions{}, dir)
	count := new(Counters)
	dry := Archiver{Options: ArchiveOptions{Counters: count}}
	root, got, _, err := dry.Paths(t.Context(), []string{dir})
	want.Added = 0
	if err != nil || got != want || root != (seal.ChunkID{}) {
		t.Errorf("%+v, want %+v (%v)", got, want, err)
	}
	if count.Files.Load() != want.Files || count.Bytes.Load() != want.Bytes {
		t.Errorf("counters: %d files, %d bytes", count.Files.Load(), count.Bytes.Load())
	}
}

// The same tree gives the same objects, however many files are read at once.
func TestArchiveIsDeterministic(t *testing.T) {
	dir := t.TempDir()
	randomTree(t, seeded(t), dir, 150)
	putFile(t, filepath.Join(dir, "file"), "content")
	m := newMemStore()
	tree := func(workers int) seal.ChunkID { // the parents may change meanwhile
		root, _ := archive(t, m, ArchiveOptions{Workers: workers}, dir)
		return find(t, m, root, dir).Tree
	}
	first := tree(1)
	for workers := range 4 {
		if tree(workers+2) != first {
			t.Errorf("another tree with %d workers", workers+2)
		}
	}
}

// Small files may wait for a slow one before them, and directories too; the walk
// waits when they are too many, and goes on.
func TestArchiveSlowFirstFile(t *testing.T) {
	const window = 16
	dir := t.TempDir()
	putFile(t, filepath.Join(dir, "00slow"), "slow")
	for i := range 4 * window {
		name := fmt.Sprintf("%05d", i)
		if i%3 == 0 {
			name += "/inside"
		}
		putFile(t, filepath.Join(dir, name), name)
	}
	m := newMemStore()
	enough := make(chan struct{})
	m.duringFile = func(first []byte) {
		if string(first) == "slow" {
			<-enough
		}
	}
	files := 0
	run := newArchiving(m, ArchiveOptions{Workers: 2, Progress: func(e Event) {
		if e.Type != File || e.Action != Done {
			return
		}
		if files++; files == window-6 { // files and directories: the window is nearly full
			close(enough)
		}
	}})
	run.window = make(chan struct{}, window)
	ctx, cancel := context.WithCancelCause(t.Context())
	run.cancel = cancel
	root, err := run.paths(ctx, newSources([]string{dir}))
	if err != nil || run.stats().Files != 4*window+1 {
		t.Fatalf("%+v %v", run.stats(), err)
	}
	if got := paths(t, m, root, dir); !slices.IsSorted(got) {
		t.Error("out of order")
	}
	if len(run.window) != 0 {
		t.Errorf("%d nodes still wait", len(run.window))
	}
}

// An error of the sink ends the backup at once and leaves nothing running.
func TestArchiveSinkFails(t *testing.T) {
	dir := t.TempDir()
	for i := range 150 {
		putFile(t, filepath.Join(dir, fmt.Sprintf("%d/%d", i%7, i)), strings.Repeat("x", i))
	}
	broken := errors.New("broken")
	for _, after := range []int{0, 3, 70} {
		s := &brokenSink{memStore: newMemStore(), left: after, err: broken}
		a := Archiver{Sink: s}
		_, _, _, err := a.Paths(t.Context(), []string{dir})
		if !errors.Is(err, broken) {
			t.Errorf("after %d: %v", after, err)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stop")
	a := Archiver{Sink: newMemStore(), Options: ArchiveOptions{Progress: func(Event) { cancel(stop) }}}
	if _, _, _, err := a.Paths(ctx, []string{dir}); !errors.Is(err, stop) {
		t.Errorf("cancelled: %v", err)
	}
}

// brokenSink fails after some calls.
type brokenSink struct {
	*memStore
	left int
	err  error
}

func (b *brokenSink) use() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left--; b.left < 0 {
		return b.err
	}
	return nil
}

func (b *brokenSink) File(ctx context.Context, r io.Reader) (Content, error) {
	if err := b.use(); err != nil {
		return Content{}, err
	}
	return b.memStore.File(ctx, r)
}

func (b *brokenSink) Tree(ctx context.Context, p []byte) (seal.ChunkID, error) {
	if err := b.use(); err != nil {
		return seal.ChunkID{}, err
	}
	return b.memStore.Tree(ctx, p)
}

// A sink that loses bytes is found out.
func TestArchiveSinkLies(t *testing.T) {
	dir := t.TempDir()
	putFile(t, filepath.Join(dir, "x"), "content")
	a := Archiver{Sink: lyingSink{newMemStore()}}
	if _, _, _, err := a.Paths(t.Context(), []string{dir}); !errors.Is(err, ErrContent) {
		t.Error(err)
	}
}

type lyingSink struct{ *memStore }

func (l lyingSink) File(ctx context.Context, r io.Reader) (Content, error) {
	c, err := l.memStore.File(ctx, r)
	c.Rows = c.Rows[:0]
	return c, err
}

func TestStream(t *testing.T) {
	m := newMemStore()
	content := bytes.Repeat([]byte("row\n"), 10000)
	a := Archiver{Sink: m, Options: ArchiveOptions{Now: func() time.Time { return time.Unix(5, 6) }}}
	for name, path := range map[string]string{"dump.sql": "/dump.sql", "/db/all/../dump.sql": "/db/dump.sql"} {
		root, stats, err := a.Stream(t.Context(), name, bytes.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := Dump(t.Context(), m.source(), root, path, &out); err != nil || !bytes.Equal(out.Bytes(), content) {
			t.Errorf("%d bytes came back as %d: %v", len(content), out.Len(), err)
		}
		n := find(t, m, root, path)
		if n.MTime != (Time{5, 6}) || stats.Files != 1 || stats.Bytes != int64(len(content)) {
			t.Errorf("%+v %+v", n, stats)
		}
	}
	broken := errors.New("the command failed")
	r := io.MultiReader(strings.NewReader("half"), iotestErr{broken})
	if _, _, err := a.Stream(t.Context(), "x", r); !errors.Is(err, broken) {
		t.Errorf("a failing stream: %v", err)
	}
	for _, name := range []string{"", "/", "..", "a\x00b", strings.Repeat("x", maxName+1)} {
		if _, _, err := a.Stream(t.Context(), name, strings.NewReader("x")); err == nil {
			t.Errorf("%.10q is accepted as a name", name)
		}
	}
}

type iotestErr struct{ err error }

func (e iotestErr) Read([]byte) (int, error) { return 0, e.err }
