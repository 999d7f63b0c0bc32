package guardian

import (
	"errors"
	"testing"

	"holdfast/seal"
)

// What is in an envelope was written by the owner, and a guardian believes nothing
// of it before he has looked.
func FuzzEnvelope(f *testing.F) {
	c := newCircle(f, "shop", 2, 3)
	plain, err := seal.OpenBytes(c.charter.Guardians[0].Envelope, envelopeLimit, c.keys[0].Identity)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(plain)
	f.Add([]byte{0xa0})
	f.Fuzz(func(t *testing.T, p []byte) {
		s, err := parseEnvelope(p)
		if err != nil {
			if !errors.Is(err, ErrEnvelope) {
				t.Fatal(err)
			}
			return
		}
		if again, err := ParseCode(s.Code()); err != nil || again != s {
			t.Fatalf("a share that cannot be written down: %v", err)
		}
	})
}
