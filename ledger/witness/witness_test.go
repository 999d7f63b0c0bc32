package witness_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"holdfast/internal/ident"
	"holdfast/ledger/ledgertest"
	"holdfast/ledger/witness"
)

var (
	vault  = ident.SumDagCBOR([]byte("vault"))
	device = ledgertest.Key("witness device")
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func entries(n int) []ident.CID {
	out := make([]ident.CID, n)
	for i := range out {
		out[i] = ident.SumDagCBOR(fmt.Appendf(nil, "entry %d", i+1))
	}
	return out
}

func newLog(n int) *witness.Log { return must(witness.NewLog(vault, device.Public(), entries(n))) }

// Law: in a tree of any size every entry is proved, at its own height and no other,
// and no other entry is.
func TestEveryEntryIsProved(t *testing.T) {
	for _, n := range []int{1, 2, 3, 7, 8, 9, 64, 100} {
		l := newLog(n)
		checkpoint := must(l.Checkpoint(device))
		for i, e := range entries(n) {
			height := int64(i + 1)
			text := must(l.Prove(height, checkpoint)).Text()
			p, err := witness.ParseProof(text)
			if err != nil {
				t.Fatal(err)
			}
			c, err := p.Verify(vault, device.Public(), height, e)
			if err != nil || c.Size != int64(n) || len(c.Cosigners) != 0 {
				t.Fatalf("entry %d of %d: %+v, %v", height, n, c, err)
			}
			for what, err := range map[string]error{
				"another height": second(p.Verify(vault, device.Public(), height+1, e)),
				"another entry":  second(p.Verify(vault, device.Public(), height, ident.SumDagCBOR([]byte("another")))),
				"another vault":  second(p.Verify(ident.SumDagCBOR([]byte("x")), device.Public(), height, e)),
				"another lane":   second(p.Verify(vault, ledgertest.Key("x").Public(), height, e)),
			} {
				if !errors.Is(err, witness.ErrProof) {
					t.Fatalf("entry %d of %d, %s: %v", height, n, what, err)
				}
			}
		}
		if _, err := l.Prove(int64(n)+1, checkpoint); !errors.Is(err, witness.ErrProof) {
			t.Errorf("an entry above the head: %v", err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// A checkpoint is signed by the lane's own device alone.
func TestOnlyTheDeviceSigns(t *testing.T) {
	if _, err := newLog(3).Checkpoint(ledgertest.Key("another")); !errors.Is(err, witness.ErrCheckpoint) {
		t.Errorf("another key: %v", err)
	}
	text := string(must(newLog(3).Checkpoint(device)))
	for name, bad := range map[string]string{
		"size":             strings.Replace(text, "\n3\n", "\n4\n", 1),
		"no signature":     text[:strings.Index(text, "—")],
		"nothing":          "",
		"another origin":   strings.Replace(text, "holdfast/", "holdfist/", 1),
		"a zero in front":  strings.Replace(text, "\n3\n", "\n03\n", 1),
		"cut off":          text[:len(text)-5],
		"longer than that": text + strings.Repeat("— x AAAAAAAA\n", 10_000),
	} {
		if _, err := witness.OpenCheckpoint([]byte(bad), vault, device.Public()); !errors.Is(err, witness.ErrCheckpoint) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// cosigner signs notes as a witness does.
type cosigner struct {
	note.Verifier
	key ed25519.PrivateKey
}

func (c cosigner) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(c.key, msg), nil }

// A note that a witness has cosigned is still the lane's, and the library of the Go
// checksum database reads it with the key that witnesses are told.
func TestCosigned(t *testing.T) {
	text := must(newLog(5).Checkpoint(device))
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	other := must(note.NewVerifier(must(note.NewEd25519VerifierKey("witness.example", key.Public().(ed25519.PublicKey)))))
	log := must(note.NewVerifier(must(witness.Key(vault, device.Public()))))
	n := must(note.Open(text, note.VerifierList(log)))
	cosigned := must(note.Sign(n, cosigner{other, key}))
	if n = must(note.Open(cosigned, note.VerifierList(log, other))); len(n.Sigs) != 2 {
		t.Errorf("%d signatures", len(n.Sigs))
	}
	c, err := witness.OpenCheckpoint(cosigned, vault, device.Public())
	if err != nil || c.Size != 5 || len(c.Cosigners) != 1 || c.Cosigners[0] != "witness.example" {
		t.Errorf("%+v, %v", c, err)
	}
}

// What a witness is sent proves that the lane has only grown.
func TestSince(t *testing.T) {
	l := newLog(9)
	checkpoint := must(l.Checkpoint(device))
	head := must(witness.OpenCheckpoint(checkpoint, vault, device.Public()))
	for old := int64(0); old <= 9; old++ {
		text := must(l.Since(old, checkpoint))
		proof, rest, _ := bytes.Cut(text, []byte("\n\n"))
		lines := strings.Split(string(proof), "\n")
		if lines[0] != fmt.Sprintf("old %d", old) || !bytes.Equal(rest, checkpoint) {
			t.Fatalf("%s", text)
		}
		if old == 0 || old == 9 {
			if len(lines) != 1 {
				t.Errorf("a proof from %d to 9: %q", old, lines)
			}
			continue
		}
		var path tlog.TreeProof
		for _, line := range lines[1:] {
			path = append(path, must(tlog.ParseHash(line)))
		}
		before := must(witness.OpenCheckpoint(must(newLog(int(old)).Checkpoint(device)), vault, device.Public()))
		if err := tlog.CheckTree(path, 9, head.Root, old, before.Root); err != nil {
			t.Errorf("from %d: %v", old, err)
		}
	}
	if _, err := l.Since(10, checkpoint); !errors.Is(err, witness.ErrProof) {
		t.Errorf("from a larger tree: %v", err)
	}
}

// vectorFile holds the text of docs/format.md, section 9, for ever.
var vectorFile = filepath.Join("testdata", "entry-3-of-5.tlog-proof")

func TestVector(t *testing.T) {
	l := newLog(5)
	now := must(l.Prove(3, must(l.Checkpoint(device)))).Text()
	was, err := os.ReadFile(vectorFile)
	if os.IsNotExist(err) && os.Getenv("HOLDFAST_WRITE_VECTORS") != "" {
		was = now
		if err = os.MkdirAll("testdata", 0o755); err == nil {
			err = os.WriteFile(vectorFile, now, 0o644)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(was, now) {
		t.Errorf("built differently now:\n%s", now)
	}
	if _, err := must(witness.ParseProof(was)).Verify(vault, device.Public(), 3, entries(5)[2]); err != nil {
		t.Errorf("no longer accepted: %v", err)
	}
	extra := bytes.Replace(was, []byte("index 2\n"), []byte("extra AAAA\nindex 2\n"), 1)
	if _, err := must(witness.ParseProof(extra)).Verify(vault, device.Public(), 3, entries(5)[2]); err != nil {
		t.Errorf("with extra data: %v", err)
	}
}

func FuzzProof(f *testing.F) {
	l := newLog(5)
	f.Add(must(l.Prove(3, must(l.Checkpoint(device)))).Text())
	f.Add([]byte("c2sp.org/tlog-proof@v1\nindex 0\n\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := witness.ParseProof(text)
		if err != nil {
			return
		}
		if _, err := p.Verify(vault, device.Public(), 3, ident.SumDagCBOR([]byte("another"))); err == nil {
			t.Fatal("an entry that is not there is proved")
		}
	})
}
