package wire

import (
	"strings"

	"holdfast/internal/ident"
)

// item is one encoded item and what it is, or what is wrong with it.
type item struct {
	What string `json:"what"`
	Hex  string `json:"hex"`
}

// hexLink is the link to the dag-cbor CID of the empty string.
var hexLink = "d82a582500" + "01711e20" + "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"

func nested(open string, levels int, innermost string) string {
	return strings.Repeat(open, levels) + innermost
}

var validItems = []item{
	{"0", "00"},
	{"23, the last in the head", "17"},
	{"24, the first in a byte", "1818"},
	{"255", "18ff"},
	{"256", "190100"},
	{"65535", "19ffff"},
	{"65536", "1a00010000"},
	{"2^32-1", "1affffffff"},
	{"2^32", "1b0000000100000000"},
	{"the greatest int64", "1b7fffffffffffffff"},
	{"-1", "20"},
	{"-24", "37"},
	{"-25", "3818"},
	{"the least int64", "3b7fffffffffffffff"},
	{"no bytes", "40"},
	{"23 bytes", "57" + strings.Repeat("00", 23)},
	{"24 bytes", "5818" + strings.Repeat("00", 24)},
	{"no text", "60"},
	{"text", "65c3bc61c3b6"},
	{"text of a zero byte", "6100"},
	{"an empty array", "80"},
	{"an array", "8301200a"},
	{"an empty map", "a0"},
	{"keys b, aa: shorter first", "a2616201626161" + "02"},
	{"keys of equal length, bytewise", "a2616101616202"},
	{"an empty key first", "a2600061" + "61" + "00"},
	{"false and true", "82f4f5"},
	{"a link", hexLink},
	{"a link to raw bytes", strings.Replace(hexLink, "0171", "0155", 1)},
	{"32 levels of arrays", nested("81", maxDepth-1, "80")},
	{"a number on level 32", nested("81", maxDepth-1, "00")},
	{"32 levels of maps", nested("a16161", maxDepth-1, "a0")},
	{"a link on level 32", nested("81", maxDepth-1, hexLink)},
}

var malformedItems = []item{
	{"nothing", ""},
	// SPEC: integers, lengths and tags that are not in their shortest form
	{"10 in two bytes", "180a"},
	{"10 in nine bytes", "1b000000000000000a"},
	{"23 in two bytes", "1817"},
	{"255 in three bytes", "1900ff"},
	{"65535 in five bytes", "1a0000ffff"},
	{"2^32-1 in nine bytes", "1b00000000ffffffff"},
	{"-24 in two bytes", "3817"},
	{"long length of bytes", "580161"},
	{"long length of text", "780161"},
	{"long length of an array", "980100"},
	{"long length of a map", "b80161610a"},
	{"long length of a key", "a178016100"},
	{"long tag", "d9002a" + hexLink[4:]},
	{"long length in a link", "d82a590025" + hexLink[8:]},
	// SPEC: integers outside the range of int64
	{"2^63", "1b8000000000000000"},
	{"2^64-1", "1bffffffffffffffff"},
	{"-2^63-1", "3b8000000000000000"},
	// SPEC: indefinite lengths
	{"indefinite array", "9f01ff"},
	{"indefinite bytes", "5f4161ff"},
	{"indefinite text", "7f6161ff"},
	{"indefinite map", "bf616101ff"},
	{"a break", "ff"},
	{"reserved length 28", "1c" + strings.Repeat("01", 16)},
	{"reserved length 29", "3d" + strings.Repeat("01", 32)},
	{"reserved length 30", "5e" + strings.Repeat("01", 64)},
	{"reserved length 31 of a number", "1f" + strings.Repeat("01", 128)},
	// SPEC: floating-point numbers, null, undefined, simple values other than true and false
	{"float16", "f93e00"},
	{"float32", "fa3fc00000"},
	{"float64", "fb3ff8000000000000"},
	{"NaN", "fb7ff8000000000000"},
	{"infinity", "fb7ff0000000000000"},
	{"null", "f6"},
	{"null in an array", "81f6"},
	{"undefined", "f7"},
	{"simple value 0", "e0"},
	{"simple value 19", "f3"},
	{"true in two bytes", "f815"},
	{"simple value 32", "f820"},
	// SPEC: tags other than 42
	{"tag 1", "c101"},
	{"bignum", "c24101"},
	{"tag 41 on a link", "d829" + hexLink[4:]},
	{"tag 43 on a link", "d82b" + hexLink[4:]},
	{"tag 55799, self-described CBOR", "d9d9f700"},
	// SPEC: a tag 42 whose content is not a byte string of 00 and a CID of section 1
	{"link without 00", "d82a5824" + hexLink[10:]},
	{"link with another prefix", strings.Replace(hexLink, "582500", "582501", 1)},
	{"link without content", "d82a"},
	{"link of no bytes", "d82a40"},
	{"link of a number", "d82a00"},
	{"link of text", "d82a7825" + hexLink[8:]},
	{"link of an array", "d82a81" + hexLink[4:]},
	{"link of a link", "d82a" + hexLink},
	{"link to a CID that is too short", "d82a582400" + hexLink[10:len(hexLink)-2]},
	{"link to a CID that is too long", "d82a582600" + hexLink[10:] + "00"},
	{"link to a CID version 0", "d82a582300" + "1220" + hexLink[18:]},
	{"link to CID version 2", strings.Replace(hexLink, "0001711e20", "0002711e20", 1)},
	{"link to another codec", strings.Replace(hexLink, "01711e20", "01701e20", 1)},
	{"link by another hash", strings.Replace(hexLink, "01711e20", "01711220", 1)},
	{"link by a shorter hash", strings.Replace(hexLink, "01711e20", "01711e1f", 1)},
	{"truncated link", hexLink[:len(hexLink)-2]},
	// SPEC: map keys that are not text, are not in DAG-CBOR order, or occur twice
	{"integer key", "a10102"},
	{"key of bytes", "a1416102"},
	{"key that is a link", "a1" + hexLink + "00"},
	{"keys b, a", "a2616201616102"},
	{"keys aa, b", "a262616101616202"},
	{"key twice", "a2616101616102"},
	{"key twice, apart", "a3616101616202616103"},
	{"empty key last", "a2616100" + "6000"},
	{"keys out of order below", "a1616181a2616201616102"},
	// SPEC: text that is not UTF-8
	{"text cut short", "62c328"},
	{"text of a surrogate", "63eda080"},
	{"text of an overlong NUL", "62c080"},
	{"text beyond Unicode", "64f4908080"},
	{"key that is not UTF-8", "a162c32800"},
	// SPEC: more than 32 levels
	{"33 levels of arrays", nested("81", maxDepth, "80")},
	{"a number on level 33", nested("81", maxDepth, "00")},
	{"33 levels of maps", nested("a16161", maxDepth, "a0")},
	{"a link on level 33", nested("81", maxDepth, hexLink)},
	{"2000 levels", nested("81", 2000, "80")},
	{"links around links", nested("d82a", 100, hexLink)},
	// SPEC: bytes after the end
	{"trailing byte", "0100"},
	{"two items", "a0a0"},
	// Truncated, and lengths that do not come true.
	{"head without argument", "18"},
	{"head with half an argument", "1a0000"},
	{"bytes cut short", "426100"[:4]},
	{"text cut short", "6261"},
	{"array cut short", "820000"[:4]},
	{"map without value", "a16161"},
	{"map without pairs", "a1"},
	{"array of 2^32-1", "9affffffff"},
	{"array of 2^64-1", "9bffffffffffffffff"},
	{"map of 2^32-1", "baffffffff"},
	{"map of 2^63", "bb8000000000000000" + "616100"},
	{"map of 2^64-1", "bbffffffffffffffff"},
	{"bytes of 2^40", "5b0000010000000000"},
	{"bytes of 2^64-1", "5bffffffffffffffff"},
	{"text of 2^63", "7b8000000000000000"},
	{"key of 2^63", "a17b8000000000000000"},
	{"link of 2^63 bytes", "d82a5b8000000000000000"},
}

// The structure that the tests decode into: every kind of field that holdfast uses.
type sample struct {
	V    uint64          `cbor:"v"`
	ID   ident.CID       `cbor:"id"`
	Key  ident.PublicKey `cbor:"key"`
	Sig  ident.Signature `cbor:"sig"`
	Text string          `cbor:"text"`
	Data []byte          `cbor:"data"`
	Tiny int8            `cbor:"tiny"`
	Flag bool            `cbor:"flag"`
	Time [2]int64        `cbor:"time"`
	Hash [4]byte         `cbor:"hash"`
	Kids []child         `cbor:"kids"`
	Base

	OInt   int64            `cbor:"o-int,omitempty"`
	OText  string           `cbor:"o-text,omitempty"`
	OBytes []byte           `cbor:"o-bytes,omitempty"`
	OInts  []int64          `cbor:"o-ints,omitempty"`
	OFlag  bool             `cbor:"o-flag,omitempty"`
	OID    ident.CID        `cbor:"o-id,omitzero"`
	OKey   ident.PublicKey  `cbor:"o-key,omitzero"`
	OHash  [4]byte          `cbor:"o-hash,omitzero"`
	OTime  [2]int64         `cbor:"o-time,omitzero"`
	OKids  []child          `cbor:"o-kids,omitempty"`
	OMap   map[string]child `cbor:"o-map,omitempty"`
	OChild child            `cbor:"o-child,omitzero"`
	OPtr   *child           `cbor:"o-ptr,omitempty"`
	OObj   ident.Signed     `cbor:"o-obj,omitzero"`
	OPair  *pair            `cbor:"o-pair,omitempty"`
}

// Base is embedded: its fields stand beside those of sample.
type Base struct {
	Base string `cbor:"base"`
}

type child struct {
	Name []byte  `cbor:"name"`
	Size uint32  `cbor:"size,omitempty"`
	Kids []child `cbor:"kids,omitempty"`
}

type pair struct {
	_ struct{} `cbor:",toarray"`
	A uint32
	B string
}
