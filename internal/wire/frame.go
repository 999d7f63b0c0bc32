package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// ErrTooLong says that a frame announces more bytes than its reader accepts.
var ErrTooLong = errors.New("frame is longer than the limit")

// maxPrefix is the longest length prefix: 5 bytes hold 35 bits.
const maxPrefix = 5

// AppendFrame appends p with its length in front to dst.
func AppendFrame(dst, p []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(p))), p...)
}

// WriteFrame writes p with its length in front, in one call of Write.
func WriteFrame(w io.Writer, p []byte) error {
	_, err := w.Write(AppendFrame(make([]byte, 0, maxPrefix+len(p)), p))
	return err
}

// ReadFrame reads one frame of at most limit bytes. At the end of the stream,
// before a first byte, the error is io.EOF; inside a frame it is
// io.ErrUnexpectedEOF. The memory that it takes grows with what arrives, never
// with what is announced.
func ReadFrame(r *bufio.Reader, limit int) ([]byte, error) {
	n, err := readLength(r)
	if err != nil {
		return nil, err
	}
	if n > uint64(max(limit, 0)) {
		return nil, fmt.Errorf("%w: %d > %d", ErrTooLong, n, limit)
	}
	const step = 64 << 10
	p := make([]byte, 0, min(n, step))
	for uint64(len(p)) < n {
		at := len(p)
		p = append(p, make([]byte, min(n-uint64(at), max(step, uint64(at))))...)
		if _, err := io.ReadFull(r, p[at:]); err != nil {
			return nil, truncated(err)
		}
	}
	return p, nil
}

func readLength(r *bufio.Reader) (uint64, error) {
	var n uint64
	for i := range maxPrefix {
		b, err := r.ReadByte()
		if err != nil {
			if i > 0 {
				err = truncated(err)
			}
			return 0, err
		}
		n |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			if b == 0 && i > 0 {
				return 0, fmt.Errorf("%w: length not in its shortest form", ErrMalformed)
			}
			return n, nil
		}
	}
	return 0, fmt.Errorf("%w: length prefix too long", ErrMalformed)
}

func truncated(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Send encodes v and writes it as one frame.
func Send(w io.Writer, v any) error {
	p, err := Encode(v)
	if err != nil {
		return err
	}
	return WriteFrame(w, p)
}

// Receive reads one frame of at most limit bytes into v.
func Receive(r *bufio.Reader, limit int, v any) error {
	p, err := ReadFrame(r, limit)
	if err != nil {
		return err
	}
	return Decode(p, v)
}
