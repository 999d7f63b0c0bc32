package seal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// What can be wrong with a structure of docs/format.md, section 4, once it has been
// opened: its writer is to blame.
var (
	ErrMalformed = errors.New("malformed section or index")
	ErrVersion   = errors.New("unknown format version")
)

// Form of a section's directory and footer.
const (
	rowSize        = 48
	footerSize     = 32
	sectionMagic   = "hfsect1\x00"
	sectionVersion = 1
)

// appendRow appends a row of a directory.
func appendRow(dst []byte, r Row) []byte {
	return appendPlace(append(dst, r.ID[:]...), r)
}

// appendPlace appends what rows of directories and of index parts have in common
// after the chunk ID: 16 bytes.
func appendPlace(dst []byte, r Row) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, r.Offset)
	dst = binary.LittleEndian.AppendUint32(dst, r.Stored)
	dst = binary.LittleEndian.AppendUint32(dst, r.Plain)
	return append(dst, byte(r.Kind), byte(r.Coding), 0, 0)
}

// parsePlace reads what appendPlace appends.
func parsePlace(id, p []byte) (Row, error) {
	r := Row{
		ID:     ChunkID(id),
		Offset: binary.LittleEndian.Uint32(p),
		Stored: binary.LittleEndian.Uint32(p[4:]),
		Plain:  binary.LittleEndian.Uint32(p[8:]),
		Kind:   Kind(p[12]),
		Coding: Coding(p[13]),
	}
	if p[14] != 0 || p[15] != 0 {
		return Row{}, fmt.Errorf("%w: bytes that must be zero", ErrMalformed)
	}
	return r, r.check()
}

// appendFooter appends the footer of a section whose directory has that many rows
// and begins at that offset.
func appendFooter(dst []byte, rows int, directory int64) []byte {
	dst = append(dst, sectionMagic...)
	dst = binary.LittleEndian.AppendUint32(dst, sectionVersion)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(rows))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(directory))
	return binary.LittleEndian.AppendUint64(dst, 0)
}

// parseFooter reads the footer of a section of n bytes, and returns the number of
// rows and the offset of the directory, which ends where the footer begins.
func parseFooter(p []byte, n int64) (rows int, directory int64, err error) {
	if string(p[:8]) != sectionMagic {
		return 0, 0, fmt.Errorf("%w: no section", ErrMalformed)
	}
	if v := binary.LittleEndian.Uint32(p[8:]); v != sectionVersion {
		return 0, 0, fmt.Errorf("%w: section version %d", ErrVersion, v)
	}
	count := int64(binary.LittleEndian.Uint32(p[12:]))
	at := binary.LittleEndian.Uint64(p[16:])
	if at > uint64(n) || int64(at)+count*rowSize+footerSize != n {
		return 0, 0, fmt.Errorf("%w: directory of %d rows at %d in a section of %d bytes", ErrMalformed, count, at, n)
	}
	if binary.LittleEndian.Uint64(p[24:]) != 0 {
		return 0, 0, fmt.Errorf("%w: bytes that must be zero", ErrMalformed)
	}
	return int(count), int64(at), nil
}

// readDirectory reads and checks the directory of a section's plaintext of n
// bytes. It takes memory for rows that are there, whatever the footer says.
func readDirectory(plain io.ReaderAt, n int64) ([]Row, error) {
	if n < footerSize {
		return nil, fmt.Errorf("read footer: %w: %d bytes", ErrMalformed, n)
	}
	var footer [footerSize]byte
	if err := readFull(plain, footer[:], n-footerSize); err != nil {
		return nil, fmt.Errorf("read footer: %w", err)
	}
	count, at, err := parseFooter(footer[:], n)
	if err != nil {
		return nil, fmt.Errorf("read footer: %w", err)
	}
	p := make([]byte, count*rowSize)
	if err := readFull(plain, p, at); err != nil {
		return nil, fmt.Errorf("read directory: %w", err)
	}
	rows := make([]Row, count)
	for i, last := 0, int64(0); i < count; i++ {
		q := p[i*rowSize:][:rowSize]
		r, err := parsePlace(q[:32], q[32:])
		if err == nil && (int64(r.Offset) < last || r.end() > at) {
			err = fmt.Errorf("%w: it overlaps, is out of order, or ends behind byte %d", ErrMalformed, at)
		}
		if err != nil {
			return nil, fmt.Errorf("read directory: row %d: %w", i, err)
		}
		rows[i], last = r, r.end()
	}
	return rows, nil
}

// readFull fills p from off. Reaching the end at the same time is no error.
func readFull(r io.ReaderAt, p []byte, off int64) error {
	n, err := r.ReadAt(p, off)
	switch {
	case n == len(p):
		return nil
	case err == nil || err == io.EOF:
		return io.ErrUnexpectedEOF
	}
	return err
}
