package main

import "github.com/spf13/cobra"

// commands lists the verbs.
func commands(a *app) []*cobra.Command {
	merchant := []*cobra.Command{
		vaultCommand(a), backupCommand(a), snapshotsCommand(a), lsCommand(a), putCommand(a), checkCommand(a), statusCommand(a),
		restoreCommand(a), dumpCommand(a), getCommand(a), recoverCommand(a),
	}
	for _, c := range merchant {
		c.PersistentFlags().StringVar(&a.vault, "vault", "", "name or ID of the vault; not needed with one on this machine")
	}
	return append(merchant, demoCommand(a), testnetCommand(a), nodeCommand(a), operatorCommand(a))
}
