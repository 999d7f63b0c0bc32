package ledger

// Free returns the segments that may be released: introduced by a certified entry,
// needed by no snapshot that is not forgotten, nor by an entry that the member has
// voted for, and not gone already. Needed holds the resolved reference sets of all of
// those, gone what certified releases have taken that are not undone. The requester
// names none of it.
func Free(introduced, needed, gone Numbers) Numbers {
	return introduced.Minus(needed).Minus(gone)
}
