package placement

import "holdfast/erasure"

// afford is the margin up to which a segment cannot afford to wait.
const afford = 1

// Endangered reports whether a segment of which so many shards are there can lose no more
// than one of them. It waits for nobody: not for a silent holder, and not for the zone in
// which its next shard belongs.
func Endangered(code erasure.Code, shards int) bool { return shards-code.K <= afford }
