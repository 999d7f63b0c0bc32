// Package ledger knows the structures that a vault's truth is made of (charters,
// grants, entries, votes, certificates and what goes with them), the quorum
// arithmetic, and the rules by which a member judges a proposal. It does not know
// a network, a disk or a clock: times and what a member remembers are handed in,
// and it has no key that opens anything. It stands on internal/ident,
// internal/wire and erasure; the bytes are those of docs/format.md, section 6.
package ledger
