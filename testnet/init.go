package testnet

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"holdfast/node"
	"holdfast/p2p"
)

// bootstrapNodes is how many others each node is told of.
const bootstrapNodes = 3

// initNodes makes the operators' keys and the nodes' folders. Node i belongs to
// operator i modulo their number. The nodes' keys come first, so that every node can
// be told of others.
func (n *Network) initNodes(c Config) error {
	for i := range c.Operators {
		name := operatorName(i)
		if _, err := node.GenerateKeyFile(n.OperatorKey(name), node.OperatorKey, name); err != nil {
			return err
		}
	}
	ports, err := freePorts(c.Nodes + len(c.Apart))
	if err != nil {
		return err
	}
	for i, port := range ports[:c.Nodes] {
		operator := i % c.Operators
		d := nodeDesc{Name: nodeName(i), Operator: operatorName(operator), Zone: fmt.Sprintf("zone-%d", operator%c.Zones+1)}
		if d.Addr, err = n.makeKey(d, port); err != nil {
			return err
		}
		n.desc.Nodes = append(n.desc.Nodes, d)
	}
	var g errgroup.Group
	for _, d := range n.desc.Nodes {
		config := c.nodeConfig(d.Name)
		if i := slices.Index(c.Apart, d.Name); i >= 0 { // its port has to be known before it starts
			config.Admin = fmt.Sprintf("127.0.0.1:%d", ports[c.Nodes+i])
		}
		g.Go(func() error { return n.initNode(d, config, c.clock(d.Name)) })
	}
	return g.Wait()
}

func nodeName(i int) string     { return fmt.Sprintf("node-%d", i+1) }
func operatorName(i int) string { return fmt.Sprintf("op-%d", i+1) }

func listenAddr(port int) string { return fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", port) }

// nodeConfig is what a node of this network is told, but for what depends on the
// other nodes.
func (c *Config) nodeConfig(name string) node.Config {
	out := node.Config{Capacity: c.Capacity, Admin: node.DefaultAdmin}
	if c.Node != nil {
		c.Node(name, &out)
	}
	out.Network = c.Network
	return out
}

// makeKey makes the key of a node that will listen on a port, and returns its address.
func (n *Network) makeKey(d nodeDesc, port int) (addr string, err error) {
	key, err := node.GenerateKeyFile(filepath.Join(n.NodeDir(d.Name), node.NodeKeyName), node.NodeKey, d.Operator)
	if err != nil {
		return "", err
	}
	return p2p.JoinAddr(listenAddr(port), key.Public()), nil
}

// initNode makes the folder of a node that has its key, with a certificate of its
// operator. It is told of the first others.
func (n *Network) initNode(d nodeDesc, c node.Config, now func() time.Time) error {
	c.Zone, c.Listen, c.Bootstrap = d.Zone, []string{d.listen()}, nil
	for _, other := range n.nodes() {
		if other.Name != d.Name && len(c.Bootstrap) < bootstrapNodes {
			c.Bootstrap = append(c.Bootstrap, other.Addr)
		}
	}
	key, operator, err := node.ReadKeyFile(n.OperatorKey(d.Operator), node.OperatorKey)
	if err != nil {
		return err
	}
	_, err = node.Init(node.InitConfig{Dir: n.NodeDir(d.Name), Operator: key, OperatorName: operator, Now: now, Config: c})
	return err
}

// Ports are taken from below those that systems give to outgoing connections, so
// that a node finds its own free when it is started again.
const (
	firstPort = 20000
	lastPort  = 32000
)

var errNoPort = errors.New("no free port")

// freePorts finds TCP ports of 127.0.0.1 that nobody listens on now.
func freePorts(n int) ([]int, error) {
	var ports []int
	start := rand.IntN(lastPort - firstPort)
	for i := range lastPort - firstPort {
		if len(ports) == n {
			return ports, nil
		}
		port := firstPort + (start+i)%(lastPort-firstPort)
		l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		ports = append(ports, port)
	}
	return nil, errNoPort
}
