package main

import (
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/testnet"
)

func testnetCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use: "testnet", Short: "a network of real node processes on this machine", GroupID: groupTry,
		Example: "  holdfast testnet up --nodes 8 --operators 8 --dir /tmp/net\n  holdfast testnet break --dir /tmp/net wipe node-3\n  holdfast testnet heal --dir /tmp/net node-3\n  holdfast testnet down --dir /tmp/net",
	}
	c.AddCommand(testnetUp(a), testnetStatus(a), testnetBreak(a), testnetHeal(a), testnetAdd(a), testnetWeb(a), testnetDown(a), testnetBench(a), testnetSoak(a), testnetSim(a))
	return group(c)
}

func testnetUp(a *app) *cobra.Command {
	var config testnet.Config
	var capacity string
	var show bool
	pace := hurried
	c := &cobra.Command{
		Use: "up --dir DIR", Short: "start a network; returns when it is ready", Args: exactly(0),
		Example: "  holdfast testnet up --nodes 8 --operators 8 --dir /tmp/net",
		RunE: func(c *cobra.Command, _ []string) error {
			if err := needDir(config.Dir); err != nil {
				return err
			}
			var err error
			if config.Capacity, err = parseSize(capacity); err != nil {
				return err
			}
			if config.Program, err = os.Executable(); err != nil {
				return err
			}
			config.Node = pace.set
			n, err := testnet.Up(c.Context(), config)
			if err != nil {
				return err
			}
			if a.json {
				a.emit(map[string]any{"message_type": "testnet_up", "dir": n.Dir(), "network": n.Name(), "nodes": n.Names(), "bootstrap": n.Bootstrap(), "bootstrap_file": n.BootstrapFile()})
			} else {
				a.printf("network %s is ready: %d nodes\nbootstrap %s\n", n.Name(), len(n.Names()), n.BootstrapFile())
				a.say("next: holdfast vault create shop --bootstrap %s", n.BootstrapFile())
			}
			if show {
				return a.showNetwork(c.Context(), n.Dir())
			}
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&config.Dir, "dir", "", "an empty folder for the network")
	f.IntVar(&config.Nodes, "nodes", 8, "number of nodes")
	f.IntVar(&config.Operators, "operators", 0, "number of operators (default: one for each node)")
	f.IntVar(&config.Zones, "zones", 0, "number of zones (default: one for each operator)")
	f.StringVar(&config.Network, "network", testnet.DefaultNetwork, "name of the network; begins with test-")
	f.DurationVar(&pace.repairAfter, "repair-after", pace.repairAfter, "how long nodes wait for one that is down before what it held is repaired (a real node: 24h)")
	f.DurationVar(&pace.auditEvery, "audit-every", pace.auditEvery, "how often members audit every holder (a real node: 2h)")
	f.BoolVar(&show, "web", false, "then show it in a browser, until interrupted")
	f.StringVar(&capacity, "capacity", "20GiB", "disk that each node offers")
	return c
}

// attach takes over the network in dir.
func attach(dir string) (*testnet.Network, error) {
	if err := needDir(dir); err != nil {
		return nil, err
	}
	return testnet.Attach(dir, slog.New(slog.DiscardHandler))
}

func networkFlag(c *cobra.Command, dir *string) {
	c.Flags().StringVar(dir, "dir", "", "the network's folder")
}

func testnetStatus(a *app) *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use: "status --dir DIR", Short: "say how every node is", Args: exactly(0),
		Example: "  holdfast testnet status --dir /tmp/net",
		RunE: func(c *cobra.Command, _ []string) error {
			n, err := attach(dir)
			if err != nil {
				return err
			}
			up := 0
			for _, s := range n.Status(c.Context()) {
				if s.State == "running" {
					up++
				}
				if a.json {
					if err := a.emitStruct("testnet_node", s); err != nil {
						return err
					}
					continue
				}
				a.printf("%s\n", describeNode(s))
			}
			a.say("%d of %d nodes serve", up, len(n.Names()))
			return nil
		},
	}
	networkFlag(c, &dir)
	return c
}

func describeNode(s testnet.NodeState) string {
	line := s.Name + "  " + s.Operator + "  " + s.State
	if s.Status != nil {
		line += "  " + formatSize(s.Status.Used) + " used"
		if s.Status.Reason != "" {
			line += "  (" + s.Status.Reason + ")"
		}
	}
	return line
}

func testnetBreak(a *app) *cobra.Command {
	var dir string
	var hows []string
	for _, h := range testnet.Harms() {
		hows = append(hows, string(h))
	}
	c := &cobra.Command{
		Use: "break --dir DIR " + strings.Join(hows, "|") + " NAME|operator=NAME", Short: "break nodes, to see what happens", Args: exactly(2),
		Example: "  holdfast testnet break --dir /tmp/net kill node-2\n  holdfast testnet break --dir /tmp/net wipe operator=op-3",
		RunE: func(c *cobra.Command, args []string) error {
			n, err := attach(dir)
			if err != nil {
				return err
			}
			names, err := n.Break(c.Context(), testnet.Harm(args[0]), args[1])
			if err != nil {
				return err
			}
			return a.changed("testnet_break", args[0], names)
		},
	}
	networkFlag(c, &dir)
	return c
}

func testnetHeal(a *app) *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use: "heal --dir DIR NAME|operator=NAME", Short: "make broken nodes work again", Args: exactly(1),
		Example: "  holdfast testnet heal --dir /tmp/net node-2",
		RunE: func(c *cobra.Command, args []string) error {
			n, err := attach(dir)
			if err != nil {
				return err
			}
			names, err := n.Heal(c.Context(), args[0])
			if err != nil {
				return err
			}
			return a.changed("testnet_heal", "heal", names)
		},
	}
	networkFlag(c, &dir)
	return c
}

func testnetDown(a *app) *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use: "down --dir DIR", Short: "end all nodes; the folder stays", Args: exactly(0),
		Example: "  holdfast testnet down --dir /tmp/net",
		RunE: func(c *cobra.Command, _ []string) error {
			n, err := attach(dir)
			if err != nil {
				return err
			}
			if err := n.Down(c.Context()); err != nil {
				return err
			}
			return a.changed("testnet_down", "down", n.Names())
		},
	}
	networkFlag(c, &dir)
	return c
}

func (a *app) changed(messageType, what string, names []string) error {
	if a.json {
		a.emit(map[string]any{"message_type": messageType, "action": what, "nodes": names})
		return nil
	}
	a.printf("%s: %s\n", what, strings.Join(names, " "))
	return nil
}
