// Package wire knows one thing: how structures become bytes and come back, as
// strict DAG-CBOR in bounded frames. It does not know any structure, and it never
// repairs what it reads. It stands on fxamacker/cbor; the rules are those of
// docs/format.md, section 2.
package wire
