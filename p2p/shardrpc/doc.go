// Package shardrpc knows the shard protocol: how a device puts shards on another's
// shelf, gets them back whole or in verified ranges, and asks for receipts, as a
// client and as a server. It does not know what a vault is, who may do what, or how
// a shelf keeps its bytes: that is the Backend of whoever serves. It stands on
// package rpc, on erasure for descriptors and on store for slices; the messages are
// those of docs/protocol.md, section 3.
package shardrpc
