package testnet

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"holdfast/node"
)

// ErrNamespace says that this system, or this user, cannot have a network namespace.
var ErrNamespace = errors.New("a network namespace cannot be made")

// ErrWhole says that a network has no nodes apart from which it could be split.
var ErrWhole = errors.New("all nodes of the network are in one place")

// lay makes the border between the nodes apart and the others, before they start.
func (n *Network) lay(c Config, r runner) (err error) {
	if len(c.Apart) == 0 {
		return nil
	}
	p, ok := r.(*processes)
	if !ok {
		return fmt.Errorf("%w: only processes can run apart", ErrConfig)
	}
	if n.border, err = newBorder(); err != nil {
		return err
	}
	far := side(n.border.far.do)
	p.side = func(name string) side {
		if slices.Contains(c.Apart, name) {
			return far
		}
		return here
	}
	for _, d := range n.nodes() {
		addr, err := tcpAddr(d.Addr)
		if err != nil {
			return err
		}
		if !slices.Contains(c.Apart, d.Name) {
			if err := n.border.passOn(addr, far, here, false); err != nil {
				return err
			}
			continue
		}
		config, err := node.ReadConfig(n.NodeDir(d.Name))
		if err != nil {
			return err
		}
		if err := errors.Join(n.border.passOn(addr, here, far, false), n.border.passOn(config.Admin, here, far, true)); err != nil {
			return err
		}
	}
	return nil
}

// tcpAddr turns /ip4/HOST/tcp/PORT/... into HOST:PORT.
func tcpAddr(multiaddr string) (string, error) {
	part := strings.Split(multiaddr, "/")
	if len(part) < 5 {
		return "", fmt.Errorf("%w: address %q", ErrConfig, multiaddr)
	}
	return net.JoinHostPort(part[2], part[4]), nil
}

// Split cuts the nodes that run apart off from all others, and from this program's
// clients, without a word to either side. Connections stay open and pass nothing.
func (n *Network) Split() error {
	if n.border == nil {
		return ErrWhole
	}
	n.border.shut()
	return nil
}

// Join makes the network whole again: what was held goes on.
func (n *Network) Join() error {
	if n.border == nil {
		return ErrWhole
	}
	n.border.reopen()
	return nil
}
