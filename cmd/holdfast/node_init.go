package main

import (
	"time"

	"github.com/spf13/cobra"

	"holdfast/node"
	"holdfast/p2p"
)

func nodeInit(a *app) *cobra.Command {
	var dir, operator, capacity string
	var config node.Config
	c := &cobra.Command{
		Use: "init", Short: "make a node in an empty folder", Args: exactly(0),
		Example: "  holdfast node init --dir /srv/holdfast --operator operator.key --capacity 500GB \\\n    --zone rack-1 --listen /ip4/0.0.0.0/tcp/4710 --bootstrap ADDR --network NAME",
		RunE: func(*cobra.Command, []string) error {
			if err := needDir(dir); err != nil {
				return err
			}
			if operator == "" || capacity == "" || config.Network == "" {
				return usagef("--operator, --capacity and --network are needed")
			}
			var err error
			if config.Capacity, err = parseSize(capacity); err != nil {
				return err
			}
			if config.Bootstrap, err = addresses(config.Bootstrap); err != nil {
				return err
			}
			return a.initNode(dir, operator, config)
		},
	}
	f := c.Flags()
	dirFlag(c, &dir)
	f.StringVar(&operator, "operator", "", "the operator's key file")
	f.StringVar(&capacity, "capacity", "", "how much disk to offer, as 500GB")
	f.StringVar(&config.Zone, "zone", "default", "what fails together: a rack, a room, a provider")
	f.StringSliceVar(&config.Listen, "listen", []string{"/ip4/127.0.0.1/tcp/0"}, "multiaddr to listen on")
	f.StringSliceVar(&config.Bootstrap, "bootstrap", nil, "multiaddr of a node of the network, or a file with one a line; none for the first node")
	f.StringVar(&config.Network, "network", "", "name of the network")
	f.StringVar(&config.Admin, "admin", node.DefaultAdmin, "loopback address for status and metrics")
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
