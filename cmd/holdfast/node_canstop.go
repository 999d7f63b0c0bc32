package main

import (
	"errors"

	"github.com/spf13/cobra"

	"holdfast/node"
)

func nodeCanStop(a *app) *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use: "can-stop --dir DIR", Short: "say whether a node can be stopped now", Args: exactly(0),
		Long:    "Ends with 0 if everything that the node holds or votes for could do without it now: each\nsegment keeps enough shards on nodes that answer to lose another operator, and each vault\nenough members for backups. Ends with 7 if not: wait, or bring the others back first.",
		Example: "  holdfast node can-stop --dir /srv/holdfast && systemctl restart holdfast-node",
		RunE: func(c *cobra.Command, _ []string) error {
			if err := needDir(dir); err != nil {
				return err
			}
			report, err := node.CanStop(c.Context(), dir)
			if err != nil {
				return err
			}
			return a.printCanStop(report)
		},
	}
	dirFlag(c, &dir)
	return c
}

var errCannotStop = errors.New("this node should not be stopped now")

func (a *app) printCanStop(report node.StopReport) error {
	if a.json {
		if err := a.emitStruct("node_can_stop", report); err != nil {
			return err
		}
	}
	for _, v := range report.Vaults {
		if a.json {
			continue
		}
		switch {
		case v.Why != "":
			a.printf("vault %s: %s\n", v.Vault, v.Why)
		case v.Unknown != "":
			a.printf("vault %s: %s\n", v.Vault, v.Unknown)
		}
	}
	if !report.Can {
		return withHint(errCannotStop, exitCannotStop, "wait until the others are back, or what is missing is repaired, and ask again")
	}
	switch n := len(report.Vaults); {
	case a.json:
	case n == 0:
		a.printf("the node can be stopped: it holds nothing and votes for nothing\n")
	default:
		a.printf("the node can be stopped: %s can do without it for a while\n", plural(n, "vault"))
	}
	return nil
}
