package seal

import (
	"fmt"
	"sync"

	"github.com/zeebo/blake3"
)

// Keys is what a device that adds data has to know: the names of chunks and the
// places of cuts follow from it, and nothing can be opened with it. It is a secret
// all the same.
type Keys struct {
	DedupData [32]byte `cbor:"data"`
	DedupTree [32]byte `cbor:"tree"`
	Chunker   [32]byte `cbor:"cut"`
}

// ID names a chunk of that kind.
func (k Keys) ID(kind Kind, plain []byte) ChunkID {
	h := k.hasher(kind)
	h.Reset()
	h.Write(plain)
	var id ChunkID
	h.Sum(id[:0])
	hashers[kind&1].Put(h)
	return id
}

// Check reports whether plain is the chunk of that name. The error is ErrChunk.
func (k Keys) Check(kind Kind, id ChunkID, plain []byte) error {
	if kind > KindTree || k.ID(kind, plain) != id {
		return fmt.Errorf("check chunk %v: %w", id, ErrChunk)
	}
	return nil
}

// keyedHasher remembers its key, so that it can be used again under that key.
type keyedHasher struct {
	*blake3.Hasher
	key [32]byte
}

// hashers keeps hashers for each kind: they are 10 KB each, and small chunks are
// many. A program works with one vault, so the key at hand is nearly always right.
var hashers [2]sync.Pool

func (k Keys) hasher(kind Kind) *keyedHasher {
	key := k.DedupData
	if kind == KindTree {
		key = k.DedupTree
	}
	if h, ok := hashers[kind&1].Get().(*keyedHasher); ok && h.key == key {
		return h
	}
	h, err := blake3.NewKeyed(key[:])
	if err != nil {
		panic("seal: BLAKE3: " + err.Error()) // only another length of key is refused
	}
	return &keyedHasher{h, key}
}
