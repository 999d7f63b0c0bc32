package main

import (
	"errors"
	"fmt"
	"sync"

	"holdfast/vault"
)

// checkpoints tells of what a backup keeps on the way, and remembers it for the case
// that it does not come to its end.
type checkpoints struct {
	app  *app
	bars *progress

	mu   sync.Mutex
	last string
}

// watchCheckpoints adds itself to what is to be backed up.
func (a *app) watchCheckpoints(b *vault.Backup, bars *progress) *checkpoints {
	c := &checkpoints{app: a, bars: bars}
	b.Checkpoint, b.Continues = c.made, c.continues
	return c
}

func (c *checkpoints) made(s vault.Snapshot) {
	c.mu.Lock()
	c.last = s.ID()[:8]
	c.mu.Unlock()
	if c.app.json {
		c.app.emit(map[string]any{
			"message_type": "checkpoint", "snapshot_id": s.ID(), "files": s.Info.Stats.Files, "bytes": s.Info.Stats.Bytes, "data_added": s.Info.Stats.Added,
		})
		return
	}
	c.bars.note("checkpoint %s: %s, %s placed so far", s.ID()[:8], plural(int(s.Info.Stats.Files), "file"), formatSize(s.Info.Stats.Stored))
}

func (c *checkpoints) continues(s vault.Snapshot) {
	if c.app.json {
		c.app.emit(map[string]any{"message_type": "continue", "snapshot_id": s.ID(), "files": s.Info.Stats.Files})
		return
	}
	c.bars.note("continuing from checkpoint %s (%s)", s.ID()[:8], plural(int(s.Info.Stats.Files), "file"))
}

// explain adds to an error what was kept all the same.
func (c *checkpoints) explain(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil || c.last == "" {
		return err
	}
	return checkpointed{err, c.last}
}

// checkpointed is a backup that failed after it had made checkpoints.
type checkpointed struct {
	err  error
	last string
}

func (c checkpointed) Error() string { return c.err.Error() }
func (c checkpointed) Unwrap() error { return c.err }

func (c checkpointed) hint() string {
	return "checkpoint " + c.last + " is kept, and the same command continues from it"
}

// interruptedBackup says what is left of a backup after Ctrl-C.
func interruptedBackup(i *vault.Interrupted) explained {
	const again = "the same command continues"
	id := ""
	if i.Last.Defined() {
		id = i.Last.Hex()[:8]
	}
	switch {
	case id == "":
		return explained{exitInterrupted, "interrupted before a checkpoint was made", "run the same command again; what this run has placed is sent again"}
	case i.Kept:
		return explained{exitInterrupted, fmt.Sprintf("interrupted; checkpoint %s keeps what was placed", id), again + " from it"}
	}
	return explained{exitInterrupted, fmt.Sprintf("interrupted; checkpoint %s keeps what was placed until it was made", id), again + " from it"}
}

// withKept puts the hint about a checkpoint behind the cause's own.
func withKept(err error, e explained) explained {
	var c checkpointed
	if !errors.As(err, &c) || e.exit == exitInterrupted {
		return e
	}
	if e.hint == hintNothing {
		e.hint = "run it again when the cause is gone"
	}
	e.hint += "; " + c.hint()
	return e
}
