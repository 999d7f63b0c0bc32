package ledger_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
)

// Versions that are not known are refused by name, before anything else is looked at.
func TestUnknownVersions(t *testing.T) {
	for _, s := range newWorld().structures() {
		p := bytes.Clone(s.signed.Object)
		if !bytes.Equal(p[1:4], []byte{0x61, 'v', 1}) {
			t.Fatalf("%s: v is not the first key", s.name)
		}
		p[3] = 2
		err := s.verify(ident.Signed{Object: p, Signature: s.signed.Signature})
		if !errors.Is(err, ledger.ErrVersion) || !strings.Contains(err.Error(), "2") {
			t.Errorf("%s: %v", s.name, err)
		}
	}
}

// Unknown keys are ignored, and signatures are over the bytes with them.
func TestUnknownKeys(t *testing.T) {
	for _, s := range newWorld().structures() {
		p := append(bytes.Clone(s.signed.Object), "\x6dlater-version\x01"...)
		p[0]++
		err := s.verify(ident.Signed{Object: p, Signature: s.signed.Signature})
		if s.label == "" && err != nil || s.label != "" && !errors.Is(err, ident.ErrSignature) {
			t.Errorf("%s: %v", s.name, err)
		}
	}
}

func TestTruncated(t *testing.T) {
	for _, s := range newWorld().structures() {
		p := s.signed.Object
		for n := 0; n < len(p); n += 1 + len(p)/300 {
			if err := s.verify(ident.Signed{Object: p[:n:n], Signature: s.signed.Signature}); !errors.Is(err, wire.ErrMalformed) {
				t.Fatalf("%s, %d of %d bytes: %v", s.name, n, len(p), err)
			}
		}
		if err := s.verify(ident.Signed{Object: append(p[:len(p):len(p)], 0), Signature: s.signed.Signature}); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s and a byte: %v", s.name, err)
		}
	}
}

// Law: no bit of a signed object or its signature can be changed.
func TestFlippedBits(t *testing.T) {
	random := rand.New(rand.NewPCG(6, 6))
	for _, s := range newWorld().structures() {
		if s.label == "" {
			continue
		}
		for range 60 {
			bad := ident.Signed{Object: bytes.Clone(s.signed.Object), Signature: s.signed.Signature}
			if random.IntN(4) == 0 {
				bad.Signature[random.IntN(len(bad.Signature))] ^= 1 << random.IntN(8)
			} else {
				bad.Object[random.IntN(len(bad.Object))] ^= 1 << random.IntN(8)
			}
			if err := s.verify(bad); err == nil {
				t.Fatalf("%s: accepted %x", s.name, bad.Object)
			}
		}
	}
}

// A signature for one label is never taken for another's.
func TestLabelsAreKeptApart(t *testing.T) {
	all := newWorld().structures()
	for _, s := range all {
		for _, o := range all {
			if s.label != o.label && o.label != "" && s.label != "" && s.verify(o.signed) == nil {
				t.Errorf("%s taken for %s", o.name, s.name)
			}
		}
	}
}

// The same object under another vault's scope, or another key, does not verify.
func TestScopesAreKeptApart(t *testing.T) {
	w := newWorld()
	key := w.vault.Members[2].Vote
	for _, s := range w.structures() {
		if s.label == "" {
			continue
		}
		elsewhere := key.Sign(s.label, ident.SumDagCBOR([]byte("another vault")), s.signed.Object)
		if err := s.verify(elsewhere); !errors.Is(err, ident.ErrSignature) {
			t.Errorf("%s: %v", s.name, err)
		}
		unscoped := key.Sign(s.label, ident.CID{}, s.signed.Object)
		if err := s.verify(unscoped); !errors.Is(err, ident.ErrSignature) {
			t.Errorf("%s without scope: %v", s.name, err)
		}
	}
}

// Lengths are looked at before bytes are.
func TestTooLong(t *testing.T) {
	limits := map[string]int{
		"body-snapshot": ledger.MaxBody, "body-checkpoint": ledger.MaxBody, "link": ledger.MaxLink, "link-charter": ledger.MaxLink, "body-charter": ledger.MaxBody, "receipt": ledger.MaxReceipt,
		"refs-full": ledger.MaxBody, "refs-delta": ledger.MaxBody, "refs-lanes": ledger.MaxBody,
		"placement": ledger.MaxPlacement,
	}
	zeros := make([]byte, ledger.MaxLink+1)
	for _, s := range newWorld().structures() {
		n, ok := limits[s.name]
		if !ok {
			n = ledger.MaxReceipt // no other limit is above it
		}
		if err := s.verify(ident.Signed{Object: zeros[:n+1]}); !errors.Is(err, ledger.ErrTooLarge) {
			t.Errorf("%s of %d bytes: %v", s.name, n+1, err)
		}
	}
}
