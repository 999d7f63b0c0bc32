package object

import (
	"bytes"
	"context"

	"holdfast/internal/ident"
	"holdfast/seal"
)

// packer fills one data segment after another. Its lock is held for as long as it
// takes to encrypt a chunk or, if holders are slower than the data, to get the next
// buffer.
type packer struct {
	lock chan struct{}
	open *segment
}

// segment is one on its way: being filled, sealed, coded, placed.
type segment struct {
	batch   *batch
	number  int
	memory  []byte // from the pool; buf writes into it
	buf     *bytes.Buffer
	section *seal.SectionWriter
	header  int // of the age file; known when the section is closed

	descriptor []byte
	id         ident.CID
	rows       [][]byte
}

// addData adds a chunk to the open segment, or to a new one if it does not fit.
func (w *Writer) addData(r seal.Row, stored []byte) error {
	select {
	case w.data.lock <- struct{}{}:
		defer func() { <-w.data.lock }()
	case <-w.done:
		return w.cause()
	}
	if isOver(w.done) { // nobody gives a buffer back that is taken from now on
		return w.cause()
	}
	if w.data.open != nil && !w.data.open.section.Fits(len(stored)) {
		if err := w.handOver(w.done, true); err != nil {
			return err
		}
	}
	if w.data.open == nil {
		if err := w.beginSegment(); err != nil {
			return err
		}
	}
	_, err := w.data.open.section.Add(r, stored)
	return err
}

// beginSegment waits for a buffer: here the data is held back by slow holders.
func (w *Writer) beginSegment() error {
	memory, ok := w.sealed.get(w.done)
	if !ok {
		return w.cause()
	}
	buf := bytes.NewBuffer(memory[:0])
	section, err := seal.NewSectionWriter(buf, seal.TargetSize(w.cfg.Code.K), w.cfg.Recipient)
	if err != nil {
		w.sealed.put(memory)
		return err
	}
	b := w.batch
	w.data.open = &segment{batch: b, number: b.count, memory: memory, buf: buf, section: section}
	b.count++
	w.mu.Lock()
	defer w.mu.Unlock()
	b.left++
	return nil
}

// dropOpen gives the open segment's memory back. The commit has failed.
func (w *Writer) dropOpen() {
	w.data.lock <- struct{}{}
	defer func() { <-w.data.lock }()
	if s := w.data.open; s != nil {
		w.sealed.put(s.memory)
		w.data.open = nil
	}
}

func isOver(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// closeOpen seals the open segment, if there is one, and hands it over.
func (w *Writer) closeOpen(done <-chan struct{}, full bool) error {
	select {
	case w.data.lock <- struct{}{}:
		defer func() { <-w.data.lock }()
	case <-done:
		return w.stopped()
	}
	if w.data.open == nil {
		return nil
	}
	return w.handOver(done, full)
}

// handOver seals the open segment and gives it to a placing goroutine.
func (w *Writer) handOver(done <-chan struct{}, full bool) error {
	s := w.data.open
	header, err := s.section.Close(full)
	if err != nil {
		return err
	}
	s.header = header
	w.data.open = nil
	select {
	case w.full <- s:
		return nil
	case <-done:
		w.sealed.put(s.memory)
		return w.stopped()
	}
}

// stopped is why something was given up: the commit's end, or else the caller's.
func (w *Writer) stopped() error {
	if err := w.cause(); err != nil {
		return err
	}
	return context.Canceled
}
