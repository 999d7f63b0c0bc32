package bench

import (
	"bytes"
	"context"
	"io"

	"lukechampine.com/blake3/bao"

	"holdfast/chunker"
	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/seal"
	"holdfast/store"
)

const (
	chunkSize   = 640 << 10 // near the chunker's average
	segmentSize = 32 << 20
	pieceSize   = 256 << 10
)

// perChunk makes a doer that handles one chunk after another of data.
func perChunk(data []byte, size int, f func(chunk []byte)) doer {
	at := 0
	return func() (int64, error) {
		if at+size > len(data) {
			at = 0
		}
		f(data[at : at+size])
		at += size
		return int64(size), nil
	}
}

// memoryKernels are the ones that need nothing but memory.
func (b *bench) memoryKernels(context.Context, string) ([]kernel, error) {
	random, text := make([]byte, segmentSize), make([]byte, segmentSize/4)
	_, _ = source(b.Seed, "primitives").Read(random) // never fails
	a := newAuthor(b.Seed)
	for at := 0; at < len(text); at += meanFile {
		a.write(text[at:min(at+meanFile, len(text))])
	}
	var keys seal.Keys
	identity, err := seal.NewIdentity([32]byte{1})
	if err != nil {
		return nil, err
	}
	code := b.code
	return []kernel{
		{name: pCut, make: func(int) (doer, error) { return cutter(random), nil }},
		{name: pName, make: func(int) (doer, error) {
			return perChunk(random, chunkSize, func(p []byte) { keys.ID(seal.KindData, p) }), nil
		}},
		{name: pHash, make: func(int) (doer, error) {
			return perChunk(random, int(b.row()), func(p []byte) { ident.SumRaw(p) }), nil
		}},
		{name: pTry, make: func(int) (doer, error) {
			dst := make([]byte, 0, seal.MaxChunk)
			return perChunk(random, chunkSize, func(p []byte) { seal.Compress(dst, p) }), nil
		}},
		{name: pZstd, make: func(int) (doer, error) {
			dst := make([]byte, 0, seal.MaxChunk)
			return perChunk(text, meanFile, func(p []byte) { seal.Compress(dst, p) }), nil
		}},
		{name: pUnzstd, make: func(int) (doer, error) { return expander(text[:meanFile]), nil }},
		{name: pSeal, make: func(int) (doer, error) {
			buf := bytes.NewBuffer(make([]byte, 0, segmentSize))
			return func() (int64, error) { return sealSegment(buf, random, code.K, identity.Recipient()) }, nil
		}},
		{name: pOpen, make: func(int) (doer, error) { return opener(random, code.K, identity) }},
		{name: pCode, make: func(int) (doer, error) { return encoder(random, code) }},
		{name: pReceive, make: func(int) (doer, error) { return receiver(random[:b.row()]), nil }},
	}, nil
}

// row is the length of a row of a full segment.
func (b *bench) row() int64 { return b.code.RowSize(segmentSize) }

func cutter(data []byte) doer {
	c := chunker.New([32]byte{1})
	return func() (int64, error) {
		c.Reset(bytes.NewReader(data))
		for {
			if _, err := c.Next(); err == io.EOF {
				return int64(len(data)), nil
			} else if err != nil {
				return 0, err
			}
		}
	}
}

func expander(text []byte) doer {
	stored, coding := seal.Compress(nil, text)
	dst := make([]byte, 0, len(text))
	return func() (int64, error) {
		_, err := seal.Expand(dst, stored, coding, len(text))
		return int64(len(text)), err
	}
}

// sealSegment fills one data segment.
func sealSegment(buf *bytes.Buffer, data []byte, k int, to seal.Recipient) (int64, error) {
	buf.Reset()
	w, err := seal.NewSectionWriter(buf, seal.TargetSize(k), to)
	if err != nil {
		return 0, err
	}
	row := seal.Row{Plain: chunkSize}
	for at := 0; w.Fits(chunkSize); at = (at + chunkSize) % (len(data) - chunkSize) {
		if _, err := w.Add(row, data[at:at+chunkSize]); err != nil {
			return 0, err
		}
	}
	n := int64(len(w.Rows())) * chunkSize
	_, err = w.Close(true)
	return n, err
}

func opener(data []byte, k int, id seal.Identity) (doer, error) {
	buf := bytes.NewBuffer(make([]byte, 0, segmentSize))
	if _, err := sealSegment(buf, data, k, id.Recipient()); err != nil {
		return nil, err
	}
	section, err := seal.OpenSection(bytes.NewReader(buf.Bytes()), int64(buf.Len()), id)
	if err != nil {
		return nil, err
	}
	rows, err := section.Directory()
	dst := make([]byte, 0, chunkSize)
	return func() (int64, error) {
		for _, r := range rows {
			if _, err := section.ReadChunk(dst, r); err != nil {
				return 0, err
			}
		}
		return int64(len(rows)) * chunkSize, nil
	}, err
}

func encoder(data []byte, code erasure.Code) (doer, error) {
	c, err := erasure.NewCoder(code)
	if err != nil {
		return nil, err
	}
	sealed := data[:len(data)/code.K*code.K]
	parity := make([][]byte, code.N-code.K)
	for i := range parity {
		parity[i] = make([]byte, len(sealed)/code.K)
	}
	return func() (int64, error) {
		_, err := c.Encode(sealed, parity)
		return int64(len(sealed)), err
	}, nil
}

// receiver hashes a row as it comes, and makes its outboard.
func receiver(row []byte) doer {
	outboard := make(memory, store.OutboardSize(int64(len(row))))
	return func() (int64, error) {
		_, err := bao.Encode(outboard, bytes.NewReader(row), int64(len(row)), store.Group, true)
		return int64(len(row)), err
	}
}

// memory takes what is written out of order.
type memory []byte

func (m memory) WriteAt(p []byte, off int64) (int, error) {
	if off < 0 || off+int64(len(p)) > int64(len(m)) {
		return 0, io.ErrShortBuffer
	}
	return copy(m[off:], p), nil
}
