package node

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "operator.key")
	key, err := GenerateKeyFile(path, OperatorKey, "Exämple & Söhne")
	must(t, err)
	got, name, err := ReadKeyFile(path, OperatorKey)
	if err != nil || name != "Exämple & Söhne" || got.Public() != key.Public() || got.Seed() != key.Seed() {
		t.Errorf("%q, %v", name, err)
	}
	fi, err := os.Stat(path)
	if err != nil || runtime.GOOS != "windows" && fi.Mode().Perm() != 0o600 {
		t.Error(fi.Mode(), err)
	}
	if _, err := GenerateKeyFile(path, OperatorKey, "other"); !errors.Is(err, fs.ErrExist) {
		t.Error("overwritten:", err)
	}
	if _, _, err := ReadKeyFile(path, NodeKey); !errors.Is(err, ErrKeyFile) {
		t.Error("a key of another kind:", err)
	}
	if _, _, err := ReadKeyFile(path+".not", OperatorKey); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if runtime.GOOS == "windows" {
		return
	}
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o660, 0o611} {
		must(t, os.Chmod(path, mode))
		if _, _, err := ReadKeyFile(path, OperatorKey); !errors.Is(err, ErrKeyMode) {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
}

func TestKeyNames(t *testing.T) {
	for _, name := range []string{"", "a\nholdfast-key: operator AAAA", "a\tb", "\x00", "\xff", strings.Repeat("x", 65)} {
		path := filepath.Join(t.TempDir(), "k")
		if _, err := GenerateKeyFile(path, OperatorKey, name); !errors.Is(err, ErrName) {
			t.Errorf("%q: %v", name, err)
		}
		if _, err := os.Lstat(path); err == nil {
			t.Errorf("%q: a file was written", name)
		}
	}
}

func TestBadKeyFiles(t *testing.T) {
	const secret = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	if _, _, err := parseKeyFile("name: x\nholdfast-key: node "+secret+"\n", NodeKey); err != nil {
		t.Error("a good one:", err)
	}
	for _, text := range []string{
		"", "name: x\n", "holdfast-key:", "holdfast-key: node", "holdfast-key: node !", "holdfast-key: node " + secret + "A", "holdfast-key: node " + secret[1:],
		"holdfast-key: vote " + secret, "holdfast-key: " + secret, "# holdfast-key: node " + secret,
		"holdfast-key: node " + secret[1:] + "B", // bits behind the end
		"holdfast-key: node " + secret + "\nholdfast-key: node " + secret,
	} {
		if _, _, err := parseKeyFile(text, NodeKey); !errors.Is(err, ErrKeyFile) {
			t.Errorf("%q: %v", text, err)
		}
	}
	path := filepath.Join(t.TempDir(), "k")
	must(t, os.WriteFile(path, make([]byte, keyFileLimit+1), 0o600))
	if _, _, err := ReadKeyFile(path, NodeKey); err == nil {
		t.Error("an endless file is read")
	}
}

func FuzzKeyFile(f *testing.F) {
	f.Add("name: x\nholdfast-key: node AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n")
	f.Add("holdfast-key: vote\n#")
	f.Fuzz(func(t *testing.T, text string) {
		key, _, err := parseKeyFile(text, NodeKey)
		if err == nil && key.IsZero() {
			t.Error("no key and no error")
		}
	})
}
