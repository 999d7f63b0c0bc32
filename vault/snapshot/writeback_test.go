package snapshot

import (
	"errors"
	"sync/atomic"
	"testing"
)

// The disk is given work as soon as there is enough of it, and the rest at the end.
func TestWriteBack(t *testing.T) {
	flushed := make(chan struct{})
	w := newWriteBack(func() error { flushed <- struct{}{}; return nil })
	done := make(chan error)
	go func() { done <- w.run() }()
	for range 3 {
		w.wrote(writeBackEvery / 2)
		select {
		case <-flushed:
			t.Fatal("half of what is enough was enough")
		default:
		}
		w.wrote(writeBackEvery / 2)
		<-flushed // before close
	}
	w.wrote(1)
	w.close()
	<-flushed
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A disk that is slower than the restore never holds it up, and is not asked for
// more flushes than it can do.
func TestWriteBackIsSlow(t *testing.T) {
	var flushes atomic.Int64
	begun, on := make(chan struct{}, 100), make(chan struct{})
	w := newWriteBack(func() error { flushes.Add(1); begun <- struct{}{}; <-on; return nil })
	done := make(chan error)
	go func() { done <- w.run() }()
	w.wrote(writeBackEvery)
	<-begun
	for range 50 {
		w.wrote(writeBackEvery)
	}
	w.close()
	close(on)
	if err := <-done; err != nil || flushes.Load() != 3 {
		t.Errorf("%d flushes: %v", flushes.Load(), err)
	}
}

// The system tells of a failed write once: the restore fails whichever flush it is.
func TestWriteBackFails(t *testing.T) {
	full := errors.New("no space left")
	n := 0
	flushed := make(chan struct{}, 2)
	w := newWriteBack(func() error {
		flushed <- struct{}{}
		if n++; n == 1 {
			return full
		}
		return nil
	})
	done := make(chan error)
	go func() { done <- w.run() }()
	w.wrote(writeBackEvery)
	<-flushed
	w.close()
	if err := <-done; !errors.Is(err, full) {
		t.Error(err)
	}
	(*writeBack)(nil).wrote(writeBackEvery) // nobody waits for the disk
}
