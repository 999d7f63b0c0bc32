package wire

import (
	"encoding/binary"
	"fmt"
)

// CBOR major types (RFC 8949, section 3.1).
const (
	majorUint = iota
	majorNegative
	majorBytes
	majorText
	majorArray
	majorMap
	majorTag
	majorSimple
)

// scanner reads CBOR heads and strings from p, in their shortest form only.
type scanner struct {
	p  []byte
	at int
}

func (s *scanner) bad(what string) error {
	return fmt.Errorf("%w: %s at byte %d", ErrMalformed, what, s.at)
}

// left is the number of bytes that have not been read.
func (s *scanner) left() uint64 { return uint64(len(s.p) - s.at) }

// head reads an item's head and returns its major type and argument.
func (s *scanner) head() (major int, arg uint64, err error) {
	if s.left() == 0 {
		return 0, 0, s.bad("truncated")
	}
	b := s.p[s.at]
	major, info := int(b>>5), b&0x1f
	switch {
	case info < 24:
		s.at++
		return major, uint64(info), nil
	// SPEC: indefinite lengths
	case info > 27:
		return 0, 0, s.bad("indefinite or reserved length")
	// SPEC: floating-point numbers, simple values other than true and false
	case major == majorSimple:
		return 0, 0, s.bad("floating-point number or simple value")
	}
	arg, least, size := argument(s.p[s.at+1:], info)
	if size == 0 {
		return 0, 0, s.bad("truncated")
	}
	// SPEC: integers, lengths and tags that are not in their shortest form
	if arg < least {
		return 0, 0, s.bad("not the shortest form")
	}
	s.at += 1 + size
	return major, arg, nil
}

// argument reads the big-endian integer of 1, 2, 4 or 8 bytes that info 24 to 27
// announces. Least is the smallest that needs so many; size 0 says that p is too short.
func argument(p []byte, info byte) (arg, least uint64, size int) {
	size = 1 << (info - 24)
	if len(p) < size {
		return 0, 0, 0
	}
	switch size {
	case 1:
		return uint64(p[0]), 24, size
	case 2:
		return uint64(binary.BigEndian.Uint16(p)), 1 << 8, size
	case 4:
		return uint64(binary.BigEndian.Uint32(p)), 1 << 16, size
	default:
		return binary.BigEndian.Uint64(p), 1 << 32, size
	}
}

// appendHead writes the shortest head, the inverse of head.
func appendHead(dst []byte, major int, arg uint64) []byte {
	m := byte(major) << 5
	switch {
	case arg < 24:
		return append(dst, m|byte(arg))
	case arg < 1<<8:
		return append(dst, m|24, byte(arg))
	case arg < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, m|25), uint16(arg))
	case arg < 1<<32:
		return binary.BigEndian.AppendUint32(append(dst, m|26), uint32(arg))
	default:
		return binary.BigEndian.AppendUint64(append(dst, m|27), arg)
	}
}

// take reads n bytes, without a copy.
func (s *scanner) take(n uint64) ([]byte, error) {
	if n > s.left() {
		return nil, s.bad("truncated")
	}
	b := s.p[s.at : s.at+int(n)]
	s.at += int(n)
	return b, nil
}
