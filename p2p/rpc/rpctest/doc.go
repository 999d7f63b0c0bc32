// Package rpctest holds a protocol on p2p/rpc against its document: docs/protocol.md
// lists the refusals and the verbs that the code has, and no others. It does not know
// which protocols there are. It is for tests alone and stands on p2p/rpc and
// internal/wire.
package rpctest
