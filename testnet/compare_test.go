package testnet

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// tree makes a small tree that is the same every time.
func tree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(dir, "sub", "empty"), 0o750))
	must(t, os.WriteFile(filepath.Join(dir, "sub", "file"), make([]byte, 300<<10), 0o640))
	must(t, os.WriteFile(filepath.Join(dir, "none"), nil, 0o600))
	must(t, os.Symlink("sub/file", filepath.Join(dir, "link")))
	then := time.Unix(1_700_000_000, 5)
	for _, p := range []string{"sub/file", "none", "sub/empty", "sub"} {
		must(t, os.Chtimes(filepath.Join(dir, p), then, then))
	}
	return dir
}

func TestCompare(t *testing.T) {
	want := tree(t)
	c, err := Compare(t.Context(), want, tree(t))
	if err != nil || c.Files != 2 || c.Bytes != 300<<10 {
		t.Errorf("%+v, %v", c, err)
	}
	then := time.Unix(1_700_000_000, 5)
	for name, change := range map[string]func(dir string) error{
		"a byte": func(dir string) error {
			p := filepath.Join(dir, "sub/file")
			f, err := os.OpenFile(p, os.O_WRONLY, 0)
			if err == nil {
				_, err = f.WriteAt([]byte{1}, 299<<10)
			}
			return errors.Join(err, f.Close(), os.Chtimes(p, then, then))
		},
		"a shorter file": func(dir string) error {
			p := filepath.Join(dir, "sub/file")
			return errors.Join(os.Truncate(p, 5), os.Chtimes(p, then, then))
		},
		"mode":             func(dir string) error { return os.Chmod(filepath.Join(dir, "none"), 0o644) },
		"time":             func(dir string) error { return os.Chtimes(filepath.Join(dir, "none"), then, then.Add(1)) },
		"time of a folder": func(dir string) error { return os.Chtimes(filepath.Join(dir, "sub"), then, then.Add(1)) },
		"missing":          func(dir string) error { return os.Remove(filepath.Join(dir, "none")) },
		"missing folder": func(dir string) error {
			return errors.Join(os.Remove(filepath.Join(dir, "sub/empty")), os.Chtimes(filepath.Join(dir, "sub"), then, then))
		},
		"too many": func(dir string) error { return os.WriteFile(filepath.Join(dir, "more"), nil, 0o600) },
		"another target": func(dir string) error {
			p := filepath.Join(dir, "link")
			return errors.Join(os.Remove(p), os.Symlink("sub", p))
		},
		"a file instead of a link": func(dir string) error {
			p := filepath.Join(dir, "link")
			return errors.Join(os.Remove(p), os.WriteFile(p, nil, 0o777))
		},
	} {
		got := tree(t)
		must(t, change(got))
		if _, err := Compare(t.Context(), want, got); !errors.Is(err, ErrDiffers) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
