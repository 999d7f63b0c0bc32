// Package snapshot knows trees: how a file system becomes nodes, tree objects and
// a signed snapshot, and how these become files again, inside one folder and
// nowhere else. It does not know where chunks are kept, how they are encrypted,
// what a ledger is, or who runs it: content goes into a Sink and comes out of a
// Source. It stands on internal/wire, internal/ident, the names of seal, os.Root
// and golang.org/x/sys; the bytes are those of docs/format.md, section 5.
package snapshot
