package ident

import (
	"bytes"
	"encoding/hex"
	"errors"
	"log/slog"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multibase"
	"github.com/multiformats/go-multihash"
	"pgregory.net/rapid"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	p, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func genHash(t *rapid.T) [HashSize]byte {
	return [HashSize]byte(rapid.SliceOfN(rapid.Byte(), HashSize, HashSize).Draw(t, "hash"))
}

func genCID(t *rapid.T) CID {
	return NewCID(rapid.SampledFrom([]Codec{Raw, DagCBOR}).Draw(t, "codec"), genHash(t))
}

// go-cid writes and reads the same CIDs.
func TestCIDAgreesWithGoCID(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := genCID(t)
		hash := c.Hash()
		mh, err := multihash.Encode(hash[:], multihash.BLAKE3)
		if err != nil {
			t.Fatal(err)
		}
		other := cid.NewCidV1(uint64(c.Codec()), mh)
		if c.String() != other.String() || string(c.Bytes()) != other.KeyString() {
			t.Fatalf("%s; go-cid: %s", c, other)
		}
	})
}

func TestCIDRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := genCID(t)
		if d, err := ParseCID(c.String()); err != nil || d != c {
			t.Fatalf("text: %v, %v", d, err)
		}
		if d, err := CIDFromBytes(c.Bytes()); err != nil || d != c {
			t.Fatalf("bytes: %v, %v", d, err)
		}
		p, err := c.MarshalCBOR()
		if err != nil {
			t.Fatal(err)
		}
		var d CID
		if err := d.UnmarshalCBOR(p); err != nil || d != c {
			t.Fatalf("link: %v, %v", d, err)
		}
	})
}

// SPEC: Other versions, codecs, hash functions or lengths MUST be refused.
func TestCIDFromBytesRefuses(t *testing.T) {
	good := SumRaw(nil).Bytes()
	for at, allowed := range []string{"\x01", "\x55\x71", "\x1e", "\x20"} {
		for b := range 256 {
			p := slices.Clone(good)
			p[at] = byte(b)
			_, err := CIDFromBytes(p)
			if want := strings.IndexByte(allowed, byte(b)) >= 0; (err == nil) != want {
				t.Errorf("byte %d = %#x: %v", at, b, err)
			}
			if err != nil && !errors.Is(err, ErrCID) {
				t.Error(err)
			}
		}
	}
	for n := range 2 * CIDSize {
		if _, err := CIDFromBytes(slices.Concat(good, good)[:n]); (err == nil) != (n == CIDSize) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	// The codec raw, 0x55, as an LEB128 of two bytes.
	if _, err := CIDFromBytes(slices.Concat([]byte{1, 0xd5, 0, 0x1e, 0x20}, good[5:])); err == nil {
		t.Error("codec in two bytes")
	}
}

// SPEC: Its text form is multibase base32, lower case (b...).
func TestParseCIDRefuses(t *testing.T) {
	c := SumDagCBOR([]byte("a"))
	text := c.String()
	for base, name := range multibase.EncodingToStr {
		s, err := multibase.Encode(base, c.Bytes())
		if err != nil {
			continue // not every base can be written
		}
		if _, err := ParseCID(s); (err == nil) != (base == multibase.Base32) {
			t.Errorf("%s: %v", name, err)
		}
	}
	spare := text[:len(text)-1] + string(text[len(text)-1]+1) // a bit set behind the last byte
	for _, s := range []string{"", "b", spare, text[:58], text + "a", text + "\n", " " + text[:58], text[1:], text[:30] + "\n" + text[31:],
		strings.ToUpper(text), "b" + strings.ToUpper(text[1:]), text + "======", "/ipfs/" + text,
		"QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPnoT"} {
		if _, err := ParseCID(s); !errors.Is(err, ErrCID) {
			t.Errorf("%.80q: %v", s, err)
		}
	}
}

// Decoding base58 takes quadratic time, so what is too long is not decoded.
func TestParseRefusesLongTextAtOnce(t *testing.T) {
	long := strings.Repeat("z", 1<<16)
	for name, parse := range map[string]func() error{
		"ParseCID":       func() error { _, err := ParseCID(long); return err },
		"ParsePublicKey": func() error { _, err := ParsePublicKey(long); return err },
	} {
		if err := parse(); err == nil {
			t.Errorf("%s accepts it", name)
		}
		if used := allocated(func() { parse() }); used > 4<<10 {
			t.Errorf("%s: %d bytes allocated", name, used)
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

func TestCIDCompareIsOrderOfBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := genCID(t), genCID(t)
		if rapid.Bool().Draw(t, "same hash") {
			b.hash = a.hash
		}
		if got, want := a.Compare(b), slices.Compare(a.Bytes(), b.Bytes()); got != want {
			t.Fatalf("%v, %v: %d; want %d", a, b, got, want)
		}
	})
}

func TestCIDOfNothing(t *testing.T) {
	var c CID
	if c.Defined() || !c.IsZero() || c.String() != "<no CID>" {
		t.Errorf("%v", c)
	}
	if _, err := c.MarshalCBOR(); err == nil {
		t.Error("no link to nothing")
	}
	if d := SumRaw(nil); !d.Defined() || d.IsZero() || d == SumDagCBOR(nil) {
		t.Error("the empty string has two names")
	}
}

func TestCIDUnmarshalCBORRefuses(t *testing.T) {
	c := SumRaw(nil)
	good, err := c.MarshalCBOR()
	if err != nil {
		t.Fatal(err)
	}
	for n := range good {
		refuseCBOR(t, new(CID), good[:n])
	}
	refuseCBOR(t, new(CID), append(slices.Clone(good), 0))
	for at := range len(linkHead) + 4 {
		p := slices.Clone(good)
		p[at]++
		refuseCBOR(t, new(CID), p)
	}
}

func refuseCBOR(t *testing.T, v interface{ UnmarshalCBOR([]byte) error }, p []byte) {
	t.Helper()
	if v.UnmarshalCBOR(p) == nil {
		t.Errorf("%x accepted", p)
	}
}

func FuzzParseCID(f *testing.F) {
	for _, s := range []string{"", "b", SumRaw(nil).String(), SumDagCBOR(nil).String(), "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPnoT"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := ParseCID(s)
		if err != nil {
			return
		}
		if c.String() != s {
			t.Fatalf("%q reads as %q", s, c)
		}
		if other, err := cid.Decode(s); err != nil || string(c.Bytes()) != other.KeyString() {
			t.Fatalf("%q: go-cid: %v, %v", s, other, err)
		}
	})
}

func BenchmarkCIDString(b *testing.B) {
	c := SumRaw(nil)
	for b.Loop() {
		_ = c.String()
	}
}

func BenchmarkParseCID(b *testing.B) {
	s := SumRaw(nil).String()
	for b.Loop() {
		ParseCID(s)
	}
}

// A log shows names and keys as people write them.
func TestLogged(t *testing.T) {
	var out bytes.Buffer
	c, k := SumDagCBOR([]byte("x")), NewPrivateKey([32]byte{1}).Public()
	slog.New(slog.NewJSONHandler(&out, nil)).Info("said", "vault", c, "lane", k)
	for _, want := range []string{`"vault":"` + c.String() + `"`, `"lane":"` + k.String() + `"`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s is not in %s", want, out.String())
		}
	}
}
