package p2p

import "holdfast/internal/ident"

// PeerID returns the name (12D3Koo...) that a key has in addresses, "" for no key.
func PeerID(key ident.PublicKey) string {
	p, err := peerOf(key)
	if err != nil {
		return ""
	}
	return p.String()
}

// JoinAddr completes a multiaddr of a node by the node's name: what a bootstrap list
// holds.
func JoinAddr(addr string, node ident.PublicKey) string { return addr + "/p2p/" + PeerID(node) }
