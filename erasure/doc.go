// Package erasure knows the codes that holdfast uses, the public descriptor of a
// coded segment, and how a segment becomes shards and comes back from any k of
// them. It does not know what a segment holds, who keeps a shard, or whether the
// rows that it is given are the right ones: callers verify every row, or every
// column range, before they decode. It stands on klauspost/reedsolomon and
// zeebo/blake3; the bytes are those of docs/format.md, section 7.
package erasure
