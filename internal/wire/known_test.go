package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"pgregory.net/rapid"

	"holdfast/internal/ident"
)

// A struct by value that is zero is absent; one behind a pointer is there or not.
func TestOptionalRecords(t *testing.T) {
	type inner struct {
		A int `cbor:"a,omitempty"`
	}
	type outer struct {
		ByValue inner  `cbor:"v,omitzero"`
		Pointer *inner `cbor:"p,omitempty"`
	}
	for s, want := range map[string]bool{"a0": true, "a16170a0": true, "a16176a0": false, "a16176a1616100": false, "a16170a1616100": false} {
		if err := Decode(unhex(t, s), new(outer)); (err == nil) != want {
			t.Errorf("%s: %v", s, err)
		}
	}
}

// A tag that the encoder does not honour would put empty fields into structures.
func TestOptionalTagsThatAreNotHonoured(t *testing.T) {
	for what, v := range map[string]any{
		"omitempty on a link": &struct {
			A ident.CID `cbor:"a,omitempty"`
		}{},
		"omitempty on an array": &struct {
			A [4]byte `cbor:"a,omitempty"`
		}{},
		"omitempty on a struct": &struct {
			A child `cbor:"a,omitempty"`
		}{},
		"omitzero on a struct that stands as an array": &struct {
			A pair `cbor:"a,omitzero"`
		}{},
		"an option that is none": &struct {
			A int `cbor:"a,omitnil"`
		}{},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", what)
				}
			}()
			Decode([]byte{0xa0}, v)
		}()
	}
}

// A raw message is left out when it is empty, and otherwise taken as it is.
func TestOptionalRawMessage(t *testing.T) {
	var v struct {
		A cbor.RawMessage `cbor:"a,omitempty"`
	}
	for _, s := range []string{"a0", "a16161a0", "a16161a1617800", "a1616180", "a1616100"} {
		v.A = nil
		if err := Decode(unhex(t, s), &v); err != nil || hex.EncodeToString(v.A) != s[min(6, len(s)):] {
			t.Errorf("%s: %x, %v", s, v.A, err)
		}
	}
}

// Unknown keys, wherever they stand, change nothing, and p stays as it is.
func TestDecodeIgnoresUnknownKeys(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		fields := maps.Clone(requiredFields)
		for _, name := range slices.Sorted(maps.Keys(optionalFields)) {
			if rapid.Bool().Draw(rt, name) {
				fields[name] = optionalFields[name]
			}
		}
		want, err := decodeSample(object(t, fields))
		if err != nil {
			rt.Fatal(err)
		}
		kid := map[string]string{"name": "4161"}
		if rapid.Bool().Draw(rt, "inside") {
			fields["o-kids"] = hex.EncodeToString(append([]byte{0x81}, object(t, addUnknown(rt, kid))...))
			fields["o-map"] = "a16161" + hex.EncodeToString(object(t, addUnknown(rt, kid)))
			fields["o-ptr"] = hex.EncodeToString(object(t, addUnknown(rt, kid)))
			c := child{Name: []byte("a")}
			want.OKids, want.OMap, want.OPtr = []child{c}, map[string]child{"a": c}, &c
		}
		p := object(t, addUnknown(rt, fields))
		before := bytes.Clone(p)
		got, err := decodeSample(p)
		if err != nil {
			rt.Fatalf("%x: %v", p, err)
		}
		if !bytes.Equal(p, before) {
			rt.Fatal("Decode wrote to its input")
		}
		clear(p)
		if !reflect.DeepEqual(got, want) {
			rt.Fatalf("%x: %+v; want %+v", before, got, want)
		}
	})
}

func addUnknown(t *rapid.T, fields map[string]string) map[string]string {
	unknown := rapid.MapOfN(rapid.OneOf(rapid.String(), rapid.StringMatching("[a-z]{1,5}")), genNode(3), 0, 30).Draw(t, "unknown")
	out := maps.Clone(fields)
	for k, v := range unknown {
		_, isRequired := requiredFields[k]
		_, isOptional := optionalFields[k]
		if !isRequired && !isOptional && k != "size" && k != "name" {
			out[k] = hex.EncodeToString(must(encodeNode(v)))
		}
	}
	return out
}

// Keys are compared byte by byte: a name in other letters is unknown.
func TestDecodeKnowsKeysByTheirBytes(t *testing.T) {
	if _, err := decodeSample(object(t, with(without(requiredFields, "text"), map[string]string{"TEXT": "6161"}))); err == nil {
		t.Error("TEXT taken for text")
	}
	v, err := decodeSample(object(t, with(requiredFields, map[string]string{"O-INT": "05", "OInt": "05"})))
	if err != nil || v.OInt != 0 {
		t.Errorf("%d, %v", v.OInt, err)
	}
}

func TestDecodeRecursiveTypes(t *testing.T) {
	type tree struct {
		Name  string           `cbor:"n"`
		Left  *tree            `cbor:"l,omitempty"`
		Trees []tree           `cbor:"t,omitempty"`
		Named map[string]*tree `cbor:"m,omitempty"`
	}
	for s, want := range map[string]bool{
		"a1616e6161":                                       true,
		"a2616ca1616e6162616e6161":                         true,
		"a2616ca2616e6161617800616e6161":                   true,  // unknown x in l
		"a2616ca2616e626162617480616e6161":                 false, // t is empty
		"a2616e6161617481a2616e6162617800":                 true,  // unknown x in t[0]
		"a2616e6161617481a0":                               false,
		"a2616da16161a2616e6162617800616e6161":             true, // unknown x in m.a
		"a2616da16161a2616e6162617480616e6161":             false,
		"a2616e6161617481a2616e6162617481a2616e6163617800": true,
		"a2616e6161617481a2616e6162617481a2616e616362":     false,
	} {
		if err := Decode(unhex(t, s), new(tree)); (err == nil) != want {
			t.Errorf("%s: %v", s, err)
		}
	}
}

// An array of empty maps is refused before structs are made for them.
func TestDecodeMemoryIsBounded(t *testing.T) {
	const n = 1 << 20
	p := append(unhex(t, "a1646b696473"), appendHead(nil, majorArray, n)...)
	p = append(p, bytes.Repeat([]byte{0xa0}, n)...)
	var v struct {
		Kids []sample `cbor:"kids"`
	}
	used := allocated(func() {
		if err := Decode(p, &v); !errors.Is(err, ErrMalformed) {
			t.Error(err)
		}
	})
	if used > 64<<10 {
		t.Errorf("%d bytes allocated for an input of %d", used, len(p))
	}
}
