package object

import (
	"bytes"
	"sync"

	"holdfast/seal"
)

// treePart is part A of the metadata segment while it grows. It is bounded: what
// does not fit is packed like data, and found like data.
type treePart struct {
	mu      sync.Mutex
	buf     bytes.Buffer
	section *seal.SectionWriter
}

// add reports whether there was room.
func (t *treePart) add(to seal.Recipient, r seal.Row, stored []byte) (bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.begin(to); err != nil {
		return false, err
	}
	if !t.section.Fits(len(stored)) {
		return false, nil
	}
	_, err := t.section.Add(r, stored)
	return true, err
}

func (t *treePart) begin(to seal.Recipient) error {
	if t.section != nil {
		return nil
	}
	var err error
	t.section, err = seal.NewSectionWriter(&t.buf, treeLimit, to)
	return err
}

// close ends part A, which may be empty, and returns its row of the index part and
// the rows of its chunks.
func (t *treePart) close(to seal.Recipient) (seal.IndexSegment, []seal.Row, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.begin(to); err != nil {
		return seal.IndexSegment{}, nil, err
	}
	header, err := t.section.Close(false)
	if err != nil {
		return seal.IndexSegment{}, nil, err
	}
	return seal.IndexSegment{Header: uint32(header), Size: uint64(t.buf.Len())}, t.section.Rows(), nil
}
