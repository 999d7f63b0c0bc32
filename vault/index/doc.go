// Package index knows where chunks and segments are: which segment of which lane
// holds a chunk, and which nodes hold a segment's shards. It is a cache that can
// always be deleted and built again from index parts and entries, so it does not
// judge what it is told, and whoever reads by it checks every chunk against its
// ID. It stands on bbolt.
package index
