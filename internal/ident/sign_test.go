package ident

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func genScope(t *rapid.T) CID {
	if rapid.Bool().Draw(t, "scoped") {
		return genCID(t)
	}
	return CID{}
}

// A signature holds for what was signed, and for nothing else.
func TestSignature(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := genKey(t)
		label := Label(rapid.StringMatching("[a-z]{1,12}").Draw(t, "label"))
		scope := genScope(t)
		s := key.Sign(label, scope, rapid.SliceOf(rapid.Byte()).Draw(t, "object"))
		if err := s.Verify(key.Public(), label, scope); err != nil {
			t.Fatal(err)
		}
		refuse := func(what string, s Signed, k PublicKey, label Label, scope CID) {
			if err := s.Verify(k, label, scope); err != ErrSignature {
				t.Fatalf("%s: %v", what, err)
			}
		}
		refuse("another label", s, key.Public(), label+"x", scope)
		refuse("a shorter label", s, key.Public(), label[1:], scope)
		refuse("another scope", s, key.Public(), label, SumDagCBOR([]byte("another")))
		if scope.Defined() {
			refuse("no scope", s, key.Public(), label, CID{})
		}
		other := key.Seed()
		other[0]++
		refuse("another key", s, NewPrivateKey(other).Public(), label, scope)
		refuse("nobody", s, PublicKey{}, label, scope)
		forged := s
		forged.Signature[rapid.IntRange(0, 63).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		refuse("another signature", forged, key.Public(), label, scope)
		forged = s
		forged.Object = append(slices.Clone(s.Object), 0)
		refuse("another object", forged, key.Public(), label, scope)
	})
}

// No two triples of label, scope and object give the same message.
func TestMessageIsInjective(t *testing.T) {
	a, b := SumDagCBOR([]byte("a")), SumDagCBOR([]byte("b"))
	seen := map[string]bool{}
	for _, label := range []Label{"x", "y", "xy"} {
		for _, scope := range []CID{{}, a, b, NewCID(Raw, a.Hash())} {
			for _, object := range []CID{a, b} {
				m := string(message(label, scope, object))
				if seen[m] {
					t.Errorf("%s, %v, %v: a message of two meanings", label, scope, object)
				}
				seen[m] = true
			}
		}
	}
}

// The signature is no part of the name.
func TestSignedObjectKeepsItsName(t *testing.T) {
	object := []byte{0xa0}
	a := aKey().Sign("test", CID{}, object)
	b := NewPrivateKey([SeedSize]byte{9}).Sign("test", CID{}, object)
	if a.Signature == b.Signature || a.CID() != b.CID() || a.CID() != SumDagCBOR(object) {
		t.Errorf("%v, %v", a.CID(), b.CID())
	}
	if a.IsZero() || !(Signed{}).IsZero() || !(Signed{Object: []byte{}}).IsZero() {
		t.Error("IsZero")
	}
}

func TestSignatureForms(t *testing.T) {
	s := aKey().Sign("test", CID{}, nil).Signature
	if o, err := SignatureFromBytes(s.Bytes()); err != nil || o != s {
		t.Errorf("%x, %v", o, err)
	}
	if !strings.HasPrefix(s.String(), "z") {
		t.Error(s)
	}
	good := s.Bytes()
	for n := range 2 * SignatureSize {
		_, err := SignatureFromBytes(slices.Concat(good, good)[:n])
		if (err == nil) != (n == SignatureSize) || err != nil && !errors.Is(err, ErrSignature) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	for at := range 3 {
		p := slices.Clone(good)
		p[at]++
		if _, err := SignatureFromBytes(p); err == nil {
			t.Errorf("%x accepted", p[:3])
		}
	}
	cbor, err := s.MarshalCBOR()
	if err != nil {
		t.Fatal(err)
	}
	var o Signature
	if err := o.UnmarshalCBOR(cbor); err != nil || o != s {
		t.Errorf("%x, %v", o, err)
	}
	for n := range cbor {
		refuseCBOR(t, new(Signature), cbor[:n])
	}
	refuseCBOR(t, new(Signature), append(slices.Clone(cbor), 0))
	refuseCBOR(t, new(Signature), append([]byte{0x78}, cbor[1:]...))
}

func BenchmarkVerify(b *testing.B) {
	k := aKey()
	s := k.Sign("test", CID{}, []byte{0xa0})
	for b.Loop() {
		if err := s.Verify(k.Public(), "test", CID{}); err != nil {
			b.Fatal(err)
		}
	}
}
