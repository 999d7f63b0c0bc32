package store

import (
	"context"
	"iter"

	"holdfast/internal/ident"
)

// Reason says what allowed a shard to be put into the trash, and when that was
// done. A shelf keeps it with the shard and makes nothing of it.
type Reason struct {
	Release ident.CID // dag-cbor
	Time    int64     // ms since 1970, not negative
}

// Valid reports whether a shelf can keep the reason.
func (r Reason) Valid() bool { return r.Release.Codec() == ident.DagCBOR && r.Time >= 0 }

// Discarded is a shard in the trash.
type Discarded struct {
	Key
	Reason
	Bytes int64 // that it takes, what is stored around the payload included
}

// Trash is the other half of a shelf: shards that are on their way out and can be
// called back. Whoever has a Shelf does not see them: they are not found, listed or
// counted as shards, and their space is still used. What is in the trash survives a
// crash as it is; a shard is never in neither place because of one. A Put of a shard
// that is in the trash puts it on the shelf, and nothing stays in the trash.
type Trash interface {
	// Discard moves a shard from the shelf to the trash. When it returns nil, a crash
	// does not undo it. No one but the node's release rules calls it, or Erase.
	Discard(ctx context.Context, key Key, why Reason) error

	// Discarded says what the trash has of a shard.
	Discarded(ctx context.Context, key Key) (Discarded, error)

	// Discards goes through the trash of one vault, or through all of it for the zero
	// CID, in no promised order. What is moved meanwhile may or may not be seen. After
	// an error nothing more comes.
	Discards(ctx context.Context, vault ident.CID) iter.Seq2[Discarded, error]

	// Recall moves a shard back to the shelf; when it returns nil a crash does not
	// undo it.
	Recall(ctx context.Context, key Key) error

	// Erase takes a shard out of the trash for ever. When it returns nil its space is
	// free, and a crash does not bring it back.
	Erase(ctx context.Context, key Key) error
}
