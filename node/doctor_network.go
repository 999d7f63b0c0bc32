package node

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"holdfast/internal/ident"
	"holdfast/p2p"
)

// dialBacks is how many other nodes are asked to dial this one.
const dialBacks = 3

// examinePorts judges where this node listens, and shows the addresses that it has got.
func (n *Node) examinePorts() Finding {
	found := examinePorts(n.config, false)
	if addrs := bare(n.host.Addrs()); found.Result == Good && len(addrs) > 0 {
		found.Text = strings.Join(addrs, ", ")
	}
	return found
}

// examinePorts judges where the node listens; the ports are free for it if it does not
// run.
func examinePorts(c Config, free bool) Finding {
	for _, addr := range c.Listen {
		part := strings.Split(addr, "/")
		host, port := part[2], part[4]
		if free && port != "0" {
			l, err := net.Listen("tcp", net.JoinHostPort(host, port))
			if err != nil {
				return bad(checkPorts, "let another program give the port up, or listen elsewhere", "%s: %v", addr, err)
			}
			l.Close()
		}
		if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() && !strings.HasPrefix(c.Network, "test-") {
			return dubious(checkPorts, "listen on /ip4/0.0.0.0/tcp/PORT", "%s is reached from this machine alone", addr)
		}
		if port == "0" && !strings.HasPrefix(c.Network, "test-") {
			return dubious(checkPorts, "choose a port", "%s is another port after each start", addr)
		}
	}
	return good(checkPorts, "%s", strings.Join(c.Listen, ", "))
}

// examineNetwork says who is there, and whether they can reach this node.
func (n *Node) examineNetwork(ctx context.Context) []Finding {
	nodes, err := n.host.Nodes(ctx)
	switch {
	case err != nil && len(nodes) == 0:
		return []Finding{bad(checkPeers, "look at bootstrap in node.toml", "%v", err)}
	case len(nodes) == 0 && len(n.config.Bootstrap) > 0:
		return []Finding{bad(checkPeers, "look at bootstrap in node.toml, and at the way out of this machine", "no other node answers"), skipped(checkDialBack, "nobody is there to dial")}
	case len(nodes) == 0:
		return []Finding{skipped(checkPeers, "this is the network's first node, and the only one"), skipped(checkDialBack, "nobody is there to dial")}
	}
	return []Finding{good(checkPeers, "%d other nodes answer", len(nodes)), n.examineWayIn(ctx, nodes)}
}

// examineWayIn asks nodes of different operators to dial this one. What they say is
// their word: one that says no is contradicted by one that comes through.
func (n *Node) examineWayIn(ctx context.Context, nodes []p2p.Node) Finding {
	ports := n.announcedPorts()
	if len(ports) == 0 {
		return bad(checkDialBack, "listen on an address", "the node tells others no address")
	}
	var reached, asked int
	var seen []string // addresses that others see this node at
	why := "nobody has answered"
	for _, peer := range differentOperators(nodes, n.keys.cert.Operator) {
		bounded, cancel := context.WithTimeout(ctx, 5*time.Second)
		answer, err := n.host.DialBack(bounded, peer, ports)
		cancel()
		if err != nil {
			n.log.Debug("dial-back", "peer", peer.Short(), "error", err)
			continue
		}
		asked++
		if !slices.Contains(seen, answer.Observed) {
			seen = append(seen, answer.Observed)
		}
		if failure := closed(answer.Ports); failure == "" {
			reached++
		} else {
			why = failure
		}
	}
	return judgeWayIn(reached, asked, seen, why, n.host.Addrs())
}

// closed names the first port that was not reached, "" for none.
func closed(ports []p2p.PortReported) string {
	for _, p := range ports {
		if p.Failure != "" {
			return fmt.Sprintf("port %d: %s", p.Port, p.Failure)
		}
	}
	return ""
}

func judgeWayIn(reached, asked int, seen []string, why string, told []string) Finding {
	switch {
	case asked == 0:
		return skipped(checkDialBack, "no other node has answered the question")
	case reached == 0:
		return bad(checkDialBack, "let the port through firewall and router", "%d nodes see this one at %s and do not get through to %s", asked, strings.Join(seen, ", "), why)
	case reached < asked:
		return dubious(checkDialBack, "let the port through firewall and router", "%d of %d nodes get through; the others not to %s", reached, asked, why)
	case !tells(told, seen):
		return dubious(checkDialBack, "say the address from outside by announce in node.toml", "others get through at %s, and the node tells them only %s", strings.Join(seen, ", "), strings.Join(bare(told), ", "))
	}
	return good(checkDialBack, "%d nodes get through at %s", reached, strings.Join(seen, ", "))
}

// tells reports whether one of the addresses that others are told is one that they see,
// or a name, which may stand for it.
func tells(told, seen []string) bool {
	return slices.ContainsFunc(bare(told), func(addr string) bool {
		part := strings.Split(addr, "/")
		return len(part) > 2 && (strings.HasPrefix(part[1], "dns") || slices.Contains(seen, part[2]))
	})
}

// differentOperators chooses whom to ask: one node of each operator, others before this
// node's own.
func differentOperators(nodes []p2p.Node, own ident.PublicKey) []ident.PublicKey {
	var first, last []ident.PublicKey
	asked := map[ident.PublicKey]bool{}
	for _, n := range nodes {
		if o := n.Certificate.Operator; o == own {
			last = append(last, n.Certificate.Node)
		} else if !asked[o] {
			asked[o] = true
			first = append(first, n.Certificate.Node)
		}
	}
	all := slices.Concat(first, last)
	return all[:min(len(all), dialBacks)]
}
