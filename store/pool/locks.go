package pool

import (
	"encoding/binary"
	"sync"

	"holdfast/store"
)

// locks let one change of a shard's place happen at a time, across volumes. Keys share
// locks, which costs a little waiting and no memory. No stream of a caller is read while
// one is held.
type locks [256]sync.Mutex

func (l *locks) lock(k store.Key) (unlock func()) {
	h := k.Segment.Hash()
	m := &l[(int(binary.LittleEndian.Uint16(h[:]))+k.Index)%len(l)]
	m.Lock()
	return m.Unlock
}
