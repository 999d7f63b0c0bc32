package erasure

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// vector is one committed example of docs/format.md, section 7. Byte i of the
// segment is i*i + 7*i + the size, modulo 256.
type vector struct {
	Code       string   `json:"code"`
	Size       int      `json:"size"`
	Matrix     []string `json:"parity_matrix"`
	Parity     []string `json:"parity_rows"`
	Descriptor string   `json:"descriptor"`
	Segment    string   `json:"segment"`
}

const vectorFile = "testdata/descriptors.json"

func vectorSegment(size int) []byte {
	p := make([]byte, size)
	for i := range p {
		p[i] = byte(i*i + 7*i + size)
	}
	return p
}

func makeVector(t *testing.T, code Code, size int) vector {
	c, err := NewCoder(code)
	if err != nil {
		t.Fatal(err)
	}
	sealed := code.Pad(vectorSegment(size))
	rows, err := c.Encode(sealed, buffers(code.N-code.K, len(sealed)/code.K))
	if err != nil {
		t.Fatal(err)
	}
	d, err := c.Describe(rows, int64(size))
	if err != nil {
		t.Fatal(err)
	}
	return vector{
		Code: code.String(), Size: size,
		Matrix: hexRows(unitParity(t, code)), Parity: hexRows(rows[code.K:]),
		Descriptor: hex.EncodeToString(d.Encode()), Segment: d.CID().String(),
	}
}

func hexRows(rows [][]byte) []string {
	s := make([]string, len(rows))
	for i, r := range rows {
		s[i] = hex.EncodeToString(r)
	}
	return s
}

func makeVectors(t *testing.T) []vector {
	return []vector{
		makeVector(t, Code{1, 2}, 40),
		makeVector(t, Code{2, 5}, 41),
		makeVector(t, Code{4, 8}, 123),
		makeVector(t, Code{4, 8}, 5),
		makeVector(t, Code{8, 20}, 200),
	}
}

// Vectors are kept for ever. With HOLDFAST_WRITE_VECTORS set, a missing file is
// written; one that is there is never replaced.
func TestVectors(t *testing.T) {
	want := makeVectors(t)
	p, err := os.ReadFile(vectorFile)
	if os.IsNotExist(err) && os.Getenv("HOLDFAST_WRITE_VECTORS") != "" {
		writeVectors(t, want)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	var got []vector
	if err := json.Unmarshal(p, &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s says\n%+v\nthis program makes\n%+v", vectorFile, got, want)
	}
	for _, v := range got {
		checkVectorReads(t, v)
	}
}

func checkVectorReads(t *testing.T, v vector) {
	p, err := hex.DecodeString(v.Descriptor)
	if err != nil {
		t.Fatal(err)
	}
	d, err := ParseDescriptor(p)
	if err != nil {
		t.Fatal(err)
	}
	if d.CID().String() != v.Segment || d.Code().String() != v.Code || d.Size != uint64(v.Size) {
		t.Errorf("vector %s reads as %+v", v.Code, d)
	}
}

func writeVectors(t *testing.T, v []vector) {
	p, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(vectorFile), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(vectorFile, append(p, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}
