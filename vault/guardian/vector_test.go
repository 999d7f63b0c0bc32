package guardian

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"holdfast/ledger"
	"holdfast/seal"
)

// vector is a file in testdata: a whole circle of guardians. It is kept for ever; a
// reader that changes still opens it. Sealing is random, so that what is in it can
// be opened again and not made again.
type vector struct {
	Entropy   string           `json:"entropy"`
	Salt      string           `json:"salt"`
	Owner     string           `json:"owner"`
	Threshold int64            `json:"threshold"`
	Secret    string           `json:"secret"`
	Guardians []vectorGuardian `json:"guardians"`
}

type vectorGuardian struct {
	KeyFile    string `json:"key_file"`
	PublicFile string `json:"public_file"`
	Envelope   string `json:"envelope"`
	Plain      string `json:"plain"` // what is in the envelope
	Share      string `json:"share"` // the scalar
	Hash       string `json:"hash"`
	Code       string `json:"code"`
	ShareFile  string `json:"share_file"`
}

// newVector is what a vector is written from.
func newVector(t *testing.T) vector {
	c := newCircle(t, "vector", 2, 3)
	v := vector{
		Entropy: hex.EncodeToString(c.entropy[:]), Salt: hex.EncodeToString(c.charter.Salt[:]), Owner: hex.EncodeToString(c.charter.Owner.Bytes()),
		Threshold: c.charter.Threshold, Secret: hex.EncodeToString(c.charter.Secret),
	}
	for i, s := range c.shares(t) {
		g := c.charter.Guardians[i]
		public := must(c.keys[i].publicText())
		plain := must(seal.OpenBytes(g.Envelope, envelopeLimit, c.keys[i].Identity))
		v.Guardians = append(v.Guardians, vectorGuardian{
			KeyFile: c.keys[i].text(), PublicFile: public, Envelope: hex.EncodeToString(g.Envelope), Plain: hex.EncodeToString(plain),
			Share: hex.EncodeToString(s.value[:]), Hash: hex.EncodeToString(g.Share[:]), Code: s.Code(), ShareFile: shareFileOf(s).Text(),
		})
	}
	return v
}

// charter is what the vector says that a charter holds.
func (v vector) charter(t *testing.T) ledger.Charter {
	e := seal.Entropy(unhex(t, v.Entropy))
	c := ledger.Charter{Owner: e.OwnerKey().Public(), Salt: [32]byte(unhex(t, v.Salt)), Threshold: v.Threshold, Secret: unhex(t, v.Secret)}
	if hex.EncodeToString(c.Owner.Bytes()) != v.Owner {
		t.Fatal("the owner's key is not the entropy's")
	}
	for _, g := range v.Guardians {
		p, err := ParsePublic([]byte(g.PublicFile))
		if err != nil {
			t.Fatal(err)
		}
		c.Guardians = append(c.Guardians, ledger.Guardian{Name: p.Name, Key: p.Key, Envelope: unhex(t, g.Envelope), Share: [32]byte(unhex(t, g.Hash))})
	}
	return c
}

func readVector(t *testing.T) vector {
	t.Helper()
	path := filepath.Join("testdata", "circle.json")
	p, err := os.ReadFile(path)
	if os.IsNotExist(err) && os.Getenv("HOLDFAST_WRITE_VECTORS") != "" {
		p = append(must(json.MarshalIndent(newVector(t), "", "  ")), '\n')
		err = os.WriteFile(path, p, 0o644)
	}
	var v vector
	if err == nil {
		err = json.Unmarshal(p, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// The bytes of docs/format.md, section 8: what was written once is read today, and
// what is not random is written today as it was.
func TestVector(t *testing.T) {
	v := readVector(t)
	c := v.charter(t)
	var shares []Share
	for i, g := range v.Guardians {
		k, err := ParseKey([]byte(g.KeyFile))
		if err != nil {
			t.Fatal(err)
		}
		if k.text() != g.KeyFile || must(k.publicText()) != g.PublicFile {
			t.Errorf("guardian %d: the files are written differently now", i+1)
		}
		s, err := k.Open(c)
		if err != nil {
			t.Fatal(err)
		}
		if hex.EncodeToString(s.value[:]) != g.Share || s.Code() != g.Code || shareFileOf(s).Text() != g.ShareFile {
			t.Errorf("guardian %d: the share is written differently now", i+1)
		}
		if f, err := ParseShareFile([]byte(g.ShareFile)); err != nil || f.Share != s {
			t.Errorf("guardian %d: %v", i+1, err)
		}
		if plain := must(seal.OpenBytes(unhex(t, g.Envelope), envelopeLimit, k.Identity)); hex.EncodeToString(plain) != g.Plain {
			t.Errorf("guardian %d: the envelope holds something else", i+1)
		}
		shares = append(shares, s)
	}
	for _, two := range [][]Share{shares[:2], shares[1:], {shares[2], shares[0]}} {
		if e, err := Combine(c, two); err != nil || hex.EncodeToString(e[:]) != v.Entropy {
			t.Errorf("two shares of the vector: %v", err)
		}
	}
}

// A second opinion: shares are points of a line over the integers modulo the order
// of ristretto255 (RFC 9496), read as little-endian numbers, and its value at 0 is
// the seed of the identity that opens the secret. A stranger needs nothing else.
func TestVectorByHand(t *testing.T) {
	v := readVector(t)
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	y := func(i int) *big.Int { return little(unhex(t, v.Guardians[i].Share)) }
	// Of the points (1, y1) and (3, y3): y(0) = (3 y1 - y3) / 2.
	at0 := new(big.Int).Mul(big.NewInt(3), y(0))
	at0.Sub(at0, y(2))
	at0.Mul(at0, new(big.Int).ModInverse(big.NewInt(2), order)).Mod(at0, order)
	var seed [32]byte
	at0.FillBytes(seed[:])
	slices.Reverse(seed[:])
	p, err := seal.OpenBytes(unhex(t, v.Secret), 32, must(seal.NewIdentity(seed)))
	if err != nil || !bytes.Equal(p, unhex(t, v.Entropy)) {
		t.Error(err)
	}
}

func little(p []byte) *big.Int {
	p = slices.Clone(p)
	slices.Reverse(p)
	return new(big.Int).SetBytes(p)
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	p, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
