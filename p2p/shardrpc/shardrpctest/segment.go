package shardrpctest

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/p2p/shardrpc"
)

// Segment is a coded segment of random bytes.
type Segment struct {
	Descriptor []byte
	Parsed     erasure.Descriptor
	Rows       [][]byte
}

// NewSegment makes a segment of size bytes; equal seeds give equal segments.
func NewSegment(t testing.TB, code erasure.Code, size int, seed uint64) Segment {
	t.Helper()
	coder, err := erasure.NewCoder(code)
	if err != nil {
		t.Fatal(err)
	}
	sealed := make([]byte, size)
	random := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16)})
	_, _ = random.Read(sealed)
	sealed = code.Pad(sealed)
	parity := make([][]byte, code.N-code.K)
	for i := range parity {
		parity[i] = make([]byte, len(sealed)/code.K)
	}
	rows, err := coder.Encode(sealed, parity)
	if err != nil {
		t.Fatal(err)
	}
	d, err := coder.Describe(rows, int64(size))
	if err != nil {
		t.Fatal(err)
	}
	return Segment{Descriptor: d.Encode(), Parsed: d, Rows: rows}
}

// Name is the segment's CID.
func (s Segment) Name() ident.CID { return ident.SumDagCBOR(s.Descriptor) }

// Ref names shard i.
func (s Segment) Ref(i int) shardrpc.Ref { return shardrpc.Ref{Segment: s.Name(), Index: i} }

func (s Segment) row(i int) io.Reader { return bytes.NewReader(s.Rows[i]) }
