package snapshot

import (
	"slices"

	"github.com/zeebo/blake3"

	"holdfast/seal"
)

// SourceID names what is backed up, a host and its paths, so that the snapshots
// of one source are found without saying its name: the `source` of an entry
// (docs/format.md, section 6). The order of paths does not matter.
func SourceID(keys seal.Keys, host string, paths []string) [16]byte {
	h, err := blake3.NewKeyed(keys.DedupTree[:])
	if err != nil {
		panic("snapshot: a key of 32 bytes is refused: " + err.Error())
	}
	h.WriteString(host)
	h.Write([]byte{0})
	for _, p := range slices.Sorted(slices.Values(paths)) {
		h.WriteString(p)
		h.Write([]byte{0})
	}
	return [16]byte(h.Sum(nil))
}
