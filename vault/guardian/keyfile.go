package guardian

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"holdfast/internal/atomicfile"
	"holdfast/internal/ident"
	"holdfast/seal"
)

const (
	keyMagic     = "holdfast-guardian v1"
	keyContext   = "holdfast v1 guardian key file"
	keyLimit     = 4 << 10
	secretSize   = ident.SeedSize + 32 + checksumSize
	publicSuffix = ".pub"
)

const keyText = keyMagic + `
# The key of guardian %s (%s).
# It opens a share of a vault's recovery key, and signs approvals and vetoes.
# Keep it secret, and keep a copy where no fire takes both.
name: %s
secret: %s
`

// Init makes a guardian's key and writes it to path, readable by its owner alone,
// and its public half to path.pub. It never overwrites a file: then the error is
// fs.ErrExist.
func Init(path, name string) (Key, error) {
	k, err := Generate(name)
	if err != nil {
		return Key{}, err
	}
	for _, p := range []string{path, PublicPath(path)} {
		if _, err := os.Lstat(p); !errors.Is(err, fs.ErrNotExist) {
			return Key{}, fmt.Errorf("write guardian's key %s: %w", p, cmp.Or(err, fs.ErrExist))
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return Key{}, fmt.Errorf("write guardian's key: %w", err)
	}
	if err := atomicfile.WriteFile(path, []byte(k.text()), 0o600); err != nil {
		return Key{}, fmt.Errorf("write guardian's key %s: %w", path, err)
	}
	text, err := k.publicText()
	if err == nil {
		err = atomicfile.WriteFile(PublicPath(path), []byte(text), 0o644)
	}
	if err != nil {
		return Key{}, fmt.Errorf("write guardian's public file: %w", err)
	}
	return k, nil
}

// PublicPath returns where Init puts the public half of the key at path.
func PublicPath(path string) string { return path + publicSuffix }

// text returns the content of the key file.
func (k Key) text() string {
	approval, identity := k.Approval.Seed(), k.Identity.Seed()
	p := append(approval[:], identity[:]...)
	p = append(p, checksum(keyContext, p)...)
	return fmt.Sprintf(keyText, k.Name, k.Approval.Public().Short(), k.Name, base64.RawStdEncoding.EncodeToString(p))
}

// ReadKey reads a guardian's key file. A file that others can read is refused.
func ReadKey(path string) (Key, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Key{}, fmt.Errorf("read guardian's key: %w", err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return Key{}, fmt.Errorf("read guardian's key %s: %w (mode %o; want 600)", path, ErrKeyMode, info.Mode().Perm())
	}
	p, err := readSmall(path, keyLimit)
	if err != nil {
		return Key{}, fmt.Errorf("read guardian's key: %w", err)
	}
	k, err := ParseKey(p)
	if err != nil {
		return Key{}, fmt.Errorf("read guardian's key %s: %w", path, err)
	}
	return k, nil
}

// IsKey reports whether text begins like a guardian's key file.
func IsKey(text []byte) bool {
	return strings.HasPrefix(strings.TrimSpace(string(text)), keyMagic)
}

// ParseKey reads the content of a guardian's key file. The error is ErrKeyFile.
func ParseKey(text []byte) (Key, error) {
	values, err := fields(text, keyMagic, "name", "secret")
	if err != nil {
		return Key{}, fmt.Errorf("%w: %w", ErrKeyFile, err)
	}
	k := Key{Name: values["name"]}
	if err := checkName(k.Name); err != nil {
		return Key{}, fmt.Errorf("%w: %w", ErrKeyFile, err)
	}
	p, err := base64.RawStdEncoding.Strict().DecodeString(values["secret"])
	if err != nil || len(p) != secretSize {
		return Key{}, fmt.Errorf("%w: the secret is damaged", ErrKeyFile)
	}
	secret, sum := p[:len(p)-checksumSize], p[len(p)-checksumSize:]
	if string(checksum(keyContext, secret)) != string(sum) {
		return Key{}, fmt.Errorf("%w: the secret is damaged", ErrKeyFile)
	}
	k.Approval = ident.NewPrivateKey([ident.SeedSize]byte(secret[:ident.SeedSize]))
	if k.Identity, err = seal.NewIdentity([32]byte(secret[ident.SeedSize:])); err != nil {
		return Key{}, fmt.Errorf("%w: %w", ErrKeyFile, err)
	}
	return k, nil
}
