package guardian

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// TestRecoverAcrossCharters replaces a guardian: old shares open the old charter, new
// ones the new, and the two do not mix. The root secret stays the same, so that what
// former guardians have in their hands still opens it: docs/administrators.md says so.
func TestRecoverAcrossCharters(t *testing.T) {
	c := newCircle(t, "shop", 2, 3)
	bare := c.charter
	bare.Guardians, bare.Threshold, bare.Secret = nil, 0, nil
	before, old, former := c.charter, c.shares(t), c.keys[2]
	c.keys = append(c.keys[:2:2], must(Generate("successor")))
	c.split(t, 2)
	charters, now := []ledger.Charter{bare, before, c.charter}, c.shares(t)
	share := func(s Share) Contribution { return Contribution{From: "paper", File: shareFileOf(s)} }
	key := func(k Key) Contribution { return Contribution{From: "key", Key: k} }
	for name, tc := range map[string]struct {
		given []Contribution
		want  error
	}{
		"new shares":                  {[]Contribution{share(now[0]), share(now[2])}, nil},
		"old shares":                  {[]Contribution{share(old[0]), share(old[2])}, nil},
		"new keys":                    {[]Contribution{key(c.keys[0]), key(c.keys[2])}, nil},
		"a former guardian's key":     {[]Contribution{key(former), key(c.keys[0])}, nil},
		"an old share, a new share":   {[]Contribution{share(old[0]), share(now[1])}, ErrOtherSplit},
		"an old share, a key of both": {[]Contribution{share(old[0]), key(c.keys[1])}, nil},
		"a former key, a new share":   {[]Contribution{key(former), share(now[1])}, ErrWrongKey},
		"a former key alone":          {[]Contribution{key(former)}, ErrWrongKey},
		"an old share alone":          {[]Contribution{share(old[0])}, ErrOtherSplit},
	} {
		e, err := Recover(charters, tc.given)
		if !errors.Is(err, tc.want) || (err == nil) != (e == c.entropy) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && !strings.HasPrefix(err.Error(), tc.given[0].From) {
			t.Errorf("%s: the error names no file: %v", name, err)
		}
	}
	// Whoever has stolen the owner's key cannot take the recovery away from the guardians.
	lie := c.charter
	lie.Secret = before.Secret
	lie.Guardians = append([]ledger.Guardian{}, c.charter.Guardians...)
	lie.Guardians[0].Envelope, lie.Guardians[0].Share = lie.Guardians[1].Envelope, [32]byte{1}
	for _, given := range [][]Contribution{{key(c.keys[0]), share(now[1])}, {key(c.keys[1]), share(now[2])}} {
		if e, err := Recover(append(charters, lie), given); err != nil || e != c.entropy {
			t.Errorf("a newest charter that holds something else: %v", err)
		}
	}
	if _, err := Recover(charters[:1], []Contribution{share(now[0]), share(now[1])}); !errors.Is(err, ErrNoSecret) {
		t.Errorf("a vault that never had guardians: %v", err)
	}
}

// What can be said about shares before there is a charter.
func TestAgree(t *testing.T) {
	c := newCircle(t, "shop", 2, 3)
	all := c.shares(t)
	paper := func(s Share, vault ident.CID) Contribution {
		return Contribution{From: "paper", File: ShareFile{Share: s, Vault: vault}}
	}
	here, there := ident.SumDagCBOR([]byte("here")), ident.SumDagCBOR([]byte("there"))
	key := Contribution{From: "key", Key: c.keys[1]}
	for name, tc := range map[string]struct {
		given []Contribution
		vault ident.CID
		want  error
	}{
		"two that name it":         {[]Contribution{paper(all[0], here), paper(all[1], here)}, here, nil},
		"one that names it":        {[]Contribution{paper(all[0], ident.CID{}), paper(all[1], here)}, here, nil},
		"none that names it":       {[]Contribution{paper(all[0], ident.CID{}), paper(all[1], ident.CID{})}, ident.CID{}, nil},
		"two that name two vaults": {[]Contribution{paper(all[0], here), paper(all[1], there)}, here, ErrForeign},
		"too few":                  {[]Contribution{paper(all[0], here)}, here, ErrTooFew},
		"one and a key":            {[]Contribution{paper(all[0], here), key}, here, nil},
		"nothing":                  {nil, ident.CID{}, ErrTooFew},
	} {
		vault, err := Agree(tc.given)
		if !errors.Is(err, tc.want) || vault != tc.vault {
			t.Errorf("%s: %s, %v", name, vault, err)
		}
	}
}

func TestReadContribution(t *testing.T) {
	c := newCircle(t, "shop", 2, 3)
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	paper, err := ReadContribution(write("paper", shareFileOf(c.shares(t)[0]).Text()))
	if err != nil || paper.HasKey() || paper.File.Share.Index != 1 {
		t.Errorf("a share: %v", err)
	}
	key, err := ReadContribution(write("key", c.keys[1].text()))
	if err != nil || !key.HasKey() || key.Key.Public() != c.keys[1].Public() {
		t.Errorf("a key: %v", err)
	}
	for name, tc := range map[string]struct {
		text string
		want error
	}{
		"neither":          {"hello", ErrShare},
		"too long":         {strings.Repeat("x", shareLimit+1), ErrShare},
		"a damaged key":    {c.keys[0].text()[:200], ErrKeyFile},
		"a public file":    {must(c.keys[0].publicText()), ErrShare},
		"nothing, at last": {"", ErrShare},
	} {
		path := write("wrong", tc.text)
		if _, err := ReadContribution(path); !errors.Is(err, tc.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
