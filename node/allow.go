package node

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/BurntSushi/toml"

	"holdfast/internal/atomicfile"
	"holdfast/internal/ident"
)

// This file holds the one rule of which vaults a node takes shards of, and how many
// bytes: what the operator has written for this node, else what he has granted on all
// of his, else what node.toml says of every vault.

// ErrAllow says that allow.toml cannot be used.
var ErrAllow = errors.New("allow.toml cannot be used")

// The words of node.toml for which vaults are taken.
const (
	VaultsOpen   = "open"
	VaultsListed = "listed"

	allowName  = "allow.toml"
	allowLimit = 4 << 20
	allowHead  = "# vaults that this node takes; written by: holdfast node allow\n"
)

// Allowance is what a node gives to one vault.
type Allowance struct {
	Vault ident.CID
	Quota int64     // bytes, 0 for no limit
	Until time.Time // from then on nothing new is taken; zero for no end
}

// allowances are those of one node, by vault.
type allowances map[ident.CID]Allowance

type allowFile struct {
	Vaults []allowLine `toml:"vault"`
}

type allowLine struct {
	Vault string    `toml:"vault"`
	Quota int64     `toml:"quota,omitzero"`
	Until time.Time `toml:"until,omitempty"`
}

// readAllowances reads allow.toml. A file that is not there holds none.
func readAllowances(path string) (allowances, error) {
	text, err := readOptional(path, allowLimit)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAllow, err)
	}
	a, err := parseAllowances(string(text))
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrAllow, path, err)
	}
	return a, nil
}

func parseAllowances(text string) (allowances, error) {
	var f allowFile
	meta, err := toml.Decode(text, &f)
	if err != nil {
		return nil, err
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return nil, fmt.Errorf("unknown key %q", unknown[0].String())
	}
	if len(f.Vaults) > maxVaults {
		return nil, fmt.Errorf("%d vaults, above %d", len(f.Vaults), maxVaults)
	}
	a := make(allowances, len(f.Vaults))
	for _, l := range f.Vaults {
		vault, err := ident.ParseCID(l.Vault)
		switch {
		case err != nil:
			return nil, fmt.Errorf("vault %.80q: %w", l.Vault, err)
		case l.Quota < 0:
			return nil, fmt.Errorf("vault %s: quota %d", vault, l.Quota)
		case a[vault].Vault.Defined():
			return nil, fmt.Errorf("vault %s stands there twice", vault)
		}
		a[vault] = Allowance{vault, l.Quota, l.Until}
	}
	return a, nil
}

func (a allowances) list() []Allowance {
	return slices.SortedFunc(maps.Values(a), func(x, y Allowance) int { return x.Vault.Compare(y.Vault) })
}

func (a allowances) write(dir string) error {
	var f allowFile
	for _, one := range a.list() {
		f.Vaults = append(f.Vaults, allowLine{one.Vault.String(), one.Quota, one.Until})
	}
	var b bytes.Buffer
	b.WriteString(allowHead)
	if err := toml.NewEncoder(&b).Encode(f); err != nil {
		return err
	}
	return atomicfile.WriteFile(filepath.Join(dir, allowName), b.Bytes(), 0o600)
}

// Allowances lists what the node in dir gives to single vaults, by vault.
func Allowances(dir string) ([]Allowance, error) {
	if _, err := readConfig(dir); err != nil {
		return nil, err
	}
	a, err := readAllowances(filepath.Join(dir, allowName))
	return a.list(), err
}

// Allow writes down what the node in dir gives to a vault, in place of what stood there
// about it. The node may be running.
func Allow(dir string, one Allowance) error {
	return changeAllowances(dir, func(a allowances) { a[one.Vault] = one })
}

// Disallow takes a vault off the list. What the node holds of it stays.
func Disallow(dir string, vault ident.CID) error {
	return changeAllowances(dir, func(a allowances) { delete(a, vault) })
}

func changeAllowances(dir string, change func(a allowances)) error {
	if _, err := readConfig(dir); err != nil {
		return err
	}
	a, err := readAllowances(filepath.Join(dir, allowName))
	if err == nil {
		change(a)
		err = a.write(dir)
	}
	if err != nil {
		return fmt.Errorf("allow vault: %w", err)
	}
	return nil
}
