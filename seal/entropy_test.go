package seal

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"testing"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
)

// hkdf32 is RFC 5869 for one block, written out: the second opinion.
func hkdf32(secret, salt []byte, info string) [32]byte {
	extract := hmac.New(sha256.New, salt)
	extract.Write(secret)
	expand := hmac.New(sha256.New, extract.Sum(nil))
	expand.Write(append([]byte(info), 1))
	return [32]byte(expand.Sum(nil))
}

func TestDerivation(t *testing.T) {
	e, salt := Entropy{1, 2, 3}, []byte("salt of a charter")
	zeros := make([]byte, sha256.Size) // RFC 5869, 2.2: a salt that is not provided
	if e.OwnerKey().Seed() != hkdf32(e[:], zeros, "holdfast v1 owner") {
		t.Error("owner key")
	}
	want := Keys{
		DedupData: hkdf32(e[:], salt, "holdfast v1 dedup data"),
		DedupTree: hkdf32(e[:], salt, "holdfast v1 dedup tree"),
		Chunker:   hkdf32(e[:], salt, "holdfast v1 chunker"),
	}
	if e.Keys(salt) != want {
		t.Error("keys")
	}
	for number, info := range map[uint64]string{0: "holdfast v1 identity 0", 17: "holdfast v1 identity 17", 1<<64 - 1: "holdfast v1 identity 18446744073709551615"} {
		id, err := e.Identity(salt, number)
		if err != nil || id.Seed() != hkdf32(e[:], salt, info) {
			t.Errorf("identity %d: %v", number, err)
		}
	}
}

func TestSecretsDiffer(t *testing.T) {
	seen := map[[32]byte]string{}
	add := func(what string, secret [32]byte) {
		if other, ok := seen[secret]; ok {
			t.Errorf("%s is %s", what, other)
		}
		seen[secret] = what
	}
	for _, e := range []Entropy{{1}, {2}} {
		add(fmt.Sprintf("owner of %d", e[0]), e.OwnerKey().Seed())
		for _, salt := range []string{"a", "b"} {
			k := e.Keys([]byte(salt))
			name := fmt.Sprintf(" of %d under %s", e[0], salt)
			add("data"+name, k.DedupData)
			add("tree"+name, k.DedupTree)
			add("chunker"+name, k.Chunker)
			for i := range uint64(2) {
				id, err := e.Identity([]byte(salt), i)
				if err != nil {
					t.Fatal(err)
				}
				add(fmt.Sprintf("identity %d%s", i, name), id.Seed())
			}
		}
	}
}

func TestNewEntropy(t *testing.T) {
	a, err := NewEntropy(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewEntropy(rand.Reader)
	if err != nil || a == b || a == (Entropy{}) {
		t.Errorf("drawn twice alike: %v", err)
	}
	if e, err := NewEntropy(bytes.NewReader(make([]byte, 31))); err == nil || e != (Entropy{}) {
		t.Errorf("drawn from too little: %v", err)
	}
	if e, err := NewEntropy(io.LimitReader(zeroReader{}, 32)); err != nil || e != (Entropy{}) {
		t.Errorf("not what the source said: %v", err)
	}
}

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestOwnerID holds the owner ID to its definition, which is ident's.
func TestOwnerID(t *testing.T) {
	owner := Entropy{1}.OwnerKey().Public()
	if owner.ID() != ident.SumRaw(owner.Bytes()).Hash() {
		t.Error("owner ID is not BLAKE3 of the 34 bytes")
	}
}

func TestKeysInCBOR(t *testing.T) {
	k := Entropy{7}.Keys([]byte("salt"))
	p, err := wire.Encode(k)
	if err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	want.WriteByte(0xa3)
	for _, f := range []struct {
		name string
		key  [32]byte
	}{{"cut", k.Chunker}, {"data", k.DedupData}, {"tree", k.DedupTree}} {
		want.WriteByte(0x60 | byte(len(f.name)))
		want.WriteString(f.name)
		want.Write([]byte{0x58, 32})
		want.Write(f.key[:])
	}
	if !bytes.Equal(p, want.Bytes()) {
		t.Errorf("%x, want %x", p, want.Bytes())
	}
	var got Keys
	if err := wire.Decode(p, &got); err != nil || got != k {
		t.Errorf("read back: %v", err)
	}
	if err := wire.Decode(bytes.Replace(p, []byte{0x58, 32}, []byte{0x58, 33}, 1), &got); err == nil {
		t.Error("a key of 33 bytes is accepted")
	}
}
