// Package store knows what a shelf of shards and its trash promise: what Put, Open,
// Remove, Discard and Recall guarantee, which errors tell what, and how bytes are
// verified group by group before they leave a shelf. It does not know where the bytes
// are, who may ask for them, or when one may be removed: it has no rule about that at
// all, and nothing but the node's release rules calls Remove, Discard and Erase. It stands on erasure for descriptors
// and on the BLAKE3 of lukechampine.com/blake3 for Bao trees.
package store
