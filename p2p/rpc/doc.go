// Package rpc knows how one request and its answer travel over a stream: frames,
// raw bytes behind them, deadlines that want progress, a table that turns errors
// into numbers and back, a pool of streams for each peer, and the limits of whoever
// serves. It does not know any message, any backend, or libp2p. It stands on
// internal/wire and on an interface for streams that package p2p fulfils; the rules
// are those of docs/protocol.md, section 2.
package rpc
