package p2p

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// Bounds on the addresses that one node may claim (docs/format.md, node record).
const (
	maxAddrs   = 16
	maxAddrLen = 256
)

// parseAddrs reads the addresses that a node claims, without a trailing /p2p/ of
// its own. What is malformed, too long, names somebody else, or is not TCP is left
// out, and whatever stands behind what a node may claim and what may be configured
// for it: one bad address does not make a node unreachable.
func parseAddrs(p peer.ID, addrs []string) []ma.Multiaddr {
	var out []ma.Multiaddr
	for _, s := range addrs[:min(len(addrs), 2*maxAddrs)] {
		if len(s) > maxAddrLen {
			continue
		}
		a, err := ma.NewMultiaddr(s)
		if err != nil {
			continue
		}
		a, id := peer.SplitAddr(a)
		if a == nil || id != "" && id != p || !isTCP(a) {
			continue
		}
		out = append(out, a)
	}
	return out
}

// isTCP reports whether a is a host or an IP address with a TCP port, and no more.
func isTCP(a ma.Multiaddr) bool {
	if len(a) != 2 || a[1].Protocol().Code != ma.P_TCP {
		return false
	}
	switch a[0].Protocol().Code {
	case ma.P_IP4, ma.P_IP6, ma.P_DNS, ma.P_DNS4, ma.P_DNS6:
		return true
	}
	return false
}

// formatAddrs is the opposite of parseAddrs.
func formatAddrs(addrs []ma.Multiaddr) []string {
	out := make([]string, 0, len(addrs))
	for _, a := range addrs[:min(len(addrs), maxAddrs)] {
		out = append(out, a.String())
	}
	return out
}

// parseFull reads addresses that must be right, each with a /p2p/ part: those of a
// configuration. Those of one peer are put together, in the order of first mention.
func parseFull(addrs []string) ([]peer.AddrInfo, error) {
	var out []peer.AddrInfo
	at := make(map[peer.ID]int)
	for _, s := range addrs {
		info, err := peer.AddrInfoFromString(s)
		if err != nil {
			return nil, fmt.Errorf("%w: address %q: %v", ErrConfig, s, err)
		}
		if len(info.Addrs) != 1 || !isTCP(info.Addrs[0]) {
			return nil, fmt.Errorf("%w: address %q is not of the form /ip4/.../tcp/.../p2p/...", ErrConfig, s)
		}
		if _, err := keyOf(info.ID); err != nil {
			return nil, fmt.Errorf("%w: address %q: %v", ErrConfig, s, err)
		}
		i, ok := at[info.ID]
		if !ok {
			i = len(out)
			at[info.ID] = i
			out = append(out, peer.AddrInfo{ID: info.ID})
		}
		out[i].Addrs = append(out[i].Addrs, info.Addrs...)
	}
	return out, nil
}

// parseListen reads the addresses to listen on.
func parseListen(addrs []string) ([]ma.Multiaddr, error) {
	out := make([]ma.Multiaddr, 0, len(addrs))
	for _, s := range addrs {
		a, err := ma.NewMultiaddr(s)
		if err != nil || !isTCP(a) {
			return nil, fmt.Errorf("%w: address %q is not of the form /ip4/.../tcp/...", ErrConfig, s)
		}
		out = append(out, a)
	}
	return out, nil
}

// ListenPorts returns the TCP ports of addresses, each once, in their order.
func ListenPorts(addrs []string) ([]uint16, error) {
	parsed, err := parseListen(addrs)
	if err != nil {
		return nil, err
	}
	var ports []uint16
	for _, a := range parsed {
		text, err := a.ValueForProtocol(ma.P_TCP)
		if err != nil {
			return nil, err
		}
		port, err := strconv.ParseUint(text, 10, 16)
		if err == nil && !slices.Contains(ports, uint16(port)) {
			ports = append(ports, uint16(port))
		}
	}
	return ports, nil
}
