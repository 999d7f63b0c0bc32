// Package ident knows how things are named and who signed them: CIDs over
// BLAKE3, Ed25519 keys, and signatures bound to a label and a vault. It does not
// know what the named bytes mean, and it keeps no secret longer than its caller
// does. It stands on go-multibase, BLAKE3 and the standard library's Ed25519; the
// bytes are those of docs/format.md, section 1.
package ident
