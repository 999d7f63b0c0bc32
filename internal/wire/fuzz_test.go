package wire

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"testing"
)

func addItems(f *testing.F) {
	for _, c := range append(validItems, malformedItems...) {
		f.Add(unhex(f, c.Hex))
	}
}

// Validate and go-ipld-prime decide alike on any bytes.
func FuzzValidate(f *testing.F) {
	addItems(f)
	f.Fuzz(func(t *testing.T, p []byte) {
		if len(p) < 1<<16 {
			agree(t, p)
		}
	})
}

// What is decoded is encoded to the same bytes, without the unknown keys.
func FuzzDecode(f *testing.F) {
	addItems(f)
	f.Add(object(f, requiredFields))
	f.Add(object(f, with(requiredFields, optionalFields)))
	f.Add(object(f, with(requiredFields, optionalFields, map[string]string{"a": "00", "zzzzzzzzzz": hexLink})))
	for name, forms := range emptied {
		for _, form := range forms {
			f.Add(object(f, with(requiredFields, map[string]string{name: form, "zz": "00"})))
		}
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		v, err := decodeSample(p)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		if err := oracle(p); err != nil {
			t.Fatalf("%x: %v", p, err)
		}
		q, err := Encode(v)
		if err != nil {
			t.Fatal(err)
		}
		if len(q) > len(p) || len(q) == len(p) && !bytes.Equal(p, q) {
			t.Fatalf("%x becomes %x", p, q)
		}
		if w, err := decodeSample(q); err != nil {
			t.Fatalf("%+v: %v", w, err)
		}
	})
}

// What is read is what stands after the length, and the rest is left.
func FuzzReadFrame(f *testing.F) {
	for _, s := range []string{"", "\x00", "\x03abcd", "\x80\x00", "\x80\x01", "\xff\xff\xff\xff\x7f", "\xff\xff\xff\xff\xff\x01"} {
		f.Add([]byte(s), 100)
	}
	f.Fuzz(func(t *testing.T, in []byte, limit int) {
		r := bufio.NewReader(bytes.NewReader(in))
		p, err := ReadFrame(r, limit)
		if err != nil {
			return
		}
		if len(p) > max(limit, 0) {
			t.Fatalf("%d bytes above the limit of %d", len(p), limit)
		}
		rest, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(append(AppendFrame(nil, p), rest...), in) {
			t.Fatalf("%x read from %x", p, in)
		}
	})
}
