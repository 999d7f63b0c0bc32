package chunker_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/zeebo/blake3"

	"holdfast/chunker"
)

// vector is a key, a stream, and the sizes of the stream's chunks. The stream is
// the first Length bytes of BLAKE3's extended output for the ASCII text Stream.
type vector struct {
	Key    string `json:"key"`
	Stream string `json:"stream"`
	Length int    `json:"length"`
	Sizes  []int  `json:"sizes"`
}

const vectorFile = "testdata/cuts.json"

func (v vector) cut(t *testing.T) []int {
	t.Helper()
	key, err := hex.DecodeString(v.Key)
	if err != nil {
		t.Fatal(err)
	}
	h := blake3.New()
	h.WriteString(v.Stream)
	stream := make([]byte, v.Length)
	if _, err := h.Digest().Read(stream); err != nil {
		t.Fatal(err)
	}
	return sizes(cut(t, chunker.New([32]byte(key)), bytes.NewReader(stream)))
}

// TestVectors holds the cuts still: a program that cuts otherwise reads old
// backups as well, but stores everything once more.
func TestVectors(t *testing.T) {
	if os.Getenv("HOLDFAST_WRITE_VECTORS") != "" {
		writeVectors(t)
	}
	p, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	var vs []vector
	if err := json.Unmarshal(p, &vs); err != nil {
		t.Fatal(err)
	}
	if len(vs) == 0 {
		t.Fatal("no vectors")
	}
	for _, v := range vs {
		if got := v.cut(t); fmt.Sprint(got) != fmt.Sprint(v.Sizes) {
			t.Errorf("key %s..., stream %q: cut into %v, want %v", v.Key[:8], v.Stream, got, v.Sizes)
		}
	}
}

// writeVectors makes the file where there is none. It never changes one.
func writeVectors(t *testing.T) {
	key := blake3.Sum256([]byte("holdfast chunker vector key"))
	vs := []vector{
		{Key: hex.EncodeToString(key[:]), Stream: "holdfast chunker vector 1", Length: 12 << 20},
		{Key: hex.EncodeToString(make([]byte, 32)), Stream: "holdfast chunker vector 2", Length: 12 << 20},
		{Key: hex.EncodeToString(key[:]), Stream: "holdfast chunker vector 3", Length: chunker.MinSize - 1},
		{Key: hex.EncodeToString(key[:]), Stream: "holdfast chunker vector 4", Length: chunker.NormalSize},
	}
	for i := range vs {
		vs[i].Sizes = vs[i].cut(t)
	}
	p, err := json.MarshalIndent(vs, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(vectorFile, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(append(p, '\n')); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
