package bench

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"

	"github.com/zeebo/blake3"

	"holdfast/internal/ident"
)

const blockSize = 1 << 20

// source draws bytes and numbers that are the same for the same seed and purpose.
func source(seed uint64, purpose string) *rand.ChaCha8 {
	key := blake3.Sum256(binary.LittleEndian.AppendUint64([]byte(purpose), seed))
	return rand.NewChaCha8(key)
}

// file is the large source: incompressible, and known by the CID of its bytes.
type file struct {
	path string
	size int64
	cid  ident.CID
}

// writeRandom makes the large source. It is left in the page cache.
func writeRandom(path string, size int64, seed uint64) (file, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return file{}, fmt.Errorf("make source: %w", err)
	}
	random, block, hash := source(seed, "file"), make([]byte, blockSize), blake3.New()
	for left := size; left > 0 && err == nil; left -= int64(len(block)) {
		block = block[:min(left, blockSize)]
		_, _ = random.Read(block) // never fails
		hash.Write(block)
		_, err = f.Write(block)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return file{}, fmt.Errorf("make source: %w", err)
	}
	return file{path, size, cidOf(hash)}, nil
}

func cidOf(h *blake3.Hasher) ident.CID {
	var sum [ident.HashSize]byte
	h.Sum(sum[:0])
	return ident.NewCID(ident.Raw, sum)
}

// overwrite replaces one percent of the file by other bytes, in pieces of 1 MiB at
// random places, and returns the file as it is then.
func (f file) overwrite(seed uint64) (file, error) {
	w, err := os.OpenFile(f.path, os.O_WRONLY, 0)
	if err != nil {
		return f, fmt.Errorf("change source: %w", err)
	}
	random := source(seed, "overwrite")
	at, piece := rand.New(random), make([]byte, min(blockSize, max(1, f.size/100)))
	for done := int64(0); done < f.size/100 && err == nil; done += int64(len(piece)) {
		_, _ = random.Read(piece)
		_, err = w.WriteAt(piece, at.Int64N(f.size-int64(len(piece))+1))
	}
	if err := errors.Join(err, w.Close()); err != nil {
		return f, fmt.Errorf("change source: %w", err)
	}
	f.cid, err = hashFile(f.path)
	return f, err
}

// hashFile names what is in a file.
func hashFile(path string) (ident.CID, error) {
	r, err := os.Open(path)
	if err != nil {
		return ident.CID{}, fmt.Errorf("hash %s: %w", path, err)
	}
	defer r.Close()
	hash := blake3.New()
	if _, err := io.CopyBuffer(struct{ io.Writer }{hash}, struct{ io.Reader }{r}, make([]byte, blockSize)); err != nil {
		return ident.CID{}, fmt.Errorf("hash %s: %w", path, err)
	}
	return cidOf(hash), nil
}
