// Package pool makes one shelf, and one trash, of several volumes. It knows on which of
// them a new shard goes, how a shard is found when nobody has written down where it is,
// and how the shards of a volume are moved to the others. It does not know what a volume
// is made of, who opens it, or why one is away: its owner attaches and detaches them. It
// stands on store alone.
//
// # Where a shard is
//
// On one volume, and nothing but that volume says on which: each is asked in turn. So a
// volume can be taken to another machine, or be away, and no table is wrong because of
// it. While a volume is away, a shard that is on none of the others is
// store.ErrPaused and never store.ErrNotFound.
//
// # Two copies
//
// A shard that is put while its volume is away, or whose move was interrupted, can be on
// two volumes. That is no fault: one of them is served and listed, both are removed, and
// Tidy leaves one of them after it has read it. What is on a shelf is not in the
// trash, whatever the trash of another volume says.
package pool
