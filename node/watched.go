package node

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"
)

// watched is a file, or a folder, in which the operator tells a node something while it
// runs. What cannot be used is said in the log and among the alerts, and changes
// nothing: the node goes on by what it read last. At the start it is an error.
type watched[T any] struct {
	path string
	read func(path string) (T, error) // also for a file that is not there
	log  *slog.Logger

	mu    sync.Mutex
	info  fs.FileInfo // when it was last read; nil if it was not there
	value T
	why   error // why what is there now is not used
}

// watch reads a file for the first time.
func watch[T any](path string, read func(path string) (T, error), log *slog.Logger) (*watched[T], error) {
	w := &watched[T]{path: path, read: read, log: log}
	w.info = w.stat()
	var err error
	w.value, err = read(path)
	return w, err
}

// stat returns nil for what cannot be looked at.
func (w *watched[T]) stat() fs.FileInfo {
	info, err := os.Stat(w.path)
	if err != nil {
		return nil
	}
	return info
}

// look reads the file again if it has changed, or could not be used before: that may have
// been the system's fault, not the file's. It reports whether there is a new value.
func (w *watched[T]) look() bool {
	info := w.stat()
	w.mu.Lock()
	defer w.mu.Unlock()
	if same(info, w.info) && w.why == nil {
		return false
	}
	before := w.why
	w.info = info
	value, err := w.read(w.path)
	if w.why = err; err != nil {
		if before == nil || before.Error() != err.Error() {
			w.log.Error("the file cannot be used; the node goes on by what it read before", "file", w.path, "error", err)
		}
		return false
	}
	w.value = value
	w.log.Info("read again", "file", w.path)
	return true
}

// same reports whether a file is as it was. Who writes it whole, by a new file that
// takes its name, is noticed even within one tick of the clock.
func same(a, b fs.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

func (w *watched[T]) get() T {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.value
}

// trouble is why the newest content is not used, nil if it is.
func (w *watched[T]) trouble() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.why
}

// readOptional is readSmall, with nothing for a file that is not there.
func readOptional(path string, limit int64) ([]byte, error) {
	text, err := readSmall(path, limit)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return text, err
}

// over reports whether a time has come; the zero time never comes.
func over(t, now time.Time) bool { return !t.IsZero() && !now.Before(t) }
