// Package seal knows secrets: the phrase, the keys that follow from it, and how
// chunks become sealed files and come back. It does not know where chunks were cut,
// what a tree or a snapshot says, or where sealed bytes are kept. It stands on age,
// zstd and keyed BLAKE3; the bytes are those of docs/format.md, sections 3 and 4.
package seal
