package snapshot

import (
	"errors"
	"sync/atomic"
)

// writeBackEvery is how many bytes are restored before the system is made to write
// them to the disk, beside the restore. What is left for its end is then little.
const writeBackEvery = 128 << 20

// writeBack has what was written brought to the disk while more is written. It
// belongs to the goroutine that calls run; wrote may be called by many.
type writeBack struct {
	flush func() error
	bytes atomic.Int64 // written since it was last wanted
	wants chan struct{}
}

func newWriteBack(flush func() error) *writeBack {
	return &writeBack{flush: flush, wants: make(chan struct{}, 1)}
}

// wrote counts bytes that were written. It waits for nothing.
func (w *writeBack) wrote(n int64) {
	if w == nil || w.bytes.Add(n) < writeBackEvery {
		return
	}
	select {
	case w.wants <- struct{}{}:
		w.bytes.Store(0)
	default: // it was not begun yet
	}
}

// run flushes when enough was written, and once more after close. Its error is that
// of any flush: the system tells of a failed write only once.
func (w *writeBack) run() error {
	var failed error
	for range w.wants {
		failed = errors.Join(failed, w.flush())
	}
	return errors.Join(failed, w.flush())
}

// close says that nothing more is written.
func (w *writeBack) close() { close(w.wants) }
