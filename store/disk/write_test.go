package disk

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"holdfast/erasure"
	"holdfast/store"
	"holdfast/store/storetest"
)

// callWriter counts calls.
type callWriter struct {
	bytes.Buffer
	calls int
}

func (w *callWriter) Write(p []byte) (int, error) {
	w.calls++
	return w.Buffer.Write(p)
}

// Bytes are read once and written in large pieces, and the file is the one of the
// format whatever the sizes.
func TestWriteShard(t *testing.T) {
	d := newDisk(t)
	head := headerSize(len(segment(t, 1, 1).Descriptor))
	edge := bufferSize - head // payload that fills the first buffer exactly
	sizes := []int{1, 1000, edge - 8, edge - 1, edge, edge + 1, 2*bufferSize - head, 2*bufferSize - head + 1, 3 << 20}
	for _, size := range sizes {
		s := storetest.NewSegment(t, erasure.Code{K: 1, N: 2}, size, uint64(size))
		h, err := newHeader(s.Key(v, 1), s.Descriptor)
		if err != nil {
			t.Fatal(err)
		}
		var w callWriter
		r := bytes.NewReader(append(bytes.Clone(s.Rows[1]), "more"...))
		if err := d.writeShard(t.Context(), &w, h, r); err != nil {
			t.Fatal(err)
		}
		if r.Len() != 4 {
			t.Errorf("%d bytes: %d left in the stream", size, r.Len())
		}
		if most := size/bufferSize + 2; w.calls > most {
			t.Errorf("%d bytes: %d writes", size, w.calls)
		}
		p := w.Bytes()
		if int64(len(p)) != h.fileSize() || !bytes.Equal(p[:len(h.encode())], h.encode()) || !bytes.Equal(p[len(h.encode()):][:size], s.Rows[1]) {
			t.Errorf("%d bytes: wrong file of %d", size, len(p))
		}
		payload, err := store.NewPayload(bytes.NewReader(s.Rows[1]), int64(size), p[len(h.encode())+size:], h.root())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := payload.WriteTo(io.Discard); err != nil {
			t.Errorf("%d bytes: the outboard does not verify: %v", size, err)
		}
	}
	small := storetest.NewSegment(t, erasure.Code{K: 1, N: 2}, 100_000, 1)
	h, err := newHeader(small.Key(v, 0), small.Descriptor)
	if err != nil {
		t.Fatal(err)
	}
	var w callWriter
	if err := d.writeShard(t.Context(), &w, h, bytes.NewReader(small.Rows[0])); err != nil || w.calls != 1 {
		t.Errorf("a small shard: %d writes, %v", w.calls, err)
	}
}

func TestWriteShardFailures(t *testing.T) {
	d := newDisk(t)
	s := storetest.NewSegment(t, erasure.Code{K: 1, N: 2}, 2<<20, 1)
	h, err := newHeader(s.Key(v, 0), s.Descriptor)
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	for left := range 5 {
		err := d.writeShard(t.Context(), &brokenWriter{left, broken}, h, bytes.NewReader(s.Rows[0]))
		if left < 4 && !errors.Is(err, broken) || left == 4 && err != nil {
			t.Errorf("write %d fails: %v", left, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	slow := &hookReader{r: bytes.NewReader(s.Rows[0]), hook: func() error { cancel(); return nil }}
	if err := d.writeShard(ctx, io.Discard, h, slow); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

type brokenWriter struct {
	left int
	err  error
}

func (w *brokenWriter) Write(p []byte) (int, error) {
	if w.left--; w.left < 0 {
		return 0, w.err
	}
	return len(p), nil
}
