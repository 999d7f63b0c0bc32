package disk

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/store"
	"holdfast/store/storetest"

	"github.com/zeebo/blake3"
)

func sampleHeader(t testing.TB, code erasure.Code, index int) header {
	t.Helper()
	s := storetest.NewSegment(t, code, 1000, 1)
	h, err := newHeader(s.Key(v, index), s.Descriptor)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// resum gives a changed head a checksum that is right.
func resum(p []byte) []byte {
	at := len(p) - ident.HashSize
	sum := blake3.Sum256(p[:at])
	copy(p[at:], sum[:])
	return p
}

func TestHeaderRoundTrip(t *testing.T) {
	for _, code := range []erasure.Code{{K: 1, N: 2}, {K: 4, N: 8}, {K: 8, N: 20}, {K: 127, N: 255}} {
		for _, index := range []int{0, code.N - 1} {
			h := sampleHeader(t, code, index)
			p := h.encode()
			if len(p) != headerSize(len(h.descriptor)) || len(p) > maxHeader {
				t.Fatalf("%v: header of %d bytes", code, len(p))
			}
			got, err := parseHeader(append(p, "payload"...))
			if err != nil || got.key != h.key || !bytes.Equal(got.descriptor, h.descriptor) {
				t.Errorf("%v: %+v, %v", code, got, err)
			}
		}
	}
}

// Law: one flipped bit anywhere is found, and so are two of which one is the version's;
// they are never taken for a later version.
func TestHeaderFindsEveryFlippedBit(t *testing.T) {
	p := sampleHeader(t, code, 1).encode()
	for i := range len(p) * 8 {
		q := bytes.Clone(p)
		q[i/8] ^= 1 << (i % 8)
		if _, err := parseHeader(q); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("bit %d of byte %d flipped: %v", i%8, i/8, err)
		}
		q[atVersion] ^= 4
		if _, err := parseHeader(q); !errors.Is(err, store.ErrCorrupt) && i != 8*atVersion+2 {
			t.Errorf("bit %d of byte %d flipped, and the version: %v", i%8, i/8, err)
		}
	}
	for n := range p {
		if _, err := parseHeader(p[:n]); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
}

// Even with a right checksum, parts that do not belong together are refused.
func TestHeaderRefusals(t *testing.T) {
	p := sampleHeader(t, code, 1).encode()
	le := binary.LittleEndian
	for name, change := range map[string]func(q []byte){
		"magic":             func(q []byte) { q[7] = 1 },
		"long descriptor":   func(q []byte) { le.PutUint32(q[atLength:], erasure.MaxDescriptor+1) },
		"huge descriptor":   func(q []byte) { le.PutUint32(q[atLength:], 1<<32-1) },
		"short descriptor":  func(q []byte) { le.PutUint32(q[atLength:], 10) },
		"vault is no CID":   func(q []byte) { q[atVault] = 0 },
		"vault is raw":      func(q []byte) { q[atVault+1] = byte(ident.Raw) },
		"index = n":         func(q []byte) { le.PutUint32(q[atIndex:], 4) },
		"index huge":        func(q []byte) { le.PutUint32(q[atIndex:], 1<<32-1) },
		"not a descriptor":  func(q []byte) { q[atDescriptor] = 0 },
		"descriptor by law": func(q []byte) { q[atDescriptor+3] = 3 },
	} {
		q := bytes.Clone(p)
		change(q)
		if _, err := parseHeader(resum(q)); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHeaderOfLaterVersion(t *testing.T) {
	q := sampleHeader(t, code, 1).encode()
	binary.LittleEndian.PutUint32(q[atVersion:], 2)
	another := append(bytes.Clone(q[:atVault]), bytes.Repeat([]byte{0xff}, len(q)-atVault)...)
	for name, p := range map[string][]byte{
		"same layout": resum(bytes.Clone(q)),
		"another":     resum(another),
	} {
		if _, err := parseHeader(p); !errors.Is(err, ErrVersion) || errors.Is(err, store.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseHeader(f *testing.F) {
	for _, code := range []erasure.Code{{K: 1, N: 2}, {K: 2, N: 4}, {K: 4, N: 8}} {
		f.Add(sampleHeader(f, code, 1).encode())
	}
	f.Add([]byte(magic))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, p []byte) {
		h, err := parseHeader(p)
		if len(p) >= atDescriptor+ident.HashSize && errors.Is(err, store.ErrCorrupt) {
			// Most inputs fail at the checksum: give them a right one and go on.
			h, err = parseHeader(resum(bytes.Clone(p)))
		}
		if err != nil {
			if !errors.Is(err, store.ErrCorrupt) && !errors.Is(err, ErrVersion) {
				t.Fatalf("error without its sentinel: %v", err)
			}
			return
		}
		q := h.encode()
		again, err := parseHeader(q)
		if err != nil || again.key != h.key || h.key.Index >= int(h.parsed.N) || h.fileSize() <= int64(len(q)) {
			t.Fatalf("%+v encoded again: %v", h, err)
		}
	})
}

func FuzzParseMarker(f *testing.F) {
	m := testMarker(testID)
	m.V = markerVersion
	f.Add(mustEncode(m))
	f.Add([]byte{0xa0})
	f.Fuzz(func(t *testing.T, p []byte) {
		m, err := ParseMarker(p)
		if err != nil {
			if !errors.Is(err, ErrMarker) {
				t.Fatalf("error without its sentinel: %v", err)
			}
			return
		}
		if again, err := ParseMarker(mustEncode(m)); err != nil || again != m {
			t.Fatalf("encoded again: %+v, %v", again, err)
		}
	})
}
