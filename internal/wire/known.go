package wire

import (
	"bytes"
	"fmt"
	"reflect"
	"sync"
)

// knownPart returns p, which has passed Validate, without the map keys that t does
// not know; p itself if there are none. A required field that is missing is an
// error here, before anything is allocated for the struct that lacks it: otherwise
// an array of empty maps would cost many times its length.
func knownPart(p []byte, t reflect.Type) ([]byte, error) {
	s := sieve{scanner{p: p}}
	return s.known(shapeOf(t))
}

// shapesOfTypes remembers the shapes of types, which never change: to find them out
// costs more than to read a small item.
var shapesOfTypes sync.Map // reflect.Type -> *shape

func shapeOf(t reflect.Type) *shape {
	if x, ok := shapesOfTypes.Load(t); ok {
		return x.(*shape)
	}
	x := make(shapes).of(t)
	shapesOfTypes.Store(t, x)
	return x
}

// sieve reads items along a shape, and returns what the shape knows of them.
type sieve struct{ scanner }

func (s *sieve) known(x *shape) ([]byte, error) {
	switch x.form {
	case record:
		return s.record(x)
	case list:
		return s.list(x)
	case dictionary:
		return s.dictionary(x)
	default:
		return s.whole()
	}
}

func (s *sieve) whole() ([]byte, error) {
	from := s.at
	err := s.item(0)
	return s.p[from:s.at], err
}

// open reads the head of a container.
func (s *sieve) open(want int, name string) (kept, uint64, error) {
	from := s.at
	major, n, err := s.head()
	if err == nil && major != want {
		err = s.bad("not " + name)
	}
	return kept{p: s.p, from: from, body: s.at}, n, err
}

func (s *sieve) list(x *shape) ([]byte, error) {
	k, n, err := s.open(majorArray, "an array")
	if err != nil {
		return nil, err
	}
	for range n {
		if err := s.value(&k, s.at, x.elem); err != nil {
			return nil, err
		}
	}
	return k.item(s.at, majorArray, n), nil
}

func (s *sieve) dictionary(x *shape) ([]byte, error) {
	k, n, err := s.open(majorMap, "a map")
	if err != nil {
		return nil, err
	}
	for range n {
		from := s.at
		if _, err := s.key(); err != nil {
			return nil, err
		}
		if err := s.value(&k, from, x.elem); err != nil {
			return nil, err
		}
	}
	return k.item(s.at, majorMap, n), nil
}

// value keeps what has been read since from, a key, and what x knows of the value
// that follows.
func (s *sieve) value(k *kept, from int, x *shape) error {
	k.add(from, s.at, s.p[from:s.at])
	from = s.at
	part, err := s.known(x)
	k.add(from, s.at, part)
	return err
}

// record walks along the map and the fields at once: both are in DAG-CBOR order.
func (s *sieve) record(x *shape) ([]byte, error) {
	k, pairs, err := s.open(majorMap, "a map")
	if err != nil {
		return nil, err
	}
	fields, count := x.fields, pairs
	for range pairs {
		from := s.at
		key, err := s.key()
		if err != nil {
			return nil, err
		}
		if fields, err = s.pass(fields, key); err != nil {
			return nil, err
		}
		if len(fields) > 0 && bytes.Equal(fields[0].name, key) {
			err = s.value(&k, from, fields[0].shape)
			fields = fields[1:]
		} else {
			_, err = s.whole()
			k.add(from, s.at, nil)
			count--
		}
		if err != nil {
			return nil, err
		}
	}
	_, err = s.pass(fields, nil)
	return k.item(s.at, majorMap, count), err
}

// pass drops the fields before key, which are absent; all of them, if key is nil.
func (s *sieve) pass(fields []field, key []byte) ([]field, error) {
	for len(fields) > 0 && (key == nil || compareKeys(fields[0].name, key) < 0) {
		if !fields[0].optional {
			return nil, s.bad(fmt.Sprintf("field %q missing", fields[0].name))
		}
		fields = fields[1:]
	}
	return fields, nil
}

// kept is the container that a sieve reads, without what has been dropped. Nothing
// is copied until something is.
type kept struct {
	p          []byte
	from, body int
	cut        bool
	out        []byte
}

// add takes what was kept of p[from:to].
func (k *kept) add(from, to int, part []byte) {
	if !k.cut && len(part) == to-from {
		return
	}
	if !k.cut {
		k.cut = true
		k.out = append(k.out, k.p[k.body:from]...)
	}
	k.out = append(k.out, part...)
}

// item returns the container that ends before to, with n elements or pairs.
func (k *kept) item(to, major int, n uint64) []byte {
	if !k.cut {
		return k.p[k.from:to]
	}
	return append(appendHead(nil, major, n), k.out...)
}
