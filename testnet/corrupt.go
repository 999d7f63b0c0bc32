package testnet

import (
	"errors"
	"hash/fnv"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// corruptShards flips one bit in the second half of every shard file, where payload
// and outboard are, and returns how many files there were. The same seed flips the
// same bits.
func corruptShards(dir, seed string) (int, error) {
	h := fnv.New64a()
	h.Write([]byte(seed))
	random := rand.New(rand.NewPCG(1, h.Sum64()))
	count := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		count++
		return flipBit(path, random)
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return count, err
}

func flipBit(path string, random *rand.Rand) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	at := info.Size()/2 + random.Int64N(info.Size()-info.Size()/2)
	var b [1]byte
	if _, err := f.ReadAt(b[:], at); err != nil {
		return err
	}
	b[0] ^= 1 << random.IntN(8)
	_, err = f.WriteAt(b[:], at)
	return err
}
