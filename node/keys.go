package node

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"unicode"
	"unicode/utf8"

	"holdfast/internal/atomicfile"
	"holdfast/internal/ident"
	"holdfast/ledger"
)

// What can be wrong with a key file.
var (
	ErrKeyFile = errors.New("not a key file of this kind")
	ErrKeyMode = errors.New("key file can be read by others")
	ErrName    = errors.New("a name has 1 to 64 bytes of printable text")
)

// KeyKind says what a key file holds; a key of one kind is never taken for another.
type KeyKind string

// The kinds of keys that are kept in files.
const (
	OperatorKey KeyKind = "operator"
	NodeKey     KeyKind = "node"
	VoteKey     KeyKind = "vote"
)

const (
	keyFileLimit  = 4 << 10
	keyFilePrefix = "holdfast-key"
)

// GenerateKeyFile makes a new key and writes it, readable by its owner alone. It
// never overwrites a file. Name is what people call the key's holder; it stands in
// the file as a comment.
func GenerateKeyFile(path string, kind KeyKind, name string) (ident.PrivateKey, error) {
	if !validName(name) {
		return ident.PrivateKey{}, fmt.Errorf("write key %s: %w", path, ErrName)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return ident.PrivateKey{}, fmt.Errorf("write key %s: %w", path, cmp.Or(err, fs.ErrExist))
	}
	key, err := ident.GenerateKey(rand.Reader)
	if err != nil {
		return key, err
	}
	seed := key.Seed()
	var b bytes.Buffer
	fmt.Fprintf(&b, "# the %s key of %s: keep it secret\n", kind, name)
	fmt.Fprintf(&b, "# public: %s\n", key.Public())
	fmt.Fprintf(&b, "name: %s\n", name)
	fmt.Fprintf(&b, "%s: %s %s\n", keyFilePrefix, kind, base64.RawStdEncoding.EncodeToString(seed[:]))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return ident.PrivateKey{}, fmt.Errorf("write key: %w", err)
	}
	if err := atomicfile.WriteFile(path, b.Bytes(), 0o600); err != nil {
		return ident.PrivateKey{}, fmt.Errorf("write key %s: %w", path, err)
	}
	return key, nil
}

// validName keeps a name on its line.
func validName(name string) bool {
	return name != "" && len(name) <= ledger.MaxName && printable(name)
}

// printable reports whether a text stays on its line and draws nothing.
func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// ReadKeyFile reads a key of one kind and the name that stands beside it. A file
// that others can read is refused.
func ReadKeyFile(path string, kind KeyKind) (ident.PrivateKey, string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return ident.PrivateKey{}, "", fmt.Errorf("read key: %w", err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return ident.PrivateKey{}, "", fmt.Errorf("read key %s: %w (mode %o; want 600)", path, ErrKeyMode, info.Mode().Perm())
	}
	text, err := readSmall(path, keyFileLimit)
	if err != nil {
		return ident.PrivateKey{}, "", fmt.Errorf("read key: %w", err)
	}
	key, name, err := parseKeyFile(string(text), kind)
	if err != nil {
		return ident.PrivateKey{}, "", fmt.Errorf("read key %s: %w", path, err)
	}
	return key, name, nil
}

func parseKeyFile(text string, kind KeyKind) (key ident.PrivateKey, name string, err error) {
	for line := range strings.Lines(text) {
		field, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		value = strings.TrimSpace(value)
		switch field {
		case "name":
			name = value
		case keyFilePrefix:
			if !key.IsZero() {
				return key, "", fmt.Errorf("%w: it holds two keys", ErrKeyFile)
			}
			of, secret, _ := strings.Cut(value, " ")
			if KeyKind(of) != kind {
				return key, "", fmt.Errorf("%w: it holds a key of kind %q, not %q", ErrKeyFile, of, kind)
			}
			seed, err := base64.RawStdEncoding.Strict().DecodeString(strings.TrimSpace(secret))
			if err != nil || len(seed) != ident.SeedSize {
				return key, "", ErrKeyFile
			}
			key = ident.NewPrivateKey([ident.SeedSize]byte(seed))
		}
	}
	if key.IsZero() {
		return key, "", ErrKeyFile
	}
	return key, name, nil
}
