package testnet

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"path/filepath"

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
	ports, err := freePorts(c.Nodes)
	if err != nil {
		return err
	}
	for i, port := range ports {
		operator := i % c.Operators
		d := nodeDesc{Name: fmt.Sprintf("node-%d", i+1), Operator: operatorName(operator), Zone: fmt.Sprintf("zone-%d", operator%c.Zones+1)}
		key, err := node.GenerateKeyFile(filepath.Join(n.NodeDir(d.Name), node.NodeKeyName), node.NodeKey, d.Operator)
		if err != nil {
			return err
		}
		d.Addr = p2p.JoinAddr(listenAddr(port), key.Public())
		n.desc.Nodes = append(n.desc.Nodes, d)
	}
	return each(n.Names(), func(name string) error { return n.initNode(c, name, ports) })
}

func operatorName(i int) string { return fmt.Sprintf("op-%d", i+1) }

func listenAddr(port int) string { return fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", port) }

func (n *Network) initNode(c Config, name string, ports []int) error {
	var bootstrap []string
	var own nodeDesc
	var listen string
	for i, d := range n.desc.Nodes {
		switch {
		case d.Name == name:
			own, listen = d, listenAddr(ports[i])
		case len(bootstrap) < bootstrapNodes:
			bootstrap = append(bootstrap, d.Addr)
		}
	}
	key, operator, err := node.ReadKeyFile(n.OperatorKey(own.Operator), node.OperatorKey)
	if err != nil {
		return err
	}
	_, err = node.Init(node.InitConfig{
		Dir: n.NodeDir(name), Operator: key, OperatorName: operator, Now: c.clock(name),
		Config: node.Config{
			Network: c.Network, Zone: own.Zone, Listen: []string{listen}, Bootstrap: bootstrap, Capacity: c.Capacity, Admin: node.DefaultAdmin,
		},
	})
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
