// Package placement knows which nodes may hold which shards of a segment: at most
// one shard for each operator while there are enough operators, spread over zones,
// weighted by free space, and the same for the same seed on every machine. It does
// not know how to reach a node, what a shard holds, or what has failed; whoever
// calls it does. It stands on BLAKE3 and integers alone: it reads no clock and
// draws no random numbers.
package placement
