package disk

import (
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"os"
	"testing"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/store"

	"errors"

	"github.com/zeebo/blake3"
)

func mustEncode(v any) []byte { return wire.MustEncode(v) }

// vector is a shard file of docs/format.md, section 7. Byte i of the segment is
// i*i + 7*i + the size, modulo 256; the vault's ID is the dag-cbor CID of the text
// "vault".
type vector struct {
	Code     string `json:"code"`
	Size     int    `json:"size"`
	Index    int    `json:"index"`
	Head     string `json:"head"`     // everything before the payload
	Outboard string `json:"outboard"` // everything behind it
	Length   int    `json:"length"`
	File     string `json:"file"` // BLAKE3 of the whole file
	Path     string `json:"path"`
}

type vectors struct {
	Shards []vector `json:"shards"`
	Marker string   `json:"marker"`
}

const vectorFile = "testdata/files.json"

// makeVector puts a shard and takes its file apart.
func makeVector(t *testing.T, d *Disk, code erasure.Code, size, index int) vector {
	c, err := erasure.NewCoder(code)
	if err != nil {
		t.Fatal(err)
	}
	sealed := make([]byte, size)
	for i := range sealed {
		sealed[i] = byte(i*i + 7*i + size)
	}
	sealed = code.Pad(sealed)
	parity := make([][]byte, code.N-code.K)
	for i := range parity {
		parity[i] = make([]byte, len(sealed)/code.K)
	}
	rows, err := c.Encode(sealed, parity)
	if err != nil {
		t.Fatal(err)
	}
	desc, err := c.Describe(rows, int64(size))
	if err != nil {
		t.Fatal(err)
	}
	key := store.Key{Vault: ident.SumDagCBOR([]byte("vault")), Segment: desc.CID(), Index: index}
	if err := d.Put(t.Context(), key, desc.Encode(), newReader(rows[index])); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(d.at.shard(key))
	if err != nil {
		t.Fatal(err)
	}
	head := headerSize(len(desc.Encode()))
	sum := blake3.Sum256(file)
	return vector{
		Code: code.String(), Size: size, Index: index, Length: len(file),
		Head: hex.EncodeToString(file[:head]), Outboard: hex.EncodeToString(file[head+len(rows[index]):]),
		File: hex.EncodeToString(sum[:]), Path: d.at.shard(key)[len(d.at.dir)+1:],
	}
}

func makeVectors(t *testing.T) vectors {
	d := newDisk(t)
	m := testMarker(testID)
	m.V = markerVersion
	return vectors{
		Shards: []vector{
			makeVector(t, d, erasure.Code{K: 1, N: 2}, 1, 1),
			makeVector(t, d, erasure.Code{K: 2, N: 4}, 32768, 0),
			makeVector(t, d, erasure.Code{K: 4, N: 8}, 160_001, 3),
			makeVector(t, d, erasure.Code{K: 4, N: 8}, 400_000, 7),
		},
		Marker: hex.EncodeToString(mustEncode(m)),
	}
}

// Vectors are kept for ever. With HOLDFAST_WRITE_VECTORS set, a missing file is
// written; one that is there is never replaced.
func TestVectors(t *testing.T) {
	p, err := json.MarshalIndent(makeVectors(t), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	p = append(p, '\n')
	got, err := os.ReadFile(vectorFile)
	if errors.Is(err, fs.ErrNotExist) && os.Getenv("HOLDFAST_WRITE_VECTORS") != "" {
		if err := errors.Join(os.MkdirAll("testdata", 0o755), os.WriteFile(vectorFile, p, 0o644)); err != nil {
			t.Fatal(err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(p) {
		t.Errorf("%s says\n%s\nthis program makes\n%s", vectorFile, got, p)
	}
	checkVectorsRead(t, got)
}

func checkVectorsRead(t *testing.T, p []byte) {
	var all vectors
	if err := json.Unmarshal(p, &all); err != nil {
		t.Fatal(err)
	}
	for _, c := range all.Shards {
		head, err := hex.DecodeString(c.Head)
		if err != nil {
			t.Fatal(err)
		}
		h, err := parseHeader(head)
		if err != nil || h.key.Index != c.Index || h.fileSize() != int64(c.Length) || (layout{""}).shard(h.key) != c.Path {
			t.Errorf("vector %s: %+v, %v", c.Code, h, err)
		}
	}
	marker, err := hex.DecodeString(all.Marker)
	if err != nil {
		t.Fatal(err)
	}
	if m, err := ParseMarker(marker); err != nil || m.Volume != testID {
		t.Errorf("marker: %+v, %v", m, err)
	}
}
