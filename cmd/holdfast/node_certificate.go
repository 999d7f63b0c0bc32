package main

import (
	"time"

	"github.com/spf13/cobra"

	"holdfast/node"
	"holdfast/p2p"
)

// takenWithin is how long a node that runs may take to show what was put into its folder.
const takenWithin = 10 * time.Second

func nodeCertificate(a *app) *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use: "certificate FILE --dir DIR", Short: "give a node the certificate that its operator has made", Args: exactly(1),
		Long:    "Verifies the certificate against the node's keys and installs it. A node that runs takes it at\nonce; nothing is interrupted.",
		Example: "  holdfast node certificate node.cert --dir /srv/holdfast",
		RunE: func(c *cobra.Command, args []string) error {
			if err := needDir(dir); err != nil {
				return err
			}
			cert, err := node.Install(dir, args[0], time.Now())
			if err != nil {
				return err
			}
			live := node.Await(c.Context(), dir, takenWithin, func(s node.Status) bool { return s.Serial >= cert.Serial }) == nil
			expires := time.UnixMilli(cert.Expires)
			if a.json {
				a.emit(map[string]any{
					"message_type": "node_certificate", "dir": dir, "node": cert.Node.String(), "operator": cert.Operator.String(), "name": cert.Name,
					"zone": cert.Zone, "serial": cert.Serial, "certificate_expires": expires, "live": live,
				})
				return nil
			}
			a.printf("node %s of operator %s has certificate %d, good until %s\n", p2p.PeerID(cert.Node), cert.Name, cert.Serial, expires.Format(time.DateOnly))
			if live {
				a.printf("the node shows it to the others already\n")
			} else {
				a.say("next: holdfast node run --dir %s", dir)
			}
			return nil
		},
	}
	dirFlag(c, &dir)
	return c
}
