package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"holdfast/internal/atomicfile"
	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/vault"
	"holdfast/vault/guardian"
)

// guardiansOf reads the public files that --guardian names.
func guardiansOf(files []string) ([]guardian.Public, error) {
	var out []guardian.Public
	for _, path := range files {
		p, err := guardian.ReadPublic(path)
		if err != nil {
			return nil, orUsage(err)
		}
		out = append(out, p)
	}
	return out, nil
}

// orUsage makes a file that is not there a mistake in the command line.
func orUsage(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return usage(err)
	}
	return err
}

// showGuardians names the people, with the whole of their keys: what they read out
// is what decides whether a file is theirs.
func (a *app) showGuardians(w io.Writer, people []guardian.Public, threshold int) {
	if len(people) == 0 {
		fmt.Fprint(w, "guardians: none; losing the kit loses the vault\n")
		return
	}
	fmt.Fprintf(w, "guardians: any %d of %d recover the key, and approve\n", threshold, len(people))
	for _, p := range people {
		fmt.Fprintf(w, "  guardian %-20s %s\n", visibleOn(w, []any{p.Name, p.Key.String()})...)
	}
}

func (a *app) printGuardians(c ledger.Charter) {
	a.printf("%s\n", guardedBy(c))
	for _, g := range c.Guardians {
		a.printf("  guardian %-16s %s\n", g.Name, g.Key.String())
	}
}

// guardedBy says in one line what guardians mean for a vault.
func guardedBy(c ledger.Charter) string {
	n := len(c.Guardians)
	if n == 0 {
		return "guardians: none; the phrase alone opens the vault, and losing it loses everything"
	}
	var names []string
	for _, g := range c.Guardians {
		names = append(names, g.Name)
	}
	if len(c.Secret) == 0 {
		return fmt.Sprintf("guardians: %d of %d approve (%s); the key cannot be recovered from them", c.Threshold, n, strings.Join(names, ", "))
	}
	return fmt.Sprintf("guardians: %d of %d recover the key, and approve (%s); %d may be lost", c.Threshold, n, strings.Join(names, ", "), n-int(c.Threshold))
}

// claimFrom reads what recover works with: words, or what guardians bring.
func (a *app) claimFrom(ctx context.Context, phrase string, shares, args, bootstrap []string, name string) (vault.Claim, error) {
	if len(shares) == 0 {
		if phrase == "" {
			return vault.Claim{}, usagef("--phrase-file is needed, or --share for each guardian who helps")
		}
		return a.claim(phrase, args, bootstrap, name, hostname(), string(ledger.Read))
	}
	if phrase != "" {
		return vault.Claim{}, usagef("--phrase-file or --share, not both")
	}
	kit, err := a.recoverKit(ctx, shares, args, bootstrap)
	if err != nil {
		return vault.Claim{}, err
	}
	return a.claimWith(kit, ledger.Read, args, bootstrap, name, hostname())
}

func (a *app) recoverKit(ctx context.Context, shares, args, bootstrap []string) (vault.Kit, error) {
	r := vault.Recovery{Lookup: vault.Lookup{Options: a.options()}}
	var err error
	if len(args) == 1 {
		if r.Vault, err = ident.ParseCID(args[0]); err != nil {
			return vault.Kit{}, usagef("VAULT: %w", err)
		}
	}
	if r.Bootstrap, err = addresses(bootstrap); err != nil {
		return vault.Kit{}, err
	}
	known := len(r.Bootstrap)
	for _, path := range shares {
		c, err := a.contribution(path)
		if err != nil {
			return vault.Kit{}, orUsage(err)
		}
		r.Contributions = append(r.Contributions, c)
		known += len(c.File.Bootstrap)
	}
	if known == 0 {
		return vault.Kit{}, usagef("--bootstrap is needed: no share names an address")
	}
	return r.Kit(ctx)
}

// contribution reads what one guardian brings; - is standard input.
func (a *app) contribution(path string) (guardian.Contribution, error) {
	if path == "-" {
		return guardian.ReadContributionFrom(a.in, "standard input")
	}
	return guardian.ReadContribution(path)
}

// writeNew writes a file that only its owner can read, and replaces none.
func writeNew(path, text string) error {
	if _, err := os.Lstat(path); err == nil {
		return usagef("%s is already there; name another file", path)
	}
	return atomicfile.WriteFile(path, []byte(text), 0o600)
}
