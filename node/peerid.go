package node

import (
	"github.com/multiformats/go-multibase"

	"holdfast/internal/ident"
)

// peerPrefix goes before an Ed25519 key in a peer's name: an identity multihash of
// 36 bytes that are the protobuf message {type: Ed25519, data: 32 bytes} (libp2p
// specs, peer-ids).
const peerPrefix = "\x00\x24\x08\x01\x12\x20"

// PeerID returns the name (12D3Koo...) that a node's key has in addresses.
func PeerID(key ident.PublicKey) string {
	text, err := multibase.Encode(multibase.Base58BTC, append([]byte(peerPrefix), key[:]...))
	if err != nil {
		return "" // no input can be the cause
	}
	return text[1:] // without the multibase prefix
}

// JoinAddr returns the address by which others find the node that listens there.
func JoinAddr(listen string, key ident.PublicKey) string { return listen + "/p2p/" + PeerID(key) }
