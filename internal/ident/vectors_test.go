package ident

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// vectors is what testdata/vectors.json holds. The file was written once, with
// HOLDFAST_WRITE_VECTORS=1; it may grow, and nothing in it may change.
type vectors struct {
	CIDs       []cidVector       `json:"cids"`
	Keys       []keyVector       `json:"keys"`
	Signatures []signatureVector `json:"signatures"`
}

type cidVector struct {
	Codec string `json:"codec"`
	Of    string `json:"of"`
	CID   string `json:"cid"`
	Text  string `json:"text"`
	Link  string `json:"link"`
}

type keyVector struct {
	Seed   string `json:"seed"`
	Public string `json:"public"`
	Text   string `json:"text"`
	ID     string `json:"id"`
}

type signatureVector struct {
	Seed      string `json:"seed"`
	Label     string `json:"label"`
	Scope     string `json:"scope"`
	Object    string `json:"object"`
	Message   string `json:"message"`
	Signature string `json:"signature"`
	Text      string `json:"text"`
}

// Seeds of RFC 8032, section 7.1, tests 1 to 3.
var rfc8032 = []struct{ seed, public string }{
	{"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"},
	{"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"},
	{"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7", "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025"},
}

func keyOf(t *testing.T, seed string) PrivateKey {
	return NewPrivateKey([SeedSize]byte(unhex(t, seed)))
}

func makeVectors(t *testing.T) vectors {
	var v vectors
	for _, of := range [][]byte{nil, []byte("a"), bytes.Repeat([]byte{0x5a}, 5000)} {
		for name, c := range []CID{SumRaw(of), SumDagCBOR(of)} {
			link, err := c.MarshalCBOR()
			if err != nil {
				t.Fatal(err)
			}
			v.CIDs = append(v.CIDs, cidVector{[]string{"raw", "dag-cbor"}[name], hex.EncodeToString(of),
				hex.EncodeToString(c.Bytes()), c.String(), hex.EncodeToString(link)})
		}
	}
	for _, c := range rfc8032 {
		k := keyOf(t, c.seed).Public()
		id := k.ID()
		v.Keys = append(v.Keys, keyVector{c.seed, hex.EncodeToString(k.Bytes()), k.String(), hex.EncodeToString(id[:])})
	}
	for i, scope := range []CID{{}, SumDagCBOR([]byte("a vault"))} {
		seed, label, object := rfc8032[i].seed, Label("test"), []byte{0xa0}
		text := ""
		if scope.Defined() {
			text = scope.String()
		}
		s := keyOf(t, seed).Sign(label, scope, object)
		v.Signatures = append(v.Signatures, signatureVector{seed, string(label), text, hex.EncodeToString(object),
			hex.EncodeToString(message(label, scope, s.CID())), hex.EncodeToString(s.Signature.Bytes()), s.Signature.String()})
	}
	return v
}

func TestVectors(t *testing.T) {
	file := filepath.Join("testdata", "vectors.json")
	made, err := json.MarshalIndent(makeVectors(t), "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	made = append(made, '\n')
	if os.Getenv("HOLDFAST_WRITE_VECTORS") != "" {
		if err := os.WriteFile(file, made, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(kept, made) {
		t.Errorf("%s is not what the code makes", file)
	}
	var v vectors
	if err := json.Unmarshal(kept, &v); err != nil {
		t.Fatal(err)
	}
	v.check(t)
}

// check reads the vectors as a foreign implementation would.
func (v vectors) check(t *testing.T) {
	for _, c := range v.CIDs {
		parsed, err := ParseCID(c.Text)
		if err != nil || !bytes.Equal(parsed.Bytes(), unhex(t, c.CID)) {
			t.Errorf("%s: %v, %v", c.Text, parsed, err)
		}
	}
	for _, c := range v.Keys {
		parsed, err := ParsePublicKey(c.Text)
		if err != nil || parsed != keyOf(t, c.Seed).Public() {
			t.Errorf("%s: %v, %v", c.Text, parsed, err)
		}
	}
	for _, c := range v.Signatures {
		signature, err := SignatureFromBytes(unhex(t, c.Signature))
		if err != nil {
			t.Fatal(err)
		}
		var scope CID
		if c.Scope != "" {
			if scope, err = ParseCID(c.Scope); err != nil {
				t.Fatal(err)
			}
		}
		s := Signed{unhex(t, c.Object), signature}
		if err := s.Verify(keyOf(t, c.Seed).Public(), Label(c.Label), scope); err != nil {
			t.Error(err)
		}
	}
}

// What others have published: RFC 8032, and BLAKE3 of nothing.
func TestPublishedVectors(t *testing.T) {
	for _, c := range rfc8032 {
		if k := keyOf(t, c.seed).Public(); !bytes.Equal(k[:], unhex(t, c.public)) {
			t.Errorf("%s: %x", c.seed, k)
		}
	}
	if got, want := SumRaw(nil).Hex(), "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"; got != want {
		t.Errorf("BLAKE3 of nothing: %s", got)
	}
}
