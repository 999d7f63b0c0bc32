// Package mem is a shelf of shards in memory, for tests and for networks in a box.
// It keeps every promise of store.Shelf but one: nothing survives the process. It
// stands on the same verification as the shelf on disk.
package mem
