package index

import (
	"encoding/binary"

	"holdfast/internal/ident"
)

// progress is how far an entry's index part has been taken in: its claims have the
// numbers from base on, and count only once done is set.
type progress struct {
	done  bool
	base  uint32
	count uint32
}

const progressSize = 9

func (s progress) encode() []byte {
	p := make([]byte, 1, progressSize)
	if s.done {
		p[0] = 1
	}
	p = binary.LittleEndian.AppendUint32(p, s.base)
	return binary.LittleEndian.AppendUint32(p, s.count)
}

func getProgress(t tx, entry ident.CID) (progress, bool) {
	p, ok := get(t, tableEntries, string(entry.Bytes()))
	if !ok || len(p) != progressSize {
		return progress{}, false
	}
	return progress{
		done:  p[0] == 1,
		base:  binary.LittleEndian.Uint32(p[1:]),
		count: binary.LittleEndian.Uint32(p[5:]),
	}, true
}

func putProgress(t tx, entry ident.CID, s progress) error {
	return put(t, tableEntries, string(entry.Bytes()), s.encode())
}

// reserve returns the first of count claim numbers that nobody else will get.
func reserve(t tx, count uint32) (uint32, error) {
	var next uint32
	if p, ok := get(t, tableState, keyNext); ok && len(p) == 4 {
		next = binary.LittleEndian.Uint32(p)
	}
	return next, put(t, tableState, keyNext, binary.LittleEndian.AppendUint32(nil, next+count))
}
