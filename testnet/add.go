package testnet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"holdfast/node"
)

// Add makes one more node, starts it, and returns its name when it is ready. Its
// operator is a new one if the name is empty or not known; a new operator has a zone
// of its own. What else stands in its node.toml is what stands in that of the first
// node.
func (n *Network) Add(ctx context.Context, operator string) (string, error) {
	n.adding.Lock()
	defer n.adding.Unlock()
	d, err := n.next(operator)
	if err != nil {
		return "", err
	}
	if d.Addr, err = n.makeNode(d); err != nil {
		return "", fmt.Errorf("add %s: %w", d.Name, err)
	}
	n.mu.Lock()
	n.desc.Nodes = append(n.desc.Nodes, d)
	n.mu.Unlock()
	if err := errors.Join(n.save(), n.start(ctx, d.Name)); err != nil {
		return "", err
	}
	return d.Name, n.awaitReady(ctx, []string{d.Name})
}

// makeNode makes the folder of a node, and the key of an operator who has none.
func (n *Network) makeNode(d nodeDesc) (addr string, err error) {
	port, err := n.unusedPort()
	if err != nil {
		return "", err
	}
	c, err := node.ReadConfig(n.NodeDir(nodeName(0)))
	if err != nil {
		return "", err
	}
	c.Capacity = n.desc.Capacity
	if err := n.operatorKey(d.Operator); err != nil {
		return "", err
	}
	if addr, err = n.makeKey(d, port); err != nil {
		return "", err
	}
	d.Addr = addr
	return addr, n.initNode(d, c, time.Now)
}

// next says what the next node is called, and where it is.
func (n *Network) next(operator string) (nodeDesc, error) {
	nodes := n.nodes()
	if len(nodes) >= MaxNodes {
		return nodeDesc{}, fmt.Errorf("%w: %d nodes at most", ErrConfig, MaxNodes)
	}
	var operators, zones []string
	for _, d := range nodes {
		if d.Operator == operator {
			return nodeDesc{Name: nodeName(len(nodes)), Operator: operator, Zone: d.Zone}, nil
		}
		operators, zones = append(operators, d.Operator), append(zones, d.Zone)
	}
	if operator == "" {
		operator = unused(operators, operatorName)
	}
	if !validOperator(operator) {
		return nodeDesc{}, fmt.Errorf("%w: operators have names such as op-9", ErrConfig)
	}
	zone := unused(zones, func(i int) string { return fmt.Sprintf("zone-%d", i+1) })
	return nodeDesc{Name: nodeName(len(nodes)), Operator: operator, Zone: zone}, nil
}

// unused is the first name that is not among those in use.
func unused(used []string, name func(i int) string) string {
	i := 0
	for slices.Contains(used, name(i)) {
		i++
	}
	return name(i)
}

// validOperator reports whether a name can be that of a key file.
func validOperator(name string) bool {
	number, found := strings.CutPrefix(name, "op-")
	return found && number != "" && len(number) <= 9 && strings.Trim(number, "0123456789") == ""
}

// operatorKey makes the key of an operator who has none.
func (n *Network) operatorKey(name string) error {
	_, err := os.Stat(n.OperatorKey(name))
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	_, err = node.GenerateKeyFile(n.OperatorKey(name), node.OperatorKey, name)
	return err
}

// unusedPort is one that no node of this network has, those that are down included.
func (n *Network) unusedPort() (int, error) {
	nodes := n.nodes()
	ports, err := freePorts(len(nodes) + 1)
	if err != nil {
		return 0, err
	}
	for _, port := range ports {
		if !slices.ContainsFunc(nodes, func(d nodeDesc) bool { return d.listen() == listenAddr(port) }) {
			return port, nil
		}
	}
	return 0, errNoPort
}
