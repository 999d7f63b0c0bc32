// Package custody knows, for every segment of a vault, which node holds which of its
// shards, and answers what follows from that by arithmetic alone: what is left when
// some are gone, how evenly the shards are spread, what a holder must have. It does
// not know who said so, whether it is true, or what a segment is good for: who fills a
// Map has verified entries and receipts. It stands on package erasure for codes and on
// internal/ident for names.
package custody
