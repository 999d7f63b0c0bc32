package wire

import (
	"bytes"
	"errors"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"holdfast/internal/ident"
)

const hexKey = "5822ed01" + "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"

var hexSig = "5843eda103" + strings.Repeat("07", 64)

// requiredFields and optionalFields are the fields of a sample, with a value that is not empty.
var (
	requiredFields = map[string]string{
		"v": "01", "id": hexLink, "key": hexKey, "sig": hexSig, "text": "6161", "data": "420102",
		"tiny": "387f", "flag": "f5", "time": "821a6553f10000", "hash": "4401020304",
		"kids": "82a1646e616d654161a2646e616d65416264" + "73697a6505", "base": "61" + "62",
	}
	optionalFields = map[string]string{
		"o-int": "20", "o-text": "6178", "o-bytes": "4100", "o-ints": "820001", "o-flag": "f5", "o-id": hexLink,
		"o-key": hexKey, "o-hash": "4400000001", "o-time": "820001", "o-kids": "81a1646e616d6540",
		"o-map": "a16161a1646e616d654161", "o-child": "a1646e616d654161", "o-ptr": "a1646e616d6540",
		"o-obj": "a2616f42a0a06173" + hexSig, "o-pair": "82006162",
	}
	// emptied holds the forms that an optional field has when it is empty.
	emptied = map[string][]string{
		"o-int": {"00"}, "o-text": {"60"}, "o-bytes": {"40"}, "o-ints": {"80"}, "o-flag": {"f4"},
		"o-hash": {"4400000000"}, "o-time": {"820000"}, "o-kids": {"80"}, "o-map": {"a0"},
		"o-child": {"a1646e616d6540", "a0"}, "o-ptr": {"a0", "f6"},
		"o-obj": {"a2616f406173" + "5843eda103" + strings.Repeat("00", 64)}, "o-pair": {"f6"},
		"o-id": {"f6", "40"}, "o-key": {"5822ed01" + strings.Repeat("00", 32), "40"},
	}
)

// object encodes a map of values that are encoded already.
func object(t testing.TB, fields map[string]string) []byte {
	t.Helper()
	keys := slices.SortedFunc(maps.Keys(fields), func(a, b string) int { return compareKeys([]byte(a), []byte(b)) })
	p := appendHead(nil, majorMap, uint64(len(keys)))
	for _, k := range keys {
		p = append(appendHead(p, majorText, uint64(len(k))), k...)
		p = append(p, unhex(t, fields[k])...)
	}
	return p
}

func with(m map[string]string, more ...map[string]string) map[string]string {
	m = maps.Clone(m)
	for _, n := range more {
		maps.Copy(m, n)
	}
	return m
}

func without(m map[string]string, key string) map[string]string {
	m = maps.Clone(m)
	delete(m, key)
	return m
}

func decodeSample(p []byte) (sample, error) {
	var v sample
	err := Decode(p, &v)
	return v, err
}

func TestTablesNameEveryField(t *testing.T) {
	for _, f := range reflect.VisibleFields(reflect.TypeFor[sample]()) {
		if f.Anonymous {
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("cbor"), ",")
		table := requiredFields
		if options != "" {
			table = optionalFields
			if emptied[name] == nil {
				t.Errorf("%s: no empty form", name)
			}
		}
		if table[name] == "" {
			t.Errorf("%s: no value", name)
		}
	}
}

func TestDecodeAndEncodeAreInverse(t *testing.T) {
	for _, fields := range []map[string]string{requiredFields, with(requiredFields, optionalFields)} {
		p := object(t, fields)
		v, err := decodeSample(p)
		if err != nil {
			t.Fatal(err)
		}
		q, err := Encode(v)
		if err != nil || !bytes.Equal(p, q) {
			t.Errorf("%x, %v; want %x", q, err, p)
		}
	}
}

func TestDecodeRefusesMissingField(t *testing.T) {
	for name := range requiredFields {
		for _, base := range []map[string]string{requiredFields, with(requiredFields, optionalFields)} {
			_, err := decodeSample(object(t, without(base, name)))
			if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), `"`+name+`"`) {
				t.Errorf("without %s: %v", name, err)
			}
		}
	}
	if _, err := decodeSample(object(t, with(requiredFields, map[string]string{"kids": "81a0"}))); !errors.Is(err, ErrMalformed) {
		t.Errorf("an element without name: %v", err)
	}
}

func TestDecodeAcceptsAbsentOptionalField(t *testing.T) {
	for name := range optionalFields {
		if _, err := decodeSample(object(t, without(with(requiredFields, optionalFields), name))); err != nil {
			t.Errorf("without %s: %v", name, err)
		}
	}
}

// Every field refuses every value of another type or form.
func TestDecodeRefusesOtherTypes(t *testing.T) {
	odd := []string{
		"00", "20", "1880", "1b7fffffffffffffff", "3b7fffffffffffffff", "40", "4100", "420102", "60", "6161", "626162",
		"80", "8100", "820000", "83000000", "8181" + "00", "81a0", "a0", "a16000", "a1616100", "f4", "f5", hexLink,
		"81" + hexLink, hexKey, hexSig, "d82a4100", "44010203" + "04", "4301" + "0203", "8401020304", "64" + "01020304",
		strings.Replace(hexKey, "ed01", "ec01", 1), strings.Replace(hexSig, "eda103", "eda102", 1),
		"7822" + strings.Repeat("61", 34), "8218" + "18" + "00", "8360" + "0000",
	}
	fine := map[string][]string{
		"v": {"00", "1880", "1b7fffffffffffffff"}, "id": {hexLink}, "key": {hexKey}, "sig": {hexSig},
		"text": {"60", "6161", "626162", "64" + "01020304", "7822" + strings.Repeat("61", 34)},
		"data": {"40", "4100", "420102", "4401020304", "43010203", hexKey, hexSig, strings.Replace(hexKey, "ed01", "ec01", 1), strings.Replace(hexSig, "eda103", "eda102", 1)},
		"tiny": {"00", "20"}, "flag": {"f4", "f5"}, "time": {"820000", "82181800"}, "hash": {"4401020304"}, "kids": {"80"},
		"base":  {"60", "6161", "626162", "64" + "01020304", "7822" + strings.Repeat("61", 34)},
		"o-int": {"20", "1880", "1b7fffffffffffffff", "3b7fffffffffffffff"}, "o-ints": {"8100", "820000", "83000000", "8401020304", "82181800"},
		"o-flag": {"f5"}, "o-id": {hexLink}, "o-key": {hexKey}, "o-hash": {"4401020304"}, "o-time": {"82181800"},
	}
	fine["o-text"] = slices.DeleteFunc(slices.Clone(fine["text"]), func(s string) bool { return s == "60" })
	fine["o-bytes"] = slices.DeleteFunc(slices.Clone(fine["data"]), func(s string) bool { return s == "40" })
	for name := range with(requiredFields, optionalFields) {
		for _, value := range odd {
			_, err := decodeSample(object(t, with(requiredFields, map[string]string{name: value})))
			if want := slices.Contains(fine[name], value); (err == nil) != want {
				t.Errorf("%s = %s: %v", name, value, err)
			}
		}
	}
}

func TestEncodeRefusesWhatDecodeRefuses(t *testing.T) {
	for what, v := range map[string]any{
		"text that is not UTF-8": struct {
			A string `cbor:"a"`
		}{"\xff"},
		"an integer above int64": struct {
			A uint64 `cbor:"a"`
		}{math.MaxInt64 + 1},
		"a float": struct {
			A float64 `cbor:"a"`
		}{1},
		"a nil pointer": struct {
			A *child `cbor:"a"`
		}{},
		"no link": struct {
			A ident.CID `cbor:"a"`
		}{},
		"nobody's key": struct {
			A ident.PublicKey `cbor:"a"`
		}{},
		"a key that is a number": map[int]int{1: 2},
		"nil":                    nil,
	} {
		if p, err := Encode(v); err == nil {
			t.Errorf("%s: %x", what, p)
		}
	}
}

func TestMustEncode(t *testing.T) {
	if p := MustEncode(child{Name: []byte("a")}); !bytes.Equal(p, unhex(t, "a1646e616d654161")) {
		t.Errorf("%x", p)
	}
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	MustEncode(1.5)
}

func TestDecodeVersion(t *testing.T) {
	var v struct {
		V    uint64 `cbor:"v"`
		Name string `cbor:"name"`
	}
	if err := DecodeVersion(unhex(t, "a2617601646e616d656161"), 1, &v); err != nil || v.Name != "a" {
		t.Errorf("%+v, %v", v, err)
	}
	// Version 2 has another name, of another type: still it is the version that is named.
	err := DecodeVersion(unhex(t, "a26176026462616d6501"), 1, &v)
	if !errors.Is(err, ErrVersion) || !strings.Contains(err.Error(), "version 2") {
		t.Error(err)
	}
	for _, s := range []string{"a1646e616d656161", "a26176" + "6131646e616d656161", "a1617601", "a2617601646e616d6541" + "61", "01", ""} {
		if err := DecodeVersion(unhex(t, s), 1, &v); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", s, err)
		}
	}
}

// An optional field that is empty must be absent, beside unknown keys too.
func TestDecodeRefusesEmptyOptionalField(t *testing.T) {
	unknown := map[string]string{"zz": "00"}
	for name, forms := range emptied {
		for _, form := range forms {
			if name == "o-child" && form == "a1646e616d6540" || name == "o-ptr" && form == "a0" {
				continue // see TestOptionalRecords
			}
			fields := with(requiredFields, map[string]string{name: form})
			for _, f := range []map[string]string{fields, with(fields, unknown), with(optionalFields, fields, unknown)} {
				if _, err := decodeSample(object(t, f)); !errors.Is(err, ErrMalformed) {
					t.Errorf("%s = %s: %v", name, form, err)
				}
			}
		}
	}
}
