// Package store knows what a shelf of shards promises: what Put, Open and Remove
// guarantee, which errors tell what, and how bytes are verified group by group
// before they leave a shelf. It does not know where the bytes are, who may ask for
// them, or when one may be removed: it has no rule about that at all, and nothing
// but the node's release rules calls Remove. It stands on erasure for descriptors
// and on the BLAKE3 of lukechampine.com/blake3 for Bao trees.
package store
