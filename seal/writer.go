package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"
)

// ErrFull says that a chunk does not fit into a section any more.
var ErrFull = errors.New("section is full")

// SectionWriter seals a section while its chunks arrive: what was added is
// encrypted at once, in pieces of 64 KiB, into the caller's buffer. It is for one
// goroutine at a time. After an error of Close or of Add, ErrFull excepted, the
// buffer's content is worth nothing.
type SectionWriter struct {
	cipher  io.WriteCloser
	limit   int64 // of the plaintext's length
	bounded bool  // the caller gave the limit
	header  int
	used    int64 // bytes of chunks
	rows    []Row
	scratch [rowSize]byte
	closed  bool
}

// NewSectionWriter begins a section whose plaintext has at most limit bytes; 0 is
// as many as a sealed file can have. The sealed bytes are appended to buf, which
// belongs to the writer until Close. A buffer with a capacity of SealedSize of the
// limit never grows: its bytes stay where they are.
func NewSectionWriter(buf *bytes.Buffer, limit int64, recipients ...Recipient) (*SectionWriter, error) {
	most := maxPlain(len(recipients))
	if limit < 0 || limit > most || limit > 0 && limit < footerSize {
		return nil, fmt.Errorf("begin section: a limit of %d bytes is not possible", limit)
	}
	w := &SectionWriter{limit: limit, bounded: limit > 0}
	if !w.bounded {
		w.limit = most
	}
	to, err := ageRecipients(recipients)
	if err != nil {
		return nil, fmt.Errorf("begin section: %w", err)
	}
	before := buf.Len()
	if w.cipher, err = age.Encrypt(buf, to...); err != nil {
		return nil, fmt.Errorf("begin section: %w", err)
	}
	w.header = buf.Len() - before - nonceSize
	return w, nil
}

// Fits reports whether a chunk of that stored length could be added, with its row.
func (w *SectionWriter) Fits(stored int) bool {
	return w.used+int64(stored)+w.directorySize(1) <= w.limit
}

// directorySize is the length of directory and footer with that many rows more.
func (w *SectionWriter) directorySize(more int) int64 {
	return int64(len(w.rows)+more)*rowSize + footerSize
}

// Add appends a stored chunk. The row says what it is; Offset and Stored are
// ignored, and set in the row that is returned. ErrFull changes nothing.
func (w *SectionWriter) Add(r Row, stored []byte) (Row, error) {
	if w.closed {
		return Row{}, errors.New("add chunk: section is closed")
	}
	if len(stored) > MaxChunk {
		return Row{}, fmt.Errorf("add chunk: %w: %d bytes stored", ErrMalformed, len(stored))
	}
	r.Offset, r.Stored = uint32(w.used), uint32(len(stored))
	if err := r.check(); err != nil {
		return Row{}, fmt.Errorf("add chunk: %w", err)
	}
	if !w.Fits(len(stored)) {
		return Row{}, fmt.Errorf("add chunk: %w", ErrFull)
	}
	if _, err := w.cipher.Write(stored); err != nil {
		return Row{}, fmt.Errorf("add chunk: %w", err)
	}
	w.used += int64(len(stored))
	w.rows = append(w.rows, r)
	return r, nil
}

// Rows returns the rows of the chunks that were added. The slice is the writer's.
func (w *SectionWriter) Rows() []Row { return w.rows }

// Close pads the section, writes directory and footer, and ends the sealed file.
// A full section is padded up to its limit, any other by Padmé and never above the
// limit. It returns the length of the sealed file's age header.
func (w *SectionWriter) Close(full bool) (headerLen int, err error) {
	if w.closed {
		return 0, errors.New("close section: section is closed")
	}
	if full && !w.bounded {
		return 0, errors.New("close section: a section without limit is never full")
	}
	w.closed = true
	need := w.used + w.directorySize(0)
	size := w.limit
	if !full {
		size = min(size, Padme(need))
	}
	if err := w.finish(size - need); err != nil {
		return 0, fmt.Errorf("close section: %w", err)
	}
	return w.header, nil
}

func (w *SectionWriter) finish(padding int64) error {
	directory := w.used + padding
	if err := writeZeros(w.cipher, padding); err != nil {
		return err
	}
	for _, r := range w.rows {
		if _, err := w.cipher.Write(appendRow(w.scratch[:0], r)); err != nil {
			return err
		}
	}
	if _, err := w.cipher.Write(appendFooter(w.scratch[:0], len(w.rows), directory)); err != nil {
		return err
	}
	return w.cipher.Close()
}

func writeZeros(w io.Writer, n int64) error {
	zeros := make([]byte, min(n, pieceSize))
	for ; n > 0; n -= int64(len(zeros)) {
		zeros = zeros[:min(n, int64(len(zeros)))]
		if _, err := w.Write(zeros); err != nil {
			return err
		}
	}
	return nil
}
