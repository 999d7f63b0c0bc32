package disk

import "holdfast/store"

// EventKind says what has happened.
type EventKind int

// What a shelf tells its owner. Operations return their errors as well; these are
// the ones that somebody has to act upon.
const (
	// Corrupt: a shard file was not what was put. It is in quarantine, or if that
	// failed still in its place, where every read finds the damage again.
	Corrupt EventKind = iota + 1

	// Lost: the volume is there, and a shard's file is not.
	Lost

	// Unreadable: the operating system cannot read or move a file that is there. It
	// stays where it is: this can pass.
	Unreadable

	// IndexFailed: the index could not be read or written. It is tried again.
	IndexFailed
)

// String names the kind for a log.
func (k EventKind) String() string {
	switch k {
	case Corrupt:
		return "corrupt shard"
	case Lost:
		return "lost shard"
	case Unreadable:
		return "unreadable shard"
	case IndexFailed:
		return "index failed"
	}
	return "unknown event"
}

// Event is one piece of such news. The key is zero where no shard is concerned.
type Event struct {
	Kind EventKind
	Key  store.Key
	Err  error
}

func (d *Disk) report(kind EventKind, key store.Key, err error) {
	if d.config.Report != nil {
		d.config.Report(Event{kind, key, err})
	}
}
