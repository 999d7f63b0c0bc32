package main

import "github.com/spf13/cobra"

// commands lists the verbs.
func commands(a *app) []*cobra.Command {
	merchant := []*cobra.Command{
		vaultCommand(a), backupCommand(a), snapshotsCommand(a), lsCommand(a), putCommand(a), checkCommand(a), statusCommand(a), whatifCommand(a),
		receiptCommand(a),
		restoreCommand(a), dumpCommand(a), getCommand(a), recoverCommand(a), guardianCommand(a),
		forgetCommand(a), releaseCommand(a),
	}
	for _, c := range merchant {
		c.PersistentFlags().StringVar(&a.vault, "vault", "", "name or ID of the vault; not needed with one on this machine")
	}
	return append(merchant, verifyReceiptCommand(a), demoCommand(a), testnetCommand(a), nodeCommand(a), operatorCommand(a))
}

// group makes a command that only has others below it: alone it prints its help, and
// what is below it and not known is a usage error, not a success.
func group(c *cobra.Command) *cobra.Command {
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usagef("%s: no verb %q in this version", c.CommandPath(), args[0])
		}
		return nil
	}
	c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	return c
}
