package disk

import (
	"fmt"
	"time"

	"holdfast/store"
)

// How many changes may wait for the index before a Put writes them itself: that
// bounds memory, and what Open has to go through after a crash.
const maxBacklog = 2048

// flushLoop writes the changes of the index some time after the first of them.
func (d *Disk) flushLoop() {
	for {
		select {
		case <-d.stop:
			return
		case <-d.index.dirty:
		}
		wait := time.NewTimer(d.config.FlushEvery)
		select {
		case <-d.stop:
			wait.Stop()
			return
		case <-wait.C:
		}
		d.life.RLock()
		err := d.flush()
		d.life.RUnlock()
		if err != nil {
			d.report(IndexFailed, store.Key{}, err)
			d.index.retry()
		}
	}
}

// flush writes the waiting changes of the index, if the volume is there.
func (d *Disk) flush() error {
	if err := d.volume.check(); err != nil {
		return err
	}
	return d.index.flush()
}

// relieve keeps the backlog bounded even if the index cannot be written.
func (d *Disk) relieve() error {
	if d.index.backlog() < maxBacklog {
		return nil
	}
	if err := d.flush(); err != nil {
		return fmt.Errorf("flush index: %w", err)
	}
	return nil
}
