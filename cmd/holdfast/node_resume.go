package main

import (
	"time"

	"github.com/spf13/cobra"

	"holdfast/node"
	"holdfast/p2p"
)

func nodeResume(a *app) *cobra.Command {
	var dir, operator string
	var newVolume bool
	c := &cobra.Command{
		Use: "resume --dir DIR [--new-volume --operator FILE]", Short: "end a pause, or give a node a new, empty volume in place of a lost one", Args: exactly(0),
		Long:    "Without --new-volume it takes back what holdfast node pause has announced.\n\nA volume that is back is found by the node itself. One that is lost for good is replaced by\nan empty one with a new vote key: whoever lost a ledger must not vote again under the key\nthat signed it. The node must not be running.",
		Example: "  holdfast node resume --dir /srv/holdfast\n  holdfast node resume --dir /srv/holdfast --new-volume --operator operator.key",
		RunE: func(c *cobra.Command, _ []string) error {
			if err := needDir(dir); err != nil {
				return err
			}
			if !newVolume && operator == "" {
				return a.backFromPause(c.Context(), dir)
			}
			if !newVolume || operator == "" {
				return usagef("--new-volume and --operator belong together; with the key kept offline: holdfast node request --new-volume")
			}
			key, name, err := node.ReadKeyFile(operator, node.OperatorKey)
			if err != nil {
				return err
			}
			cert, err := node.Renew(dir, key, name, time.Now)
			if err != nil {
				return err
			}
			if a.json {
				a.emit(map[string]any{"message_type": "node_resume", "dir": dir, "node": cert.Node.String(), "serial": cert.Serial})
				return nil
			}
			a.printf("node %s has a new, empty volume and a new vote key (certificate %d)\n", p2p.PeerID(cert.Node), cert.Serial)
			a.say("next: holdfast node run --dir %s", dir)
			return nil
		},
	}
	dirFlag(c, &dir)
	c.Flags().BoolVar(&newVolume, "new-volume", false, "the old volume is lost for good")
	c.Flags().StringVar(&operator, "operator", "", "the operator's key file")
	return c
}
