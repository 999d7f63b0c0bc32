package wire

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"holdfast/internal/ident"
)

// vectors is what testdata/vectors.json holds. The file was written once, with
// HOLDFAST_WRITE_VECTORS=1; it may grow, and nothing in it may change.
type vectors struct {
	Valid     []item `json:"valid"`
	Malformed []item `json:"malformed"`
	Frames    []struct {
		Payload string `json:"payload"`
		Frame   string `json:"frame"`
	} `json:"frames"`
	BadFrames []item `json:"bad_frames"`
	Signed    struct {
		Seed   string `json:"seed"`
		Label  string `json:"label"`
		Scope  string `json:"scope"`
		Object string `json:"object"`
		CID    string `json:"cid"`
		Bytes  string `json:"bytes"`
	} `json:"signed_object"`
}

// The seed of RFC 8032, section 7.1, test 1.
const vectorSeed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"

var badFrames = []item{
	{"0 in two bytes", "8000"},
	{"1 in two bytes", "810061"},
	{"six bytes of length", "8180808080" + "0161"},
	{"length cut short", "80"},
	{"payload cut short", "046162"},
}

func makeVectors(t *testing.T) vectors {
	v := vectors{Valid: validItems, Malformed: malformedItems, BadFrames: badFrames}
	for _, n := range []int{0, 1, 127, 128, 300} {
		p := bytes.Repeat([]byte{0x5a}, n)
		v.Frames = append(v.Frames, struct {
			Payload string `json:"payload"`
			Frame   string `json:"frame"`
		}{hex.EncodeToString(p), hex.EncodeToString(AppendFrame(nil, p))})
	}
	scope, object := ident.SumDagCBOR([]byte("a vault")), MustEncode(child{Name: []byte("a")})
	signed := ident.NewPrivateKey([ident.SeedSize]byte(unhex(t, vectorSeed))).Sign("test", scope, object)
	s := &v.Signed
	s.Seed, s.Label, s.Scope = vectorSeed, "test", scope.String()
	s.Object, s.CID = hex.EncodeToString(object), signed.CID().String()
	s.Bytes = hex.EncodeToString(MustEncode(signed))
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
	for _, c := range v.Valid {
		if err := Validate(unhex(t, c.Hex)); err != nil {
			t.Errorf("%s: %v", c.What, err)
		}
	}
	for _, c := range v.Malformed {
		if Validate(unhex(t, c.Hex)) == nil {
			t.Errorf("%s: accepted", c.What)
		}
	}
	for _, c := range v.Frames {
		p, err := ReadFrame(bufio.NewReader(bytes.NewReader(unhex(t, c.Frame))), 1<<10)
		if err != nil || hex.EncodeToString(p) != c.Payload {
			t.Errorf("%s: %x, %v", c.Frame, p, err)
		}
	}
	for _, c := range v.BadFrames {
		if _, err := ReadFrame(bufio.NewReader(bytes.NewReader(unhex(t, c.Hex))), 1<<10); err == nil {
			t.Errorf("%s: accepted", c.What)
		}
	}
	v.checkSigned(t)
}

func (v vectors) checkSigned(t *testing.T) {
	var s ident.Signed
	if err := Decode(unhex(t, v.Signed.Bytes), &s); err != nil {
		t.Fatal(err)
	}
	scope, err := ident.ParseCID(v.Signed.Scope)
	if err != nil {
		t.Fatal(err)
	}
	key := ident.NewPrivateKey([ident.SeedSize]byte(unhex(t, v.Signed.Seed))).Public()
	if err := s.Verify(key, ident.Label(v.Signed.Label), scope); err != nil {
		t.Error(err)
	}
	if s.CID().String() != v.Signed.CID || hex.EncodeToString(s.Object) != v.Signed.Object {
		t.Errorf("%v, %x", s.CID(), s.Object)
	}
}
