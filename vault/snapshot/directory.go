package snapshot

import (
	"bytes"
	"fmt"

	"holdfast/internal/wire"
	"holdfast/seal"
)

// MaxTree is the largest tree object.
const MaxTree = 4 << 20

const (
	treeVersion = 1
	maxNodes    = 4096 // nodes in one tree object
	maxParts    = (MaxTree - 64) / 34
)

// TreeKind says which of the three tree objects an object is.
type TreeKind int

// The kinds of tree objects.
const (
	Nodes     TreeKind = iota + 1 // a directory, or a part of one
	Parts                         // a directory in parts
	ChunkList                     // content rows of a large file
)

// Tree is a tree object, checked. Only the field of its kind is set.
type Tree struct {
	Kind   TreeKind
	Nodes  []Node
	Parts  []seal.ChunkID
	Chunks []byte
}

// treeObject is what any tree object may hold; exactly one of the three is there.
type treeObject struct {
	V      uint64          `cbor:"v"`
	Nodes  *[]Node         `cbor:"nodes,omitempty"`
	Parts  *[]seal.ChunkID `cbor:"parts,omitempty"`
	Chunks *[]byte         `cbor:"chunks,omitempty"`
}

// ParseTree reads a tree object and checks everything that can be checked
// without another one. The errors are ErrTree or of internal/wire.
func ParseTree(p []byte) (Tree, error) {
	t, err := parseTree(p)
	if err != nil {
		return Tree{}, fmt.Errorf("parse tree object: %w", err)
	}
	return t, nil
}

func parseTree(p []byte) (Tree, error) {
	if len(p) > MaxTree {
		return Tree{}, fmt.Errorf("%w: %d bytes", ErrTree, len(p))
	}
	var o treeObject
	if err := wire.DecodeVersion(p, treeVersion, &o); err != nil {
		return Tree{}, err
	}
	switch {
	case o.Nodes != nil && o.Parts == nil && o.Chunks == nil:
		return Tree{Kind: Nodes, Nodes: *o.Nodes}, checkNodes(*o.Nodes)
	case o.Parts != nil && o.Nodes == nil && o.Chunks == nil:
		if len(*o.Parts) == 0 {
			return Tree{}, fmt.Errorf("%w: no parts", ErrTree)
		}
		return Tree{Kind: Parts, Parts: *o.Parts}, nil
	case o.Chunks != nil && o.Nodes == nil && o.Parts == nil:
		_, err := sumRows(*o.Chunks)
		if err == nil && len(*o.Chunks) == 0 {
			err = fmt.Errorf("%w: empty chunk list", ErrTree)
		}
		return Tree{Kind: ChunkList, Chunks: *o.Chunks}, err
	}
	return Tree{}, fmt.Errorf("%w: not one of a directory, parts and a chunk list", ErrTree)
}

func checkNodes(nodes []Node) error {
	if len(nodes) > maxNodes {
		return fmt.Errorf("%w: %d nodes in one object", ErrTree, len(nodes))
	}
	for i := range nodes {
		if err := nodes[i].Validate(); err != nil {
			return err
		}
		if i > 0 && bytes.Compare(nodes[i-1].Name, nodes[i].Name) >= 0 {
			return fmt.Errorf("%w: names out of order or twice", ErrTree)
		}
	}
	return nil
}

func encodeParts(ids []seal.ChunkID) ([]byte, error) {
	if len(ids) > maxParts {
		return nil, fmt.Errorf("directory of %d parts: %w", len(ids), errTooLarge)
	}
	return wire.Encode(treeObject{V: treeVersion, Parts: &ids})
}

func encodeChunkList(rows []byte) ([]byte, error) {
	return wire.Encode(treeObject{V: treeVersion, Chunks: &rows})
}
