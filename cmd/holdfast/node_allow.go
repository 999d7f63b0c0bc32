package main

import (
	"errors"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"holdfast/ledger"
	"holdfast/node"
)

// allowFlags are those of node allow.
type allowFlags struct {
	dir, quota, until, grant string
	remove                   bool
}

func nodeAllow(a *app) *cobra.Command {
	var f allowFlags
	c := &cobra.Command{
		Use: "allow [VAULT] --dir DIR", Short: "say which vaults a node takes, and how much of each", Args: between(0, 1),
		Long:    "Gives a vault room on this node, whether it runs or not. With vaults = \"listed\" in node.toml\nthe node takes no others. What is written here goes before a grant on all of the operator's\nnodes (--grant). Without a vault it lists what is allowed. Nothing that the node holds goes.",
		Example: "  holdfast node allow VAULT --quota 500GB --dir /srv/holdfast\n  holdfast node allow VAULT --remove --dir /srv/holdfast\n  holdfast node allow --grant vault.grant --dir /srv/holdfast",
		RunE: func(_ *cobra.Command, args []string) error {
			if err := needDir(f.dir); err != nil {
				return err
			}
			switch {
			case f.grant != "" && len(args) == 0 && f.quota == "" && f.until == "" && !f.remove:
				return a.installGrant(f)
			case f.grant != "" || f.remove && (len(args) == 0 || f.quota != "" || f.until != ""):
				return usagef("--grant stands alone, and --remove with a vault")
			case len(args) == 0:
				return a.listAllowed(f.dir)
			}
			return a.allowVault(f, args[0])
		},
	}
	dirFlag(c, &f.dir)
	c.Flags().StringVar(&f.quota, "quota", "", "how many bytes the node takes, as 500GB; no limit if it is not given")
	c.Flags().StringVar(&f.until, "until", "", "when it ends, as 2027-12-31 or 90d; it has no end if it is not given")
	c.Flags().StringVar(&f.grant, "grant", "", "a grant that holdfast operator grant has written")
	c.Flags().BoolVar(&f.remove, "remove", false, "take the vault off the list")
	return c
}

func (a *app) allowVault(f allowFlags, arg string) error {
	vault, err := vaultArg(arg)
	if err != nil {
		return err
	}
	if f.remove {
		if err := node.Disallow(f.dir, vault); err != nil {
			return err
		}
		if a.json {
			a.emit(map[string]any{"message_type": "node_allow", "dir": f.dir, "vault": vault.String(), "removed": true})
			return nil
		}
		a.printf("vault %s is not on the node's list; what it holds of it stays\n", vault)
		return nil
	}
	one := node.Allowance{Vault: vault}
	if f.quota != "" {
		if one.Quota, err = parseSize(f.quota); err != nil {
			return err
		}
	}
	if one.Until, err = parseUntil(f.until, time.Now()); err != nil {
		return err
	}
	if err := node.Allow(f.dir, one); err != nil {
		return err
	}
	a.printAllowed(one, false)
	return nil
}

func (a *app) installGrant(f allowFlags) error {
	g, err := node.InstallGrant(f.dir, f.grant)
	if err != nil {
		return err
	}
	one := node.Allowance{Vault: g.Vault, Quota: g.Quota}
	if g.Expires != 0 {
		one.Until = ledger.Time(g.Expires)
	}
	a.printAllowed(one, true)
	return nil
}

func (a *app) listAllowed(dir string) error {
	list, err := node.Allowances(dir)
	if err != nil {
		return err
	}
	grants, err := node.Grants(dir)
	if err != nil && !errors.Is(err, node.ErrNoCertificate) {
		return err
	}
	for _, one := range list {
		a.printAllowed(one, false)
	}
	for _, one := range grants {
		if !slices.ContainsFunc(list, func(own node.Allowance) bool { return own.Vault == one.Vault }) {
			a.printAllowed(one, true)
		}
	}
	if len(list)+len(grants) == 0 {
		a.say("no vault is listed: what node.toml says of all of them holds")
	}
	return nil
}

// printAllowed says what a vault gets; granted on all of the operator's nodes or here.
func (a *app) printAllowed(one node.Allowance, granted bool) {
	if a.json {
		fields := map[string]any{"message_type": "node_allow", "vault": one.Vault.String(), "quota": one.Quota, "grant": granted}
		if !one.Until.IsZero() {
			fields["until"] = one.Until
		}
		a.emit(fields)
		return
	}
	by, end := "", int64(0)
	if granted {
		by = ", by a grant"
	}
	if !one.Until.IsZero() {
		end = one.Until.UnixMilli()
	}
	a.printf("vault %s   %s%s%s\n", one.Vault, quotaText(one.Quota), endText(end), by)
}
