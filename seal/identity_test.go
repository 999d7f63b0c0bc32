package seal

import (
	"errors"
	"strings"
	"testing"

	"filippo.io/age"
	"pgregory.net/rapid"
)

func testIdentity(t testing.TB, seed byte) Identity {
	t.Helper()
	id, err := NewIdentity([32]byte{seed})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// TestBech32 has the examples of BIP-173 that are data parts of whole bytes, and
// age as the second opinion.
func TestBech32(t *testing.T) {
	if got := bech32("a", nil); got != "a12uel5l" {
		t.Error(got)
	}
	if got := bech32("abcdef", []byte{0x00, 0x44, 0x32, 0x14, 0xc7, 0x42, 0x54, 0xb6, 0x35, 0xcf, 0x84, 0x65, 0x3a, 0x56, 0xd7, 0xc6, 0x75, 0xbe, 0x77, 0xdf}); got != "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw" {
		t.Error(got)
	}
	rapid.Check(t, func(t *rapid.T) {
		seed := [32]byte(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "seed"))
		text := strings.ToUpper(bech32(identityPart, seed[:]))
		id, err := age.ParseHybridIdentity(text)
		if err != nil {
			t.Fatal(err)
		}
		if id.String() != text {
			t.Fatalf("age writes %s, not %s", id, text)
		}
	})
}

func TestIdentity(t *testing.T) {
	seed := [32]byte{1, 2, 3}
	id, err := NewIdentity(seed)
	if err != nil {
		t.Fatal(err)
	}
	if id.Seed() != seed || id.IsZero() {
		t.Error("the seed is lost")
	}
	again, err := NewIdentity(seed)
	if err != nil || again.Recipient() != id.Recipient() {
		t.Errorf("equal seeds have other recipients: %v", err)
	}
	if other := testIdentity(t, 9); other.Recipient() == id.Recipient() {
		t.Error("two seeds have one recipient")
	}
	r, err := ParseRecipient(id.Recipient().String())
	if err != nil || r != id.Recipient() {
		t.Errorf("recipient is not read back: %v", err)
	}
}

func TestZeroValues(t *testing.T) {
	var id Identity
	if !id.IsZero() || id.Seed() != [32]byte{} || !id.Recipient().IsZero() || id.Recipient().String() != "" {
		t.Error("the zero identity is somebody")
	}
	if _, err := SealBytes([]byte("x"), Recipient{}); !errors.Is(err, ErrRecipient) {
		t.Errorf("sealed to nobody: %v", err)
	}
	if _, err := SealBytes([]byte("x")); err == nil {
		t.Error("sealed to no recipient")
	}
	sealed, err := SealBytes([]byte("x"), testIdentity(t, 1).Recipient())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenBytes(sealed, 10, id); !errors.Is(err, ErrSealed) {
		t.Errorf("the zero identity opens: %v", err)
	}
}

func FuzzParseRecipient(f *testing.F) {
	good := testIdentity(f, 1).Recipient().String()
	classic, err := age.GenerateX25519Identity()
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{"", good, strings.ToUpper(good), good + " ", good[:len(good)-1], "x" + good[1:], classic.Recipient().String(), testSecret} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseRecipient(s)
		if err != nil {
			if !errors.Is(err, ErrRecipient) || !r.IsZero() {
				t.Fatalf("error %v", err)
			}
			if len(s) > 20 && strings.Contains(err.Error(), s) {
				t.Fatal("the error repeats what may be a secret")
			}
			return
		}
		if r.String() != s {
			t.Fatalf("%q is read as %q", s, r)
		}
	})
}

// testSecret is what somebody might paste in the place of a recipient.
const testSecret = "AGE-SECRET-KEY-PQ-1QYPSXPQ9QCRSSZG2PVXQ6RS0ZQG3YYC5Z5TPWXQERGD3C8G7RUSQXXXXXX"

func TestWrongRecipients(t *testing.T) {
	good := testIdentity(t, 1).Recipient().String()
	for _, s := range []string{"", testSecret, strings.ToUpper(good), " " + good, good[:len(good)-1] + "q", good + good} {
		if _, err := ParseRecipient(s); !errors.Is(err, ErrRecipient) {
			t.Errorf("%.20q...: %v", s, err)
		}
	}
}
