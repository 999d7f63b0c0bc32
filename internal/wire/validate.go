package wire

import (
	"bytes"
	"cmp"
	"math"
	"unicode/utf8"

	"holdfast/internal/ident"
)

// maxDepth is the number of levels: the outermost item is on the first.
const maxDepth = 32

const (
	simpleFalse = 20
	simpleTrue  = 21
	tagLink     = 42
)

// Validate reports whether p is exactly one item of the restricted DAG-CBOR of
// docs/format.md, section 2. It copies nothing and reads each byte once.
func Validate(p []byte) error {
	s := scanner{p: p}
	if err := s.item(0); err != nil {
		return err
	}
	if s.left() > 0 {
		return s.bad("bytes after the end")
	}
	return nil
}

// item reads one item that has depth items around it.
func (s *scanner) item(depth int) error {
	if depth >= maxDepth {
		return s.bad("too many levels")
	}
	major, arg, err := s.head()
	if err != nil {
		return err
	}
	switch major {
	case majorUint, majorNegative:
		// SPEC: integers outside the range of int64
		if arg > math.MaxInt64 {
			return s.bad("integer outside int64")
		}
		return nil
	case majorBytes:
		_, err := s.take(arg)
		return err
	case majorText:
		_, err := s.text(arg)
		return err
	case majorArray:
		return s.array(arg, depth)
	case majorMap:
		return s.mapping(arg, depth)
	case majorTag:
		return s.link(arg)
	default:
		// SPEC: null, undefined, simple values other than true and false
		if arg != simpleFalse && arg != simpleTrue {
			return s.bad("null, undefined or another simple value")
		}
		return nil
	}
}

// SPEC: text that is not UTF-8
func (s *scanner) text(n uint64) ([]byte, error) {
	t, err := s.take(n)
	if err == nil && !utf8.Valid(t) {
		err = s.bad("text that is not UTF-8")
	}
	return t, err
}

func (s *scanner) array(n uint64, depth int) error {
	for range n { // ends with the input, whatever n says
		if err := s.item(depth + 1); err != nil {
			return err
		}
	}
	return nil
}

// SPEC: map keys that are not text, are not in DAG-CBOR order, or occur twice
func (s *scanner) mapping(n uint64, depth int) error {
	var last []byte
	for i := range n {
		key, err := s.key()
		if err != nil {
			return err
		}
		if i > 0 && compareKeys(last, key) >= 0 {
			return s.bad("map keys out of order or twice")
		}
		last = key
		if err := s.item(depth + 1); err != nil {
			return err
		}
	}
	return nil
}

func (s *scanner) key() ([]byte, error) {
	major, arg, err := s.head()
	if err != nil {
		return nil, err
	}
	if major != majorText {
		return nil, s.bad("map key that is not text")
	}
	return s.text(arg)
}

// SPEC: tags other than 42; a tag 42 whose content is not a byte string of 00 and a CID
func (s *scanner) link(tag uint64) error {
	if tag != tagLink {
		return s.bad("tag other than 42")
	}
	major, arg, err := s.head()
	if err != nil {
		return err
	}
	if major != majorBytes {
		return s.bad("link that is not a CID")
	}
	c, err := s.take(arg)
	if err != nil {
		return err
	}
	if len(c) == 0 || c[0] != 0 {
		return s.bad("link that is not a CID")
	}
	if _, err := ident.CIDFromBytes(c[1:]); err != nil {
		return s.bad("link that is not a CID")
	}
	return nil
}

// compareKeys is DAG-CBOR's order of map keys: shorter first, then bytewise.
func compareKeys(a, b []byte) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), bytes.Compare(a, b))
}
