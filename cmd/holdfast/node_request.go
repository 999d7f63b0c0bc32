package main

import (
	"time"

	"github.com/spf13/cobra"

	"holdfast/node"
	"holdfast/p2p"
)

func nodeRequest(a *app) *cobra.Command {
	var n nodeFlags
	var out string
	var newVolume bool
	c := &cobra.Command{
		Use: "request --dir DIR --out FILE", Short: "ask the operator, whose key is kept offline, for a certificate", Args: exactly(0),
		Long:    "Writes a file that is no secret. The operator answers it with another, on the machine that has\nhis key: holdfast operator certify. With --capacity and --network it first makes a node in an\nempty folder. Without them it asks for the next certificate of the node that is there, which\ngoes on running. With --new-volume it gives a node, whose volume is lost for good, an empty one.",
		Example: "  holdfast node request --dir /srv/holdfast --capacity 500GB --zone rack-1 \\\n    --listen /ip4/0.0.0.0/tcp/4710 --bootstrap ADDR --network NAME --out node.req\n  holdfast node request --dir /srv/holdfast --out node.req",
		RunE: func(*cobra.Command, []string) error {
			if err := needDir(n.dir); err != nil {
				return err
			}
			if out == "" {
				return usagef("--out is needed")
			}
			if err := a.prepareNode(&n, newVolume); err != nil {
				return err
			}
			return a.requestCertificate(n.dir, out)
		},
	}
	n.add(c)
	c.Flags().StringVar(&out, "out", "", "where to write the request")
	c.Flags().BoolVar(&newVolume, "new-volume", false, "the old volume is lost for good")
	return c
}

// prepareNode makes what is to be certified, if it is not there.
func (a *app) prepareNode(n *nodeFlags, newVolume bool) error {
	isNew := n.capacity != "" || n.config.Network != ""
	switch {
	case isNew && newVolume:
		return usagef("--new-volume is for a node that is there")
	case newVolume:
		return node.PrepareVolume(n.dir, time.Now)
	case !isNew:
		return nil
	case n.capacity == "" || n.config.Network == "":
		return usagef("--capacity and --network are needed for a new node")
	}
	if err := n.read(); err != nil {
		return err
	}
	return node.Prepare(n.dir, n.config, time.Now)
}

func (a *app) requestCertificate(dir, out string) error {
	r, text, err := node.Request(dir, time.Now)
	if err != nil {
		return err
	}
	if err := replaceKind(out, text); err != nil {
		return err
	}
	if a.json {
		a.emit(map[string]any{
			"message_type": "node_request", "dir": dir, "node": r.Node.String(), "peer_id": p2p.PeerID(r.Node), "network": r.Network,
			"zone": r.Zone, "serial": r.Serial, "file": out,
		})
		return nil
	}
	a.printf("node %s asks for certificate %d in network %s, zone %s\n", p2p.PeerID(r.Node), r.Serial+1, r.Network, r.Zone)
	a.say("take %s to the operator's key: holdfast operator certify %s --key FILE --out node.cert", out, out)
	return nil
}
