package snapshot

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// seeded returns a random source whose seed is logged and can be set.
func seeded(t testing.TB) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("HOLDFAST_SEED"); s != "" {
		if _, err := fmt.Sscan(s, &seed); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("HOLDFAST_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

// treeMaker makes random trees of everything that a file system can hold.
type treeMaker struct {
	t     testing.TB
	rng   *rand.Rand
	files []string // regular ones, for hard links
	left  int      // entries to make
	can   abilities
}

// abilities are what this machine lets a test do.
type abilities struct{ devices, xattrs bool }

func randomTree(t testing.TB, rng *rand.Rand, dir string, entries int) {
	t.Helper()
	m := &treeMaker{t: t, rng: rng, left: entries, can: probe(t)}
	m.fill(dir, 0)
}

func (m *treeMaker) fill(dir string, depth int) {
	names := map[string]bool{}
	for range 1 + m.rng.IntN(12) {
		if m.left--; m.left < 0 {
			return
		}
		name := m.name()
		if names[name] {
			continue
		}
		names[name] = true
		m.entry(filepath.Join(dir, name), depth)
	}
}

func (m *treeMaker) name() string {
	switch m.rng.IntN(8) {
	case 0:
		return strings.Repeat("ä", 127) // 254 bytes
	case 1:
		return string([]byte{0xff, 0xfe, byte('a' + m.rng.IntN(26)), '\n', '"'})
	case 2:
		return fmt.Sprintf(" -%d * ? [", m.rng.IntN(100))
	}
	return fmt.Sprintf("n%03d.%d", m.rng.IntN(1000), m.rng.IntN(3))
}

func (m *treeMaker) entry(path string, depth int) {
	switch k := m.rng.IntN(20); {
	case k < 5 && depth < 6:
		m.check(os.Mkdir(path, 0o700))
		m.fill(path, depth+1)
	case k < 6:
		m.check(os.Symlink(m.pick("/etc/passwd", "../..", "gone", "\xff\xfe"), path))
		m.own(path)
		return
	case k < 8 && len(m.files) > 0:
		m.check(os.Link(m.files[m.rng.IntN(len(m.files))], path))
		return
	case k < 9:
		m.special(path)
	case k < 11:
		m.sparse(path)
		m.files = append(m.files, path)
	default:
		m.check(os.WriteFile(path, m.bytes(m.rng.IntN(20000)), 0o600))
		m.files = append(m.files, path)
	}
	m.decorate(path)
}

func (m *treeMaker) pick(s ...string) string { return s[m.rng.IntN(len(s))] }

func (m *treeMaker) bytes(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(m.rng.Uint32())
	}
	if m.rng.IntN(4) == 0 {
		clear(p[n/4 : n/2]) // zeros that are data
	}
	return p
}

func (m *treeMaker) sparse(path string) {
	f, err := os.Create(path)
	m.check(err)
	for range m.rng.IntN(4) {
		_, err := f.WriteAt(m.bytes(1+m.rng.IntN(10000)), m.rng.Int64N(1<<19))
		m.check(err)
	}
	m.check(f.Truncate(3 << 18))
	m.check(f.Close())
}

// decorate sets times, mode and owner last, parents after their children.
func (m *treeMaker) decorate(path string) {
	info, err := os.Lstat(path)
	m.check(err)
	m.own(path)
	m.xattrs(path)
	mode := fileMode(int64(m.rng.IntN(0o10000)))
	if info.IsDir() {
		mode |= 0o500 // that only root can enter others is tested elsewhere
	}
	m.check(os.Chmod(path, mode))
	mtime := time.Unix(m.rng.Int64N(2e9)-1000, m.rng.Int64N(1e9))
	m.check(os.Chtimes(path, mtime, mtime))
}

func (m *treeMaker) check(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

// describe lists a tree: for each path everything that a restore has to bring back.
// What lies in one of the paths of except is left out.
func describe(t testing.TB, dir string, except ...string) map[string]string {
	t.Helper()
	out := map[string]string{}
	who := newOwners()
	links := map[string][]string{}
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		rel := strings.TrimPrefix(path, dir)
		if slices.Contains(except, rel) {
			return filepath.SkipDir
		}
		if rel == "" {
			return nil
		}
		out[rel] = describeOne(t, who, path, info)
		if key := linkKey(info); key != "" {
			links[key] = append(links[key], rel)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, group := range links {
		slices.Sort(group)
		for _, rel := range group {
			out[rel] += fmt.Sprintf(" links=%q", group)
		}
	}
	return out
}

func describeOne(t testing.TB, who *owners, path string, info os.FileInfo) string {
	t.Helper()
	n, _, ok := who.meta(filepath.Base(path), info)
	if !ok {
		t.Fatalf("%q has no type", path)
	}
	s := fmt.Sprintf("%s mode=%o owner=%d:%d", n.Type, n.Mode, n.UID, n.GID)
	if n.Type != Symlink || keepsLinkTimes {
		s += fmt.Sprintf(" mtime=%d", n.MTime)
	}
	switch n.Type {
	case File:
		p, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s += fmt.Sprintf(" size=%d sum=%s", n.Size, testID(0, p))
	case Symlink:
		target, err := os.Readlink(path)
		if err != nil {
			t.Fatal(err)
		}
		s += fmt.Sprintf(" target=%q", target)
	case Char, Block:
		s += fmt.Sprintf(" dev=%x", n.Dev)
	}
	in := folderByPath(filepath.Dir(path))
	xattrs, err := in.xattrs(filepath.Base(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range xattrs {
		s += fmt.Sprintf(" %q=%q", x.Name, x.Value)
	}
	return s
}

// sameTree fails the test for everything in which two folders differ.
func sameTree(t testing.TB, want, got string) {
	t.Helper()
	compare(t, describe(t, want), describe(t, got))
}

func compare(t testing.TB, a, b map[string]string) {
	t.Helper()
	for path, want := range a {
		if got, ok := b[path]; !ok {
			t.Errorf("%q is missing", path)
		} else if got != want {
			t.Errorf("%q:\nwant %s\n got %s", path, want, got)
		}
	}
	for path := range b {
		if _, ok := a[path]; !ok {
			t.Errorf("%q is too much", path)
		}
	}
}

func putFile(t testing.TB, path string, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func wantFile(t testing.TB, path, content string) {
	t.Helper()
	p, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
	} else if !bytes.Equal(p, []byte(content)) {
		t.Errorf("%s holds %q, want %q", path, p, content)
	}
}
