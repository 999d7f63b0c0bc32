package main

import (
	"time"

	"github.com/spf13/cobra"

	"holdfast/node"
	"holdfast/p2p"
)

// nodeFlags are what a new node is told, with the operator's key at hand or without.
type nodeFlags struct {
	dir, capacity string
	config        node.Config
}

func (n *nodeFlags) add(c *cobra.Command) {
	f := c.Flags()
	dirFlag(c, &n.dir)
	f.StringVar(&n.capacity, "capacity", "", "how much disk to offer, as 500GB")
	f.StringVar(&n.config.Zone, "zone", "default", "what fails together: a rack, a room, a provider")
	f.StringSliceVar(&n.config.Listen, "listen", []string{"/ip4/127.0.0.1/tcp/0"}, "multiaddr to listen on")
	f.StringSliceVar(&n.config.Announce, "announce", nil, "multiaddr that others are told, if it is another than those listened on")
	f.StringSliceVar(&n.config.Bootstrap, "bootstrap", nil, "multiaddr of a node of the network, or a file with one a line; none for the first node")
	f.StringVar(&n.config.Network, "network", "", "name of the network")
	f.StringVar(&n.config.Admin, "admin", node.DefaultAdmin, "loopback address for status and metrics")
}

// read completes the configuration.
func (n *nodeFlags) read() (err error) {
	if n.config.Capacity, err = parseSize(n.capacity); err != nil {
		return err
	}
	n.config.Bootstrap, err = addresses(n.config.Bootstrap)
	return err
}

func nodeInit(a *app) *cobra.Command {
	var n nodeFlags
	var operator string
	c := &cobra.Command{
		Use: "init", Short: "make a node in an empty folder", Args: exactly(0),
		Example: "  holdfast node init --dir /srv/holdfast --operator operator.key --capacity 500GB \\\n    --zone rack-1 --listen /ip4/0.0.0.0/tcp/4710 --bootstrap ADDR --network NAME",
		RunE: func(*cobra.Command, []string) error {
			if err := needDir(n.dir); err != nil {
				return err
			}
			if operator == "" || n.capacity == "" || n.config.Network == "" {
				return usagef("--operator, --capacity and --network are needed")
			}
			if err := n.read(); err != nil {
				return err
			}
			return a.initNode(n.dir, operator, n.config)
		},
	}
	n.add(c)
	c.Flags().StringVar(&operator, "operator", "", "the operator's key file; with the key kept offline: holdfast node request")
	return c
}

func (a *app) initNode(dir, operator string, config node.Config) error {
	key, name, err := node.ReadKeyFile(operator, node.OperatorKey)
	if err != nil {
		return err
	}
	cert, err := node.Init(node.InitConfig{Dir: dir, Config: config, Operator: key, OperatorName: name, Now: time.Now})
	if err != nil {
		return err
	}
	id := p2p.PeerID(cert.Node)
	if a.json {
		a.emit(map[string]any{
			"message_type": "node_init", "dir": dir, "node": cert.Node.String(), "peer_id": id, "operator": cert.Operator.String(),
			"network": cert.Network, "zone": cert.Zone, "capacity": config.Capacity, "certificate_expires": time.UnixMilli(cert.Expires),
		})
		return nil
	}
	a.printf("node %s of operator %s in network %s, offering %s\n", id, name, cert.Network, formatSize(config.Capacity))
	a.say("next: holdfast node run --dir %s", dir)
	return nil
}
