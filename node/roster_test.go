package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
	"holdfast/p2p"
)

func rosterLine(key ident.PublicKey, name, more string) string {
	return fmt.Sprintf("[[operator]]\nkey = %q\nname = %q\n%s\n", key.String(), name, more)
}

// An operator is one key and one name: whatever else stands in a roster is refused, and
// the error says what is wrong.
func TestRosterFile(t *testing.T) {
	a, b := ledgertest.Key("a").Public(), ledgertest.Key("b").Public()
	for name, c := range map[string]struct{ text, want string }{
		"two":               {rosterLine(a, "org-a", "") + rosterLine(b, "org-b", "until = 2030-01-01"), ""},
		"one with two keys": {rosterLine(a, "org-a", "") + rosterLine(b, "org-a", ""), "the name stands there twice"},
		"two names":         {rosterLine(a, "org-a", "") + rosterLine(a, "org-b", ""), "stands there twice: as \"org-a\" and as \"org-b\""},
		"the same twice":    {rosterLine(a, "org-a", "") + rosterLine(a, "org-a", ""), "stands there twice"},
		"nobody":            {"", "0 operators"},
		"no key":            {"[[operator]]\nname = \"x\"\n", "operator \"x\""},
		"no name":           {rosterLine(a, "", ""), ErrName.Error()},
		"escape codes":      {rosterLine(a, "org\x1b[2J", ""), ""},
		"garbage key":       {"[[operator]]\nkey = \"z6Mk\"\nname = \"x\"\n", "operator"},
		"unknown word":      {rosterLine(a, "org-a", "quota = 5"), "unknown key"},
		"not TOML":          {"{\"operators\": []}", "toml"},
	} {
		path := filepath.Join(t.TempDir(), "roster.toml")
		must(t, os.WriteFile(path, []byte(c.text), 0o600))
		r, err := readRoster(path)
		if name == "escape codes" { // TOML has another way to write them, which Go's %q is not
			if err == nil {
				t.Error("a name with escape codes is taken")
			}
			continue
		}
		if c.want == "" && (err != nil || !r.closed) || c.want != "" && (!errors.Is(err, ErrRoster) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := readRoster(filepath.Join(t.TempDir(), "none")); !errors.Is(err, ErrRoster) {
		t.Error("a roster that is not there admits:", err)
	}
}

// What a certificate says must be what the roster says.
func TestRosterAdmits(t *testing.T) {
	a, b, c := ledgertest.Key("a").Public(), ledgertest.Key("b").Public(), ledgertest.Key("c").Public()
	r, err := parseRoster(rosterLine(a, "org-a", "") + rosterLine(b, "org-b", "until = 2030-01-01T00:00:00Z"))
	must(t, err)
	now := ledgertest.Start()
	for name, row := range map[string]struct {
		operator ident.PublicKey
		name     string
		want     string
	}{
		"listed":        {a, "org-a", ""},
		"until 2030":    {b, "org-b", ""},
		"a stranger":    {c, "org-c", "is not on the roster"},
		"a second key":  {c, "org-a", "is on the roster with the key"},
		"a second name": {a, "org-x", "is \"org-a\" on the roster"},
		"another one's": {a, "org-b", "is \"org-a\" on the roster"},
	} {
		err := r.admit(ledger.NodeCertificate{Operator: row.operator, Name: row.name}, now)
		if row.want == "" && err != nil || row.want != "" && (!errors.Is(err, p2p.ErrAdmission) || !strings.Contains(err.Error(), row.want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := r.admit(ledger.NodeCertificate{Operator: b, Name: "org-b"}, now.AddDate(10, 0, 0)); !errors.Is(err, p2p.ErrAdmission) {
		t.Error("after the end:", err)
	}
	if err := (roster{}).admit(ledger.NodeCertificate{Operator: c}, now); err != nil {
		t.Error("an open network:", err)
	}
}

func TestAllowancesFile(t *testing.T) {
	line := func(vault, more string) string { return fmt.Sprintf("[[vault]]\nvault = %q\n%s\n", vault, more) }
	for name, c := range map[string]struct{ text, want string }{
		"none":         {"", ""},
		"one":          {line(vaultA.String(), "quota = 5"), ""},
		"twice":        {line(vaultA.String(), "") + line(vaultA.String(), ""), "twice"},
		"negative":     {line(vaultA.String(), "quota = -5"), "quota"},
		"no vault":     {line("shop", ""), "shop"},
		"unknown word": {line(vaultA.String(), "qouta = 5"), "qouta"},
		"not TOML":     {"garbage", "toml"},
	} {
		path := filepath.Join(t.TempDir(), allowName)
		must(t, os.WriteFile(path, []byte(c.text), 0o600))
		_, err := readAllowances(path)
		if c.want == "" && err != nil || c.want != "" && (!errors.Is(err, ErrAllow) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzOrders(f *testing.F) {
	f.Add(rosterLine(ledgertest.Key("a").Public(), "org-a", "until = 2030-01-01"))
	f.Add("[[vault]]\nvault = \"" + vaultA.String() + "\"\nquota = 5\n")
	f.Fuzz(func(t *testing.T, text string) {
		if r, err := parseRoster(text); err == nil && (!r.closed || len(r.names) != len(r.keys)) {
			t.Errorf("%d keys and %d names", len(r.names), len(r.keys))
		}
		if a, err := parseAllowances(text); err == nil {
			for _, one := range a {
				if one.Quota < 0 || !one.Vault.Defined() {
					t.Errorf("%+v", one)
				}
			}
		}
	})
}
