package vault

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"

	"github.com/gofrs/flock"

	"holdfast/internal/atomicfile"
	"holdfast/internal/ident"
)

// Home is where a machine keeps its profiles and its cache. The cache can be
// deleted at any time; the profiles hold secrets and must not be lost.
type Home struct {
	Dir   string // HOLDFAST_HOME
	Cache string // HOLDFAST_CACHE
}

// What can be wrong when a vault is named.
var (
	ErrNoVault   = errors.New("no such vault")
	ErrAmbiguous = errors.New("several vaults on this machine")
	ErrExists    = errors.New("a vault of that name is already on this machine")
	ErrBusy      = errors.New("another holdfast is writing to this vault on this machine")
	ErrName      = errors.New("not a name for a vault: use 1 to 64 letters, digits, dots, dashes and underscores")
)

var validName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$`)

// CheckName says whether a vault may be called name on this machine.
func CheckName(name string) error {
	if !validName.MatchString(name) {
		return fmt.Errorf("%w (%q)", ErrName, name)
	}
	return nil
}

func (h Home) vaults() string              { return filepath.Join(h.Dir, "vaults") }
func (h Home) vaultDir(name string) string { return filepath.Join(h.vaults(), name) }
func (h Home) cacheDir(vault ident.CID) string {
	return filepath.Join(h.Cache, vault.Hex())
}

// Names lists the vaults that this machine knows, sorted.
func (h Home) Names() ([]string, error) {
	entries, err := os.ReadDir(h.vaults())
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list vaults: %w", err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && validName.MatchString(e.Name()) {
			names = append(names, e.Name())
		}
	}
	sort.Strings(names)
	return names, nil
}

// Find turns what a person gave for a vault into its name on this machine: the
// name, the beginning of the ID, or nothing where there is only one vault.
func (h Home) Find(ref string) (string, error) {
	names, err := h.Names()
	if err != nil {
		return "", err
	}
	if ref == "" {
		switch len(names) {
		case 0:
			return "", ErrNoVault
		case 1:
			return names[0], nil
		}
		return "", fmt.Errorf("%w: %s", ErrAmbiguous, strings.Join(names, ", "))
	}
	var found []string
	for _, n := range names {
		if n == ref {
			return n, nil
		}
		p, err := h.Load(n)
		if err == nil && (strings.HasPrefix(p.Vault.String(), ref) || strings.HasPrefix(p.Vault.Hex(), ref)) {
			found = append(found, n)
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("%w: %s", ErrNoVault, ref)
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("%w begin with %s: %s", ErrAmbiguous, ref, strings.Join(found, ", "))
}

// lock keeps a second writer on this machine away from a device's lane.
func (h Home) lock(name string) (unlock func(), err error) {
	l := flock.New(filepath.Join(h.vaultDir(name), "lock"))
	ok, err := l.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock vault %s: %w", name, err)
	}
	if !ok {
		return nil, fmt.Errorf("%w (%s)", ErrBusy, name)
	}
	return func() { l.Unlock() }, nil
}

// reserve makes the folder of a new vault; it fails if the name is taken.
func (h Home) reserve(name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	if err := os.MkdirAll(h.vaults(), 0o700); err != nil {
		return fmt.Errorf("make profile folder: %w", err)
	}
	err := os.Mkdir(h.vaultDir(name), 0o700)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%w: %s", ErrExists, name)
	}
	if err != nil {
		return fmt.Errorf("make profile folder: %w", err)
	}
	return atomicfile.SyncDir(h.vaults())
}
