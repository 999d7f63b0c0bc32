package index

// The tables, and the keys of the first.
const (
	tableState    = "state"    // format, next claim number
	tableChunks   = "chunks"   // kind and chunk ID -> spots
	tableClaims   = "claims"   // claim number -> claim
	tableEntries  = "entries"  // entry -> progress
	tableSegments = "segments" // segment -> Segment
	tablePlaces   = "places"   // segment -> moves of its shards
	tableHolders  = "holders"  // node -> Holder

	keyFormat = "format"
	keyNext   = "next"
)

func tables() []string {
	return []string{tableState, tableChunks, tableClaims, tableEntries, tableSegments, tablePlaces, tableHolders}
}

// tx reads and, in an update, writes tables.
type tx interface {
	// get returns nil for what is not there. The bytes are valid, and not to be
	// changed, until the transaction ends.
	get(table, key string) []byte
	put(table, key string, value []byte) error
	// each calls f for every record of a table, in the order of the keys, until it
	// returns false. Nothing is written meanwhile.
	each(table string, f func(key string, value []byte) bool)
}

// database keeps tables. An update happens whole or not at all.
type database interface {
	view(f func(tx)) error
	update(f func(tx) error) error
	close() error
}
