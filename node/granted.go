package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"holdfast/internal/armour"
	"holdfast/internal/atomicfile"
	"holdfast/internal/ident"
	"holdfast/ledger"
)

// labelGrant is the label of the text (RFC 7468) around an operator's grant for a vault.
const labelGrant = "HOLDFAST VAULT GRANT"

// ErrGrant says that a file in the folder of grants holds none, or one that does not
// verify under the operator's key of this node.
var ErrGrant = errors.New("not a grant of this node's operator")

const (
	grantsName = "grants" // folder; what ends in .grant is read
	grantEnd   = ".grant"
	maxGrants  = maxVaults
)

// SignGrantFile returns the text of an operator's grant.
func SignGrantFile(operator ident.PrivateKey, g ledger.VaultGrant) ([]byte, error) {
	signed, err := ledger.SignVaultGrant(operator, g)
	if err != nil {
		return nil, fmt.Errorf("grant vault: %w", err)
	}
	return armour.Encode(labelGrant, signed)
}

func parseGrant(text []byte, operator ident.PublicKey) (ledger.VaultGrant, error) {
	var signed ident.Signed
	if err := armour.Decode(labelGrant, text, &signed); err != nil {
		return ledger.VaultGrant{}, fmt.Errorf("%w: %w", ErrGrant, err)
	}
	g, err := ledger.VerifyVaultGrant(signed, operator)
	if err != nil {
		return g, fmt.Errorf("%w: %w", ErrGrant, err)
	}
	return g, nil
}

// InstallGrant verifies a grant in a file and puts it into the folder of the node in
// dir, which may be running, in place of an earlier one for that vault.
func InstallGrant(dir, path string) (ledger.VaultGrant, error) {
	cert, _, err := readCertificate(dir)
	if err != nil {
		return ledger.VaultGrant{}, fmt.Errorf("install grant: %w", err)
	}
	text, err := readArmoured(path, ErrGrant)
	if err != nil {
		return ledger.VaultGrant{}, fmt.Errorf("install grant: %w", err)
	}
	g, err := parseGrant(text, cert.Operator)
	if err != nil {
		return g, fmt.Errorf("install grant: %w", err)
	}
	folder := filepath.Join(dir, grantsName)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return g, fmt.Errorf("install grant: %w", err)
	}
	in := filepath.Join(folder, g.Vault.String()+grantEnd)
	if before, err := armour.ReadFile(in); err == nil {
		if old, err := parseGrant(before, cert.Operator); err == nil && old.Issued > g.Issued {
			return g, fmt.Errorf("install grant: %w: the node has one for this vault that was issued later", ErrGrant)
		}
	}
	if err := atomicfile.WriteFile(in, text, 0o600); err != nil {
		return g, fmt.Errorf("install grant: %w", err)
	}
	return g, nil
}

// readGrants returns a function that reads a folder of grants by an operator. Of two for
// one vault the one that was issued later counts.
func readGrants(operator ident.PublicKey) func(folder string) (allowances, error) {
	return func(folder string) (allowances, error) {
		entries, err := os.ReadDir(folder)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("read grants: %w", err)
		}
		if len(entries) > maxGrants {
			return nil, fmt.Errorf("read grants: %d files, above %d", len(entries), maxGrants)
		}
		newest := map[ident.CID]ledger.VaultGrant{}
		for _, e := range entries {
			if !strings.HasSuffix(e.Name(), grantEnd) {
				continue
			}
			text, err := armour.ReadFile(filepath.Join(folder, e.Name()))
			if err != nil {
				return nil, fmt.Errorf("read grants: %w", err)
			}
			g, err := parseGrant(text, operator)
			if err != nil {
				return nil, fmt.Errorf("read grants: %s: %w", e.Name(), err)
			}
			if old, ok := newest[g.Vault]; !ok || g.Issued > old.Issued {
				newest[g.Vault] = g
			}
		}
		return fromGrants(newest), nil
	}
}

// Grants lists what the operator of the node in dir has granted on all of his nodes, as far
// as it was installed here, in the order of the vaults.
func Grants(dir string) ([]Allowance, error) {
	cert, _, err := readCertificate(dir)
	if err != nil {
		return nil, fmt.Errorf("list grants: %w", err)
	}
	a, err := readGrants(cert.Operator)(filepath.Join(dir, grantsName))
	return a.list(), err
}

func fromGrants(grants map[ident.CID]ledger.VaultGrant) allowances {
	a := make(allowances, len(grants))
	for vault, g := range grants {
		one := Allowance{Vault: vault, Quota: g.Quota}
		if g.Expires != 0 {
			one.Until = ledger.Time(g.Expires)
		}
		a[vault] = one
	}
	return a
}
