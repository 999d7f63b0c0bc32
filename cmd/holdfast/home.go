package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"holdfast/vault"
)

// Environment variables of a merchant's machine.
const (
	envHome  = "HOLDFAST_HOME"
	envCache = "HOLDFAST_CACHE"
	envVault = "HOLDFAST_VAULT"
)

// home is where this machine keeps its profiles and its cache.
func home() (vault.Home, error) {
	h := vault.Home{Dir: os.Getenv(envHome), Cache: os.Getenv(envCache)}
	if h.Dir == "" {
		dir, err := os.UserConfigDir()
		if err != nil {
			return h, withHint(err, exitConfig, "set "+envHome)
		}
		h.Dir = filepath.Join(dir, "holdfast")
	}
	if h.Cache == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return h, withHint(err, exitConfig, "set "+envCache)
		}
		h.Cache = filepath.Join(dir, "holdfast")
	}
	return h, nil
}

func (a *app) options() vault.Options {
	return vault.Options{Warn: func(text string) { a.warn("%s", text) }}
}

// open opens the one vault that the command is about.
func (a *app) open(ctx context.Context) (*vault.Session, error) {
	h, err := home()
	if err != nil {
		return nil, err
	}
	ref := a.vault
	if ref == "" {
		ref = os.Getenv(envVault)
	}
	name, err := h.Find(ref)
	if err != nil {
		return nil, err
	}
	return h.Open(ctx, name, a.options())
}

// synced opens the vault and brings the view of it up to date.
func (a *app) synced(ctx context.Context) (*vault.Session, vault.Standing, error) {
	s, err := a.open(ctx)
	if err != nil {
		return nil, vault.Standing{}, err
	}
	st, err := s.Sync(ctx)
	if err != nil {
		s.Close()
		return nil, st, err
	}
	a.warnStanding(st)
	return s, st, nil
}

// warnStanding says what a reader has to know about how new its view is.
func (a *app) warnStanding(st vault.Standing) {
	for _, lane := range st.Older {
		a.warn("the members show an older head of lane %s than this machine has seen: somebody has gone back", lane)
	}
	if st.Freshness == 0 {
		a.warn("only %d of %d members answered: newer snapshots may exist", st.Answers, st.Members)
	}
}

// addresses reads bootstrap flags: multiaddrs, or files with one a line.
func addresses(given []string) ([]string, error) {
	var out []string
	for _, g := range given {
		if strings.HasPrefix(g, "/ip") || strings.HasPrefix(g, "/dns") {
			out = append(out, g)
			continue
		}
		more, err := readAddresses(g)
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	return out, nil
}

func readAddresses(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, usagef("--bootstrap: neither a multiaddr nor a file that can be read: %w", err)
	}
	defer f.Close()
	var out []string
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if !strings.HasPrefix(line, "/") || len(out) >= 1024 {
			return nil, usagef("--bootstrap: %s: %.80q is not a multiaddr", path, line)
		}
		out = append(out, line)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return out, nil
}

// readKit reads a kit or words from a file; - is standard input.
func (a *app) readKit(path string) (vault.Kit, error) {
	if path == "" {
		return vault.Kit{}, usagef("--phrase-file is needed: a file with the kit or the 24 words, or - for standard input")
	}
	if path == "-" {
		return vault.ReadKit(a.in)
	}
	f, err := os.Open(path)
	if err != nil {
		return vault.Kit{}, usage(err)
	}
	defer f.Close()
	return vault.ReadKit(f)
}

// hostname is what this machine is called.
func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return name
}
