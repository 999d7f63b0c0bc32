package ident

import (
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/multiformats/go-multibase"
	"pgregory.net/rapid"
)

func genKey(t *rapid.T) PrivateKey {
	return NewPrivateKey([SeedSize]byte(rapid.SliceOfN(rapid.Byte(), SeedSize, SeedSize).Draw(t, "seed")))
}

func TestPublicKeyRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := genKey(t).Public()
		if o, err := ParsePublicKey(k.String()); err != nil || o != k || !strings.HasPrefix(k.String(), "z6Mk") {
			t.Fatalf("text: %v, %v", o, err)
		}
		if o, err := PublicKeyFromBytes(k.Bytes()); err != nil || o != k {
			t.Fatalf("bytes: %v, %v", o, err)
		}
		p, err := k.MarshalCBOR()
		if err != nil {
			t.Fatal(err)
		}
		var o PublicKey
		if err := o.UnmarshalCBOR(p); err != nil || o != k {
			t.Fatalf("CBOR: %v, %v", o, err)
		}
	})
}

func aKey() PrivateKey { return NewPrivateKey([SeedSize]byte{1, 2, 3}) }

func TestPublicKeyRefuses(t *testing.T) {
	k := aKey().Public()
	good := k.Bytes()
	for n := range 2 * PublicKeySize {
		if _, err := PublicKeyFromBytes(slices.Concat(good, good)[:n]); (err == nil) != (n == PublicKeySize) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	for at := range 2 {
		p := slices.Clone(good)
		p[at]++
		if _, err := PublicKeyFromBytes(p); !errors.Is(err, ErrKey) {
			t.Errorf("%x: %v", p[:2], err)
		}
	}
	cbor, err := k.MarshalCBOR()
	if err != nil {
		t.Fatal(err)
	}
	for n := range cbor {
		refuseCBOR(t, new(PublicKey), cbor[:n])
	}
	refuseCBOR(t, new(PublicKey), append(slices.Clone(cbor), 0))
	refuseCBOR(t, new(PublicKey), append([]byte{0x78}, cbor[1:]...))
	refuseCBOR(t, new(PublicKey), append([]byte{0x59, 0}, cbor[1:]...))
}

// SPEC: Text forms are multibase base58btc of these bytes.
func TestParsePublicKeyRefuses(t *testing.T) {
	k := aKey().Public()
	text := k.String()
	for base, name := range multibase.EncodingToStr {
		s, err := multibase.Encode(base, k.Bytes())
		if err != nil {
			continue // not every base can be written
		}
		if _, err := ParsePublicKey(s); (err == nil) != (base == multibase.Base58BTC) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, s := range []string{"", "z", text[1:], text[:47], text + "1", text + "\n", " " + text[:47], "z1" + text[2:], "z" + text[:47],
		"z6Mk" + strings.Repeat("0", 44), "<no key>", SumRaw(nil).String()} {
		if _, err := ParsePublicKey(s); !errors.Is(err, ErrKey) {
			t.Errorf("%.80q: %v", s, err)
		}
	}
}

// otherSpellings are the encodings of small y with y + p instead.
func otherSpellings() []PublicKey {
	var ks []PublicKey
	for y := range byte(19) {
		k := PublicKey{0: 0xed + y, 31: 0x7f}
		for i := 1; i < 31; i++ {
			k[i] = 0xff
		}
		ks = append(ks, k)
	}
	return ks
}

func TestWeakKeysAreRefused(t *testing.T) {
	for _, k := range append(otherSpellings(), smallOrder[:]...) {
		for _, sign := range []byte{0, 0x80} {
			k[31] |= sign
			if _, err := PublicKeyFromBytes(k.Bytes()); !errors.Is(err, ErrKey) {
				t.Errorf("%x: %v", k, err)
			}
			if _, err := k.MarshalCBOR(); err == nil {
				t.Errorf("%x encoded", k)
			}
		}
	}
	for _, k := range []PublicKey{{2}, {0xeb, 31: 0x7f}, {0xed, 0xff, 31: 0x7f}, aKey().Public()} {
		if k.weak() {
			t.Errorf("%x refused", k)
		}
	}
}

// Why weak keys are refused: the standard library accepts signatures by them that
// nobody made. R is the neutral point, S is 0: about one message in eight verifies.
func TestNobodySignsForAWeakKey(t *testing.T) {
	var forged Signature
	forged[0] = 1
	for _, k := range smallOrder {
		accepted := 0
		for i := range uint64(200) {
			s := Signed{Object: binary.LittleEndian.AppendUint64(nil, i), Signature: forged}
			if ed25519.Verify(k[:], message("test", CID{}, s.CID()), s.Signature[:]) {
				accepted++
			}
			if s.Verify(k, "test", CID{}) == nil {
				t.Fatalf("%x: forgery accepted", k)
			}
		}
		if accepted == 0 {
			t.Errorf("%x is not a point of small order", k)
		}
	}
}

func TestNobody(t *testing.T) {
	var k PublicKey
	if !k.IsZero() || k.String() != "<no key>" || k.Short() != "<no key>" {
		t.Errorf("%v", k)
	}
	if k := aKey().Public(); k.IsZero() || len(k.Short()) != 10 || !strings.Contains(k.String(), k.Short()) {
		t.Errorf("%v", k.Short())
	}
	if aKey().Public().Compare(k) <= 0 || k.Compare(k) != 0 {
		t.Error("nobody is not the least")
	}
}

func FuzzParsePublicKey(f *testing.F) {
	for _, s := range []string{"", "z", aKey().Public().String(), "z6Mk" + strings.Repeat("1", 44), SumRaw(nil).String()} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		k, err := ParsePublicKey(s)
		if err == nil && k.String() != s {
			t.Fatalf("%q reads as %q", s, k)
		}
	})
}
