package seal

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"filippo.io/age"
	"pgregory.net/rapid"
)

func TestSealBytesLaw(t *testing.T) {
	id, other := testIdentity(t, 1), testIdentity(t, 2)
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SampledFrom([]int{0, 1, 100, 65535, 65536, 65537, 131072, 200_000}).Draw(t, "length")
		plain := randomBytes(rapid.Byte().Draw(t, "seed"), n)
		to := []Recipient{id.Recipient(), other.Recipient()}[:rapid.IntRange(1, 2).Draw(t, "recipients")]
		sealed, err := SealBytes(plain, to...)
		if err != nil {
			t.Fatal(err)
		}
		if int64(len(sealed)) != SealedSize(int64(n), len(to)) {
			t.Fatalf("%d bytes sealed into %d", n, len(sealed))
		}
		got, err := OpenBytes(sealed, n, id)
		if err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("%v, or other bytes", err)
		}
		if _, err := OpenBytes(sealed, n-1, id); !errors.Is(err, ErrTooLarge) {
			t.Fatalf("one byte above the limit: %v", err)
		}
		if _, err := OpenBytes(sealed, n, other); (err == nil) != (len(to) == 2) {
			t.Fatalf("somebody else: %v", err)
		}
	})
}

// TestEveryChangedByteIsFound flips a bit of each byte of a small file, and of
// some of a large one, and cuts it at every length.
func TestEveryChangedByteIsFound(t *testing.T) {
	id := testIdentity(t, 1)
	sealed, err := SealBytes([]byte("a small thing"), id.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what string, at int, p []byte) {
		t.Helper()
		if got, err := OpenBytes(p, 100, id); err != ErrSealed || got != nil {
			t.Errorf("%s at %d: %q, %v", what, at, got, err)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range sealed {
		p := bytes.Clone(sealed)
		p[i] ^= 1 << r.IntN(8)
		refused("bit", i, p)
		if i%10 == 0 {
			refused("cut", i, sealed[:i])
		}
	}
	for _, more := range []int{1, 16, 17, 100} {
		refused("more", len(sealed), append(bytes.Clone(sealed), make([]byte, more)...))
	}
}

// TestChangedSection reads everything of sections that were changed anywhere: an
// error, and never other bytes.
func TestChangedSection(t *testing.T) {
	id := testIdentity(t, 1)
	pieces := []piece{{textBytes(1, 150_000), KindData}, {randomBytes(1, 150_000), KindData}}
	var buf bytes.Buffer
	writeSection(t, &buf, 0, false, pieces, id.Recipient())
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 200 {
		p := bytes.Clone(buf.Bytes())
		switch r.IntN(3) {
		case 0:
			p[r.IntN(len(p))] ^= 1 << r.IntN(8)
		case 1:
			p = p[:r.IntN(len(p))]
		default: // two pieces of the cipher change places
			at := int(headerSize(1)) + nonceSize
			swap := bytes.Clone(p[at : at+sealedPiece])
			copy(p[at:], p[at+sealedPiece:at+2*sealedPiece])
			copy(p[at+sealedPiece:], swap)
		}
		if readAll(t, p, id, pieces) {
			t.Error("a changed section reads well")
		}
	}
	if !readAll(t, buf.Bytes(), id, pieces) {
		t.Error("the section itself does not read")
	}
}

// readAll reports whether a section opens and reads, and fails if it reads
// something else than the pieces.
func readAll(t *testing.T, sealed []byte, id Identity, pieces []piece) bool {
	t.Helper()
	s, err := OpenSection(bytes.NewReader(sealed), int64(len(sealed)), id)
	if err != nil {
		checkSealed(t, err)
		return false
	}
	rows, err := s.Directory()
	if err != nil {
		checkSealed(t, err)
		return false
	}
	for i, r := range rows {
		p, err := s.ReadChunk(nil, r)
		if err != nil {
			checkSealed(t, err)
			return false
		}
		if !bytes.Equal(p, pieces[i].plain) {
			t.Error("other bytes came out")
		}
	}
	return true
}

// checkSealed fails unless err is ErrSealed and says no more than where.
func checkSealed(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, ErrSealed) {
		t.Errorf("error %v", err)
	}
	for _, why := range []string{"MAC", "header", "decrypt", "authenticate", "identity", "nonce"} {
		if strings.Contains(err.Error(), why) {
			t.Errorf("%q says why", err)
		}
	}
}

// failing fails from some read on.
type failing struct {
	io.ReaderAt
	left int
	err  error
}

func (f *failing) ReadAt(p []byte, off int64) (int, error) {
	if f.left--; f.left < 0 {
		return 0, f.err
	}
	return f.ReaderAt.ReadAt(p, off)
}

// TestSourceErrors tells a source that fails from bytes that are wrong, wherever
// it fails.
func TestSourceErrors(t *testing.T) {
	id := testIdentity(t, 1)
	var buf bytes.Buffer
	rows, _ := writeSection(t, &buf, 0, false, []piece{{randomBytes(1, 300_000), KindData}, {textBytes(1, 300_000), KindData}}, id.Recipient())
	gone := errors.New("peer went away")
	for reads := 0; ; reads++ {
		src := &failing{bytes.NewReader(buf.Bytes()), reads, gone}
		err := func() error {
			s, err := OpenSection(src, int64(buf.Len()), id)
			if err != nil {
				return err
			}
			if _, err := s.Directory(); err != nil {
				return err
			}
			for _, r := range rows {
				if _, err := s.ReadChunk(nil, r); err != nil {
					return err
				}
			}
			return nil
		}()
		if err == nil {
			if reads < 5 {
				t.Errorf("%d reads were enough", reads)
			}
			return
		}
		if !errors.Is(err, gone) || errors.Is(err, ErrSealed) {
			t.Fatalf("after %d reads: %v", reads, err)
		}
	}
}

// foreign makes an age file for recipients of any kind.
func foreign(t *testing.T, plain []byte, to ...age.Recipient) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := age.Encrypt(&b, to...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// unlabelled hides that a recipient is post-quantum, so that age mixes it with
// others.
type unlabelled struct{ r age.Recipient }

func (u unlabelled) Wrap(key []byte) ([]*age.Stanza, error) { return u.r.Wrap(key) }

func TestForeignRecipients(t *testing.T) {
	id := testIdentity(t, 1)
	ours := id.p.age.Recipient()
	classic, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	var many []age.Recipient
	for i := range maxRecipients {
		many = append(many, testIdentity(t, byte(100+i)).p.age.Recipient())
	}
	plain := []byte("plain")
	for name, c := range map[string]struct {
		sealed []byte
		ok     bool
	}{
		"hybrid":             {foreign(t, plain, ours), true},
		"last of eight":      {foreign(t, plain, append(many[1:maxRecipients:maxRecipients], ours)...), true},
		"last of nine":       {foreign(t, plain, append(many[:maxRecipients:maxRecipients], ours)...), false},
		"hybrid and classic": {foreign(t, plain, unlabelled{ours}, unlabelled{classic.Recipient()}), false},
		"classic":            {foreign(t, plain, classic.Recipient()), false},
	} {
		got, err := OpenBytes(c.sealed, 100, id)
		if c.ok != (err == nil) || err != nil && err != ErrSealed || c.ok && !bytes.Equal(got, plain) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAbsurdSizes(t *testing.T) {
	id := testIdentity(t, 1)
	sealed, err := SealBytes([]byte("x"), id.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int64{-1, 0, 1, int64(len(sealed)) - 1, int64(len(sealed)) + 1, MaxSealed, MaxSealed + 1, 1<<63 - 1} {
		if _, err := OpenSection(bytes.NewReader(sealed), size, id); !errors.Is(err, ErrSealed) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	if _, err := SealBytes(nil, make([]Recipient, maxRecipients+1)...); err == nil {
		t.Error("nine recipients are accepted")
	}
}

// FuzzOpen has committed files as seeds: nothing else opens.
func FuzzOpen(f *testing.F) {
	v := readVector[keysVector](f, "keys.json")
	id := v.identity(f, 0)
	sealed, section := readFile(f, "blob.age"), readFile(f, "section.age")
	f.Add(sealed)
	f.Add(section)
	f.Add(sealed[:len(sealed)-1])
	f.Add([]byte{})
	f.Add([]byte("age-encryption.org/v1\n-> mlkem768x25519 AAAA\n\n--- AAAA\n"))
	f.Add(append([]byte("age-encryption.org/v1\n"), bytes.Repeat([]byte("-> mlkem768x25519 A\n\n"), 1000)...))
	f.Fuzz(func(t *testing.T, p []byte) {
		if _, err := OpenBytes(p, 1000, id); err == nil && !bytes.Equal(p, sealed) && !bytes.Equal(p, section) {
			t.Fatal("bytes open that nobody sealed")
		} else if err != nil && err != ErrSealed && !errors.Is(err, ErrTooLarge) {
			t.Fatalf("error %v", err)
		}
		s, err := OpenSection(bytes.NewReader(p), int64(len(p)), id)
		if err == nil {
			rows, err := s.Directory()
			if err == nil {
				checkRows(t, rows, s.Size())
			} else if !errors.Is(err, ErrMalformed) {
				t.Fatalf("error %v", err)
			}
		} else if !errors.Is(err, ErrSealed) {
			t.Fatalf("error %v", err)
		}
	})
}
