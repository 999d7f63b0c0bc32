package seal

import (
	"bytes"
	"testing"

	"filippo.io/age"
	"pgregory.net/rapid"
)

// sealedLength asks age itself.
func sealedLength(t testing.TB, n int, recipients ...Recipient) int64 {
	t.Helper()
	to, err := ageRecipients(recipients)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w, err := age.Encrypt(&b, to...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, n)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return int64(b.Len())
}

func TestSealedSize(t *testing.T) {
	var rs []Recipient
	for i := range 3 {
		rs = append(rs, testIdentity(t, byte(i)).Recipient())
		for _, n := range []int{0, 1, 65535, 65536, 65537, 131071, 131072, 131073, 1 << 20} {
			if got, want := SealedSize(int64(n), i+1), sealedLength(t, n, rs...); got != want {
				t.Errorf("%d bytes to %d recipients: %d, age makes %d", n, i+1, got, want)
			}
		}
	}
	if headerSize(1) != 1627 || headerSize(2) != 3184 {
		t.Errorf("headers of %d and %d bytes", headerSize(1), headerSize(2))
	}
}

func TestSizeLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(0, maxPlain(1)).Draw(t, "n")
		r := rapid.IntRange(1, 3).Draw(t, "recipients")
		sealed := SealedSize(n, r)
		if got, ok := plainSize(sealed, headerSize(r)); sealed <= MaxSealed && (!ok || got != n) {
			t.Fatalf("%d sealed bytes hold %d, %v", sealed, got, ok)
		}
		if SealedSize(n+1, r) <= sealed {
			t.Fatal("not ascending")
		}
		limit := rapid.Int64Range(SealedSize(0, r), MaxSealed).Draw(t, "limit")
		most := atMost(limit, r)
		if SealedSize(most, r) > limit || SealedSize(most+1, r) <= limit {
			t.Fatalf("at most %d bytes fit into %d", most, limit)
		}
		p := Padme(n)
		if p < n || p > n+n/8+1 || Padme(p) != p || Padme(n+1) < p {
			t.Fatalf("Padmé(%d) = %d", n, p)
		}
	})
}

// TestLengthsThatAreNone goes through all lengths around the border of a piece:
// those that no plaintext has must be refused.
func TestLengthsThatAreNone(t *testing.T) {
	is := map[int64]int64{}
	for n := int64(0); n <= 2*pieceSize+100; n++ {
		is[SealedSize(n, 1)] = n
	}
	for sealed := int64(-5); sealed <= SealedSize(2*pieceSize+100, 1); sealed++ {
		n, ok := plainSize(sealed, headerSize(1))
		if want, exists := is[sealed]; ok != exists || ok && n != want {
			t.Fatalf("%d sealed bytes hold %d, %v", sealed, n, ok)
		}
	}
	if _, ok := plainSize(MaxSealed+1, 0); ok {
		t.Error("longer than a segment may be")
	}
}

func TestPadme(t *testing.T) {
	// From the definition, by hand: E = ⌊log2 n⌋, S = ⌊log2 E⌋ + 1, multiples of 2^(E-S).
	for n, want := range map[int64]int64{
		-1: 0, 0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 7: 7, 8: 8, 9: 10, 15: 16, 16: 16, 17: 18, 100: 104, 1000: 1024,
		1025: 1088, 65537: 67584, 1_000_000: 1_015_808, 33544597: 33554432,
	} {
		if got := Padme(n); got != want {
			t.Errorf("Padmé(%d) = %d, want %d", n, got, want)
		}
	}
}

// TestTargetSize holds the target to its definition, for every k that a code can
// have: exact, and with no larger n that is exact too.
func TestTargetSize(t *testing.T) {
	for k := 1; k <= 127; k++ {
		quantum := int64(k) * 16384
		n := TargetSize(k)
		sealed := SealedSize(n, 1)
		if sealed%quantum != 0 || sealed > 32<<20 {
			t.Errorf("k = %d: %d bytes are %d sealed", k, n, sealed)
		}
		for next := sealed + quantum; next <= 32<<20; next += quantum {
			if m, ok := plainSize(next, headerSize(1)); ok {
				t.Errorf("k = %d: %d bytes would be %d sealed", k, m, next)
			}
		}
		if k <= 10 && sealed != (32<<20)/quantum*quantum {
			t.Logf("k = %d: the first multiple, %d, is no sealed length; %d is taken", k, (32<<20)/quantum*quantum, sealed)
		}
	}
	if n := TargetSize(4); n != 33544597 {
		t.Errorf("k = 4: %d", n)
	}
}

// TestTargetsAreWhatAgeMakes seals a target's length for real.
func TestTargetsAreWhatAgeMakes(t *testing.T) {
	to := testIdentity(t, 1).Recipient()
	for k := 1; k <= 10; k++ {
		if got := sealedLength(t, int(TargetSize(k)), to); got%int64(k*16384) != 0 || got > 32<<20 {
			t.Errorf("k = %d: %d bytes", k, got)
		}
	}
}

func TestCipherRange(t *testing.T) {
	const header, first = 1627, 1627 + 16
	for _, c := range []struct{ off, n, lo, hi int64 }{
		{0, 0, first, first},
		{0, 1, first, first + 65552},
		{0, 65536, first, first + 65552},
		{0, 65537, first, first + 2*65552},
		{65535, 1, first, first + 65552},
		{65535, 2, first, first + 2*65552},
		{65536, 65536, first + 65552, first + 2*65552},
		{200000, 4 << 20, first + 3*65552, first + 68*65552},
	} {
		if lo, hi := CipherRange(header, c.off, c.n); lo != c.lo || hi != c.hi {
			t.Errorf("[%d, +%d): [%d, %d), want [%d, %d)", c.off, c.n, lo, hi, c.lo, c.hi)
		}
	}
}
