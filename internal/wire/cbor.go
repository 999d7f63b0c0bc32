package wire

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"reflect"

	"github.com/fxamacker/cbor/v2"
)

var (
	// ErrMalformed says that bytes are not strict DAG-CBOR, or not of the structure
	// that was asked for.
	ErrMalformed = errors.New("malformed DAG-CBOR")

	// ErrVersion says that a structure is of a version that this program does not know.
	ErrVersion = errors.New("unknown version")
)

// Validate holds the rules of DAG-CBOR; the modes only say how Go values map to it.
var (
	encMode = must(cbor.EncOptions{
		Sort:            cbor.SortLengthFirst,
		BigIntConvert:   cbor.BigIntConvertReject,
		IndefLength:     cbor.IndefLengthForbidden,
		NilContainers:   cbor.NilContainerAsEmpty,
		BinaryMarshaler: cbor.BinaryMarshalerNone,
	}.EncMode())
	decMode = must(cbor.DecOptions{
		MaxNestedLevels:   maxDepth,
		MaxArrayElements:  math.MaxInt32, // bounded by the input's length
		MaxMapPairs:       math.MaxInt32,
		IndefLength:       cbor.IndefLengthForbidden,
		FieldNameMatching: cbor.FieldNameMatchingCaseSensitive,
		BinaryUnmarshaler: cbor.BinaryUnmarshalerNone,
	}.DecMode())
)

func must[T any](v T, err error) T {
	if err != nil {
		panic("wire: " + err.Error())
	}
	return v
}

// Encode returns the one DAG-CBOR form of v, a struct whose exported fields carry
// `cbor` tags. Optional fields are marked omitzero, or omitempty if they are a
// slice, a map, text or a number. What Decode would refuse (text that is not
// UTF-8, a float, nil, an integer above int64) is an error.
func Encode(v any) ([]byte, error) {
	p, err := encMode.Marshal(v)
	if err == nil {
		err = Validate(p)
	}
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	return p, nil
}

// MustEncode is Encode for structures that hold no foreign text; it panics where
// no input can be the cause.
func MustEncode(v any) []byte { return must(Encode(v)) }

// Decode reads p into v, a pointer to a struct, and refuses whatever section 2 of
// docs/format.md refuses. Keys of maps that v does not know are ignored; the
// caller keeps p if it has to pass them on. The caller limits the length of p.
// After an error v is in no particular state.
//
// What is left without the unknown keys is decoded, encoded again and compared.
// So a type with an UnmarshalCBOR of its own must be strict itself, and accepts
// no unknown keys.
func Decode(p []byte, v any) error {
	if err := decode(p, v); err != nil {
		return fmt.Errorf("decode %T: %w", v, err)
	}
	return nil
}

func decode(p []byte, v any) error {
	if err := Validate(p); err != nil {
		return err
	}
	known, err := knownPart(p, reflect.TypeOf(v))
	if err != nil {
		return err
	}
	if err := decMode.Unmarshal(known, v); err != nil {
		return fmt.Errorf("%w: %v", ErrMalformed, err)
	}
	again, err := encMode.Marshal(v)
	if err != nil {
		return fmt.Errorf("%w: %v", ErrMalformed, err)
	}
	if !bytes.Equal(known, again) {
		return fmt.Errorf("%w: a field is empty where it must be absent, or of another type", ErrMalformed)
	}
	return nil
}

// DecodeVersion is Decode for a structure whose field `v` must be version. Another
// version is ErrVersion, whatever the other fields are.
func DecodeVersion(p []byte, version uint64, v any) error {
	var head struct {
		V uint64 `cbor:"v"`
	}
	if err := decode(p, &head); err != nil {
		return fmt.Errorf("decode %T: %w", v, err)
	}
	if head.V != version {
		return fmt.Errorf("decode %T: %w %d", v, ErrVersion, head.V)
	}
	return Decode(p, v)
}
