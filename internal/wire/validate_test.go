package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/fluent/qp"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"pgregory.net/rapid"

	gocid "github.com/ipfs/go-cid"

	"holdfast/internal/ident"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	p, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestValidateAccepts(t *testing.T) {
	for _, c := range validItems {
		p := unhex(t, c.Hex)
		if err := Validate(p); err != nil {
			t.Errorf("%s: %v", c.What, err)
		}
		if err := oracle(p); err != nil {
			t.Errorf("%s: go-ipld-prime: %v", c.What, err)
		}
		for n := range p {
			if Validate(p[:n]) == nil {
				t.Errorf("%s: accepted without its last %d bytes", c.What, len(p)-n)
			}
		}
	}
}

func TestValidateRefuses(t *testing.T) {
	for _, c := range malformedItems {
		p := unhex(t, c.Hex)
		if err := Validate(p); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", c.What, err)
		}
		if oracle(p) == nil {
			t.Errorf("%s: go-ipld-prime accepts it", c.What)
		}
		var v sample
		if err := Decode(p, &v); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: Decode: %v", c.What, err)
		}
		var v2 any
		if err := Decode(p, &v2); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: Decode into an interface: %v", c.What, err)
		}
	}
}

// Announced lengths cost nothing, and a valid item costs no memory either.
func TestValidateAllocatesNothing(t *testing.T) {
	p := bytes.Repeat([]byte{0x81}, maxDepth-1)
	p = append(p, unhex(t, hexLink)...)
	if n := testing.AllocsPerRun(100, func() { Validate(p) }); n > 0 {
		t.Errorf("valid item: %v allocations", n)
	}
	for _, c := range malformedItems {
		p := unhex(t, c.Hex)
		if n := allocated(func() { Validate(p) }); n > 1<<10 {
			t.Errorf("%s: %d bytes allocated", c.What, n)
		}
		var v sample
		if n := allocated(func() { Decode(p, &v) }); n > 64<<10 {
			t.Errorf("%s: Decode: %d bytes allocated", c.What, n)
		}
	}
}

// allocated returns how many bytes f allocates: the least of ten runs, since the
// counter is the whole program's.
func allocated(f func()) uint64 {
	least := uint64(math.MaxUint64)
	for range 10 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	return least
}

// genNode draws a restricted value of at most the given number of levels.
func genNode(levels int) *rapid.Generator[datamodel.Node] {
	scalars := []*rapid.Generator[datamodel.Node]{
		rapid.Map(rapid.Int64(), basicnode.NewInt),
		rapid.Map(rapid.SampledFrom([]int64{math.MinInt64, -25, -24, 23, 24, 255, 256, 65535, 65536, 1 << 32, math.MaxInt64}), basicnode.NewInt),
		rapid.Map(rapid.String(), basicnode.NewString),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 40), basicnode.NewBytes),
		rapid.Map(rapid.Bool(), basicnode.NewBool),
		rapid.Map(genCID(), func(c ident.CID) datamodel.Node {
			return basicnode.NewLink(cidlink.Link{Cid: gocid.MustParse(c.String())})
		}),
	}
	if levels < 2 {
		return rapid.OneOf(scalars...)
	}
	return rapid.OneOf(append(scalars, genList(levels), genMap(levels))...)
}

func genCID() *rapid.Generator[ident.CID] {
	return rapid.Custom(func(t *rapid.T) ident.CID {
		hash := rapid.SliceOfN(rapid.Byte(), ident.HashSize, ident.HashSize).Draw(t, "hash")
		return ident.NewCID(rapid.SampledFrom([]ident.Codec{ident.Raw, ident.DagCBOR}).Draw(t, "codec"), [ident.HashSize]byte(hash))
	})
}

func genList(levels int) *rapid.Generator[datamodel.Node] {
	elements := rapid.SliceOfN(rapid.Deferred(func() *rapid.Generator[datamodel.Node] { return genNode(levels - 1) }), 0, 5)
	return rapid.Custom(func(t *rapid.T) datamodel.Node {
		vs := elements.Draw(t, "elements")
		return must(qp.BuildList(basicnode.Prototype.Any, int64(len(vs)), func(la datamodel.ListAssembler) {
			for _, v := range vs {
				qp.ListEntry(la, qp.Node(v))
			}
		}))
	})
}

func genMap(levels int) *rapid.Generator[datamodel.Node] {
	pairs := rapid.MapOfN(rapid.String(), rapid.Deferred(func() *rapid.Generator[datamodel.Node] { return genNode(levels - 1) }), 0, 5)
	return rapid.Custom(func(t *rapid.T) datamodel.Node {
		vs := pairs.Draw(t, "pairs")
		return must(qp.BuildMap(basicnode.Prototype.Any, int64(len(vs)), func(ma datamodel.MapAssembler) {
			for k, v := range vs {
				qp.MapEntry(ma, k, qp.Node(v))
			}
		}))
	})
}

// Every restricted value that go-ipld-prime writes is accepted.
func TestValidateAcceptsIPLD(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := must(encodeNode(genNode(5).Draw(t, "node")))
		if err := Validate(p); err != nil {
			t.Fatalf("%x: %v", p, err)
		}
	})
}

// Whatever is done to the bytes, both decide alike.
func TestValidateAgreesWithIPLD(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := must(encodeNode(genNode(4).Draw(t, "node")))
		for range rapid.IntRange(1, 3).Draw(t, "changes") {
			p = mutate(t, p)
		}
		agree(t, p)
	})
}

func mutate(t *rapid.T, p []byte) []byte {
	at := rapid.IntRange(0, len(p)).Draw(t, "at")
	b := rapid.OneOf(rapid.Byte(), rapid.SampledFrom([]byte{0x18, 0x58, 0x78, 0x80, 0xa0, 0xc1, 0xd8, 0xf4, 0xf6, 0xf9, 0xff})).Draw(t, "byte")
	switch change := rapid.SampledFrom([]string{"insert", "replace", "delete"}).Draw(t, "change"); {
	case change == "insert" || at == len(p):
		return slices.Insert(slices.Clone(p), at, b)
	case change == "replace":
		p = slices.Clone(p)
		p[at] = b
		return p
	default:
		return slices.Delete(slices.Clone(p), at, at+1)
	}
}

func agree(t interface{ Fatalf(string, ...any) }, p []byte) {
	err, second := Validate(p), oracle(p)
	if (err == nil) != (second == nil) {
		t.Fatalf("%x: Validate: %v; go-ipld-prime: %v", p, err, second)
	}
}
