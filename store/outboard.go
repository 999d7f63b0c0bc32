package store

import (
	"encoding/binary"

	"lukechampine.com/blake3/guts"
)

// OutboardSize is the length of the Bao outboard of a payload.
func OutboardSize(size int64) int64 { return prefixSize + nodeSize*(Groups(size)-1) }

// MakeOutboard writes the Bao outboard of a payload of size bytes, at least one, into
// dst, which is OutboardSize long, and returns the payload's BLAKE3 hash. It is what
// bao.Encode makes, without a copy: next returns one group after another, n bytes of
// it, valid until the next call; what follows them in its memory does not matter. An
// error of next ends it.
func MakeOutboard(dst []byte, size int64, next func(n int) (*[GroupSize]byte, error)) (hash [32]byte, err error) {
	binary.LittleEndian.PutUint64(dst, uint64(size))
	m := outboardMaker{nodes: dst[prefixSize:], next: next}
	cv, err := m.subtree(0, size, guts.FlagRoot)
	putWords(hash[:], cv)
	return hash, err
}

// outboardMaker goes down the hash tree, left to right: inner nodes are in pre-order.
type outboardMaker struct {
	nodes []byte // not yet filled
	next  func(n int) (*[GroupSize]byte, error)
}

// subtree returns the hash of the n bytes at pos.
func (m *outboardMaker) subtree(pos, n int64, flags uint32) (cv [8]uint32, err error) {
	if n <= GroupSize {
		p, err := m.next(int(n))
		if err != nil {
			return cv, err
		}
		return groupHash(p, pos, n, flags), nil
	}
	node := m.nodes[:nodeSize]
	m.nodes = m.nodes[nodeSize:]
	half := leftSize(n)
	left, err := m.subtree(pos, half, 0)
	if err != nil {
		return cv, err
	}
	right, err := m.subtree(pos+half, n-half, 0)
	if err != nil {
		return cv, err
	}
	putWords(node, left)
	putWords(node[32:], right)
	return guts.ChainingValue(guts.ParentNode(left, right, &guts.IV, flags)), nil
}

// groupHash is the chaining value of the n bytes at pos, at most a group.
func groupHash(p *[GroupSize]byte, pos, n int64, flags uint32) [8]uint32 {
	node := guts.CompressBuffer(p, int(n), &guts.IV, uint64(pos/guts.ChunkSize), 0)
	node.Flags |= flags
	return guts.ChainingValue(node)
}

func putWords(b []byte, cv [8]uint32) {
	for i, w := range cv {
		binary.LittleEndian.PutUint32(b[4*i:], w)
	}
}
