package main

import (
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/node"
)

func operatorGrant(a *app) *cobra.Command {
	var key, quota, until, out string
	c := &cobra.Command{
		Use: "grant VAULT --quota SIZE --key FILE --out FILE", Short: "give a vault room on all of your nodes", Args: exactly(1),
		Long:    "Signs a grant: each of the operator's nodes takes shards of the vault, up to a quota. Put the\nfile on each node: holdfast node allow --grant FILE. A later grant for the same vault replaces it.",
		Example: "  holdfast operator grant VAULT --quota 500GB --key operator.key --out vault.grant",
		RunE: func(_ *cobra.Command, args []string) error {
			if key == "" || quota == "" || out == "" {
				return usagef("--key, --quota and --out are needed")
			}
			now := time.Now()
			g := ledger.VaultGrant{Issued: ledger.Millis(now)}
			var err error
			if g.Vault, err = vaultArg(args[0]); err != nil {
				return err
			}
			if g.Quota, err = parseSize(quota); err != nil {
				return err
			}
			end, err := parseUntil(until, now)
			if err != nil {
				return err
			}
			if !end.IsZero() {
				g.Expires = ledger.Millis(end)
			}
			return a.grantVault(g, key, out)
		},
	}
	f := c.Flags()
	f.StringVar(&key, "key", "", "the operator's key file")
	f.StringVar(&quota, "quota", "", "how many bytes each node takes, as 500GB; 0 for no limit")
	f.StringVar(&until, "until", "", "when it ends, as 2027-12-31 or 90d; it has no end if it is not given")
	f.StringVar(&out, "out", "", "where to write the grant")
	return c
}

func (a *app) grantVault(g ledger.VaultGrant, key, out string) error {
	operator, name, err := node.ReadKeyFile(key, node.OperatorKey)
	if err != nil {
		return err
	}
	text, err := node.SignGrantFile(operator, g)
	if err != nil {
		return err
	}
	if err := replaceKind(out, text); err != nil {
		return err
	}
	if a.json {
		fields := map[string]any{"message_type": "operator_grant", "operator": operator.Public().String(), "vault": g.Vault.String(), "quota": g.Quota, "file": out}
		if g.Expires != 0 {
			fields["until"] = ledger.Time(g.Expires)
		}
		a.emit(fields)
		return nil
	}
	a.printf("operator %s gives vault %s %s on each node%s\n", name, g.Vault, quotaText(g.Quota), endText(g.Expires))
	a.say("next, on each node: holdfast node allow --grant %s --dir DIR", out)
	return nil
}

// vaultArg reads the ID of a vault, which need not be known here.
func vaultArg(s string) (ident.CID, error) {
	vault, err := ident.ParseCID(s)
	if err != nil {
		return vault, usagef("not a vault's ID: %.80q (holdfast vault show prints it)", s)
	}
	return vault, nil
}

func quotaText(n int64) string {
	if n == 0 {
		return "as much as there is"
	}
	return formatSize(n)
}

func endText(ms int64) string {
	if ms == 0 {
		return ""
	}
	return " until " + ledger.Time(ms-1).Local().Format(time.DateOnly) // a day ends at its midnight
}
