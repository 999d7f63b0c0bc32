package node

import (
	"context"

	"holdfast/store"
)

// spared is what is left on the disk for the ledgers and the book.
const spared = 64 << 20

// freeSpace is what can still be put: of what the operator offers, and of what is
// really there.
func freeSpace(dir string, u store.Usage) int64 {
	return max(0, min(u.Capacity-u.Used, freeOnDisk(dir)-spared))
}

// space is what the node tells others; nothing while the volume is not there, or nothing
// new is taken.
func (n *Node) space() (free int64) {
	if !n.orders.takes() {
		return 0
	}
	err := n.volume.use(context.Background(), func(p *parts) error {
		free = p.shelf.Room(context.Background())
		return nil
	})
	if err != nil {
		return 0
	}
	return free
}
