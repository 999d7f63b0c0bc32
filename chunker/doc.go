// Package chunker knows where to cut a byte stream, so that most chunks of a
// changed stream are chunks of the old one again. It does not know what chunks are
// called, whether they were seen before, or where they go. It stands on the keyed
// jc-v1.0.0 of go-cdc-chunkers; the parameters are those of docs/format.md,
// section 4.
package chunker
