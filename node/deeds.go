package node

import (
	"sync/atomic"

	"holdfast/node/repair"
)

// deeds counts what a steward has done since the node was started.
type deeds struct {
	rebuilt, moved, failed, bytes, dropped, completed atomic.Int64
}

// take counts what became of a job.
func (d *deeds) take(r repair.Result) {
	d.rebuilt.Add(int64(r.Rows))
	d.completed.Add(int64(r.Completed))
	if r.Move {
		d.moved.Add(int64(r.Rows))
	}
	if r.Err != nil {
		d.failed.Add(1)
	}
}

// carried counts bytes.
func (d *deeds) carried(read, written int64) { d.bytes.Add(read + written) }

// status says it.
func (d *deeds) status() RepairStatus {
	return RepairStatus{Rebuilt: d.rebuilt.Load(), Moved: d.moved.Load(), Failed: d.failed.Load(), Bytes: d.bytes.Load(), Dropped: d.dropped.Load(), Completed: d.completed.Load()}
}
