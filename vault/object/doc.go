// Package object is the way of bytes out to holders and back: streams become
// chunks, chunks sealed segments, segments rows on n nodes; and rows become chunks
// again, each checked against its ID. It does not know trees, the ledger's rules or
// who is asked to hold what, and it never keeps more than a few segments in memory.
// It stands on chunker, seal, erasure and shardrpc.
//
// Memory, with default settings and a code 4/8 (a segment is 32 MiB, a row 8 MiB):
// a writer has at most 3 segments (96 MiB; one is filled while two are on their
// way), parity for 2 (64 MiB), 6 chunks on their way to the packer (24 MiB), room
// to compress 4 (16 MiB), and 4 cutters of 8 MiB. A reader has at most 4 segments
// (128 MiB) and 8 chunks on their way out (32 MiB). What is not cutters or chunks on
// their way out lives outside the collector's heap, which would otherwise grow to
// twice its size. What grows with the data is the index of the commit that is open: a
// Checkpoint ends it.
package object
