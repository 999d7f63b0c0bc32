package store

import (
	"errors"
	"testing"

	"holdfast/erasure"
	"holdfast/internal/ident"
)

func TestKeyDescribes(t *testing.T) {
	d := erasure.Descriptor{V: 1, K: 1, N: 2, Size: 10, Shards: []ident.CID{ident.SumRaw(nil), ident.SumRaw(nil)}}
	p := d.Encode()
	vault := ident.SumDagCBOR([]byte("vault"))
	key := Key{vault, d.CID(), 1}
	if got, err := key.Describes(p); err != nil || got.CID() != d.CID() {
		t.Errorf("%+v, %v", got, err)
	}
	for name, c := range map[string]struct {
		key Key
		p   []byte
	}{
		"index = n":      {Key{vault, d.CID(), 2}, p},
		"index < 0":      {Key{vault, d.CID(), -1}, p},
		"other segment":  {Key{vault, vault, 0}, p},
		"raw vault":      {Key{ident.SumRaw(nil), d.CID(), 0}, p},
		"raw segment":    {Key{vault, ident.NewCID(ident.Raw, d.CID().Hash()), 0}, p},
		"no vault":       {Key{Segment: d.CID()}, p},
		"no bytes":       {key, nil},
		"not descriptor": {Key{vault, ident.SumDagCBOR([]byte{0xa0}), 0}, []byte{0xa0}},
	} {
		if _, err := c.key.Describes(c.p); !errors.Is(err, ErrMismatch) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestKeyCompare(t *testing.T) {
	a, b := ident.SumDagCBOR([]byte("a")), ident.SumDagCBOR([]byte("b"))
	if a.Compare(b) > 0 {
		a, b = b, a
	}
	sorted := []Key{{a, a, 0}, {a, a, 1}, {a, b, 0}, {b, a, 0}}
	for i, k := range sorted {
		for j, l := range sorted {
			if c := k.Compare(l); (c < 0) != (i < j) || (c > 0) != (i > j) {
				t.Errorf("%d and %d compare as %d", i, j, c)
			}
		}
	}
}
