package erasure

import (
	"bytes"
	"errors"
	"testing"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
)

func sample(code Code, size uint64) Descriptor {
	d := Descriptor{V: 1, K: uint64(code.K), N: uint64(code.N), Size: size}
	for i := range code.N {
		d.Shards = append(d.Shards, ident.SumRaw([]byte{byte(i)}))
	}
	return d
}

func TestDescriptorRoundTrip(t *testing.T) {
	for _, code := range []Code{{1, 2}, {4, 8}, {8, 20}, {127, 255}} {
		for _, size := range []uint64{1, 32 << 20, MaxSegment} {
			d := sample(code, size)
			p := d.Encode()
			if len(p) > MaxDescriptor {
				t.Fatalf("%v: a valid descriptor has %d bytes", code, len(p))
			}
			got, err := ParseDescriptor(p)
			if err != nil {
				t.Fatalf("%v: %v", code, err)
			}
			if !bytes.Equal(got.Encode(), p) || got.CID() != ident.SumDagCBOR(p) || got.Code() != code {
				t.Errorf("%v: came back as %+v", code, got)
			}
		}
	}
}

func TestDescriptorRefusals(t *testing.T) {
	for name, change := range map[string]func(*Descriptor){
		"version 0":       func(d *Descriptor) { d.V = 0 },
		"version 2":       func(d *Descriptor) { d.V = 2 },
		"k = 0":           func(d *Descriptor) { d.K = 0 },
		"k over n/2":      func(d *Descriptor) { d.K = 5 },
		"k huge":          func(d *Descriptor) { d.K = 1 << 62 },
		"n huge":          func(d *Descriptor) { d.N = 1 << 62 },
		"size 0":          func(d *Descriptor) { d.Size = 0 },
		"size over 1 GiB": func(d *Descriptor) { d.Size = MaxSegment + 1 },
		"a shard missing": func(d *Descriptor) { d.Shards = d.Shards[1:] },
		"a shard more":    func(d *Descriptor) { d.Shards = append(d.Shards, d.Shards[0]) },
		"no shards":       func(d *Descriptor) { d.Shards = nil },
		"dag-cbor shard":  func(d *Descriptor) { d.Shards[7] = ident.SumDagCBOR(nil) },
	} {
		d := sample(Code{4, 8}, 1000)
		change(&d)
		p, err := wire.Encode(d)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := ParseDescriptor(p); !errors.Is(err, ErrDescriptor) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDescriptorRefusesBytes(t *testing.T) {
	p := sample(Code{4, 8}, 1000).Encode()
	for name, q := range map[string][]byte{
		"nothing":         nil,
		"truncated":       p[:len(p)-1],
		"a byte more":     append(bytes.Clone(p), 0),
		"an empty map":    {0xa0},
		"not a map":       {0x01},
		"longer than all": make([]byte, MaxDescriptor+1),
	} {
		if _, err := ParseDescriptor(q); !errors.Is(err, ErrDescriptor) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A key that this version does not know is ignored, and the segment keeps the name
// that the received bytes give it.
func TestDescriptorWithUnknownKey(t *testing.T) {
	type later struct {
		Descriptor
		Note string `cbor:"zzzzzzzz"`
	}
	d := sample(Code{2, 4}, 1000)
	p, err := wire.Encode(later{d, "x"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseDescriptor(p)
	if err != nil {
		t.Fatal(err)
	}
	if got.CID() != d.CID() || got.CID() == ident.SumDagCBOR(p) {
		t.Error("the unknown key was not ignored")
	}
}

func FuzzParseDescriptor(f *testing.F) {
	for _, code := range []Code{{1, 2}, {4, 8}, {8, 20}} {
		f.Add(sample(code, 33_554_432).Encode())
	}
	f.Add([]byte{})
	f.Add([]byte{0xa5})
	f.Fuzz(func(t *testing.T, p []byte) {
		d, err := ParseDescriptor(p)
		if err != nil {
			if !errors.Is(err, ErrDescriptor) {
				t.Fatalf("error without its sentinel: %v", err)
			}
			return
		}
		if err := d.Check(); err != nil {
			t.Fatalf("parsed, but: %v", err)
		}
		if d.RowSize() < 1 || d.RowSize()*int64(d.K) < int64(d.Size) {
			t.Fatalf("rows of %d bytes for %d", d.RowSize(), d.Size)
		}
		if again, err := ParseDescriptor(d.Encode()); err != nil || again.CID() != d.CID() {
			t.Fatalf("encoded again: %v", err)
		}
	})
}
