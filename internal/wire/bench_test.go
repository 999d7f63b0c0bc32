package wire

import (
	"strconv"
	"testing"

	"holdfast/internal/ident"
)

// A segment's descriptor of 4/8, the commonest small structure.
type descriptor struct {
	V      uint64      `cbor:"v"`
	K      uint64      `cbor:"k"`
	N      uint64      `cbor:"n"`
	Size   uint64      `cbor:"size"`
	Shards []ident.CID `cbor:"shards"`
}

func aDescriptor() descriptor {
	d := descriptor{V: 1, K: 4, N: 8, Size: 32 << 20}
	for i := range byte(8) {
		d.Shards = append(d.Shards, ident.SumRaw([]byte{i}))
	}
	return d
}

// A large directory.
type directory struct {
	V     uint64  `cbor:"v"`
	Nodes []child `cbor:"nodes"`
}

func aDirectory() directory {
	d := directory{V: 1}
	for i := range 4096 {
		d.Nodes = append(d.Nodes, child{Name: []byte(strconv.Itoa(i)), Size: uint32(i)})
	}
	return d
}

func BenchmarkEncode(b *testing.B) {
	d := aDescriptor()
	for b.Loop() {
		MustEncode(d)
	}
}

func BenchmarkValidate(b *testing.B) {
	p := MustEncode(aDirectory())
	b.SetBytes(int64(len(p)))
	for b.Loop() {
		Validate(p)
	}
}

func BenchmarkDecode(b *testing.B) {
	b.Run("descriptor", func(b *testing.B) {
		p := MustEncode(aDescriptor())
		b.SetBytes(int64(len(p)))
		for b.Loop() {
			var d descriptor
			if err := Decode(p, &d); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("directory", func(b *testing.B) {
		p := MustEncode(aDirectory())
		b.SetBytes(int64(len(p)))
		for b.Loop() {
			var d directory
			if err := Decode(p, &d); err != nil {
				b.Fatal(err)
			}
		}
	})
}
