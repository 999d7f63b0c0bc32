package snapshot

import (
	"context"
	"fmt"

	"github.com/fxamacker/cbor/v2"
	"github.com/zeebo/blake3"

	"holdfast/internal/wire"
	"holdfast/seal"
)

// Where a directory is cut into parts (docs/format.md, section 5). The cut
// depends on names, so that one more file changes one part and not all of them.
const (
	partNodes = 256     // a part has at least so many nodes, unless it is the last
	partBytes = 1 << 20 // and at most so many bytes of them, unless it is one node
	partCut   = 2       // first byte of BLAKE3(name) below which a part ends
)

// dirWriter turns nodes, given in the order of their names, into the tree
// objects of one directory. It holds at most one part.
type dirWriter struct {
	sink  Sink
	nodes []cbor.RawMessage
	size  int
	parts []seal.ChunkID
}

// add appends a node, which must be valid and come after the one before.
func (w *dirWriter) add(ctx context.Context, n *Node) error {
	p, err := wire.Encode(n)
	if err != nil {
		return err
	}
	if len(w.nodes) > 0 && w.size+len(p) > partBytes {
		if err := w.flush(ctx); err != nil {
			return err
		}
	}
	w.nodes = append(w.nodes, p)
	w.size += len(p)
	if len(w.nodes) == maxNodes || len(w.nodes) >= partNodes && cutsAfter(n.Name) {
		return w.flush(ctx)
	}
	return nil
}

func cutsAfter(name []byte) bool {
	h := blake3.Sum256(name)
	return h[0] < partCut
}

func (w *dirWriter) flush(ctx context.Context) error {
	id, err := w.store(ctx)
	if err != nil {
		return err
	}
	w.parts = append(w.parts, id)
	w.nodes, w.size = w.nodes[:0], 0
	return nil
}

func (w *dirWriter) store(ctx context.Context) (seal.ChunkID, error) {
	p, err := wire.Encode(struct {
		V     uint64            `cbor:"v"`
		Nodes []cbor.RawMessage `cbor:"nodes"`
	}{treeVersion, w.nodes})
	if err != nil {
		return seal.ChunkID{}, err
	}
	return storeTree(ctx, w.sink, p)
}

// close stores what is left and returns the directory's tree object.
func (w *dirWriter) close(ctx context.Context) (seal.ChunkID, error) {
	if len(w.parts) == 0 {
		return w.store(ctx)
	}
	if len(w.nodes) > 0 {
		if err := w.flush(ctx); err != nil {
			return seal.ChunkID{}, err
		}
	}
	if len(w.parts) == 1 {
		return w.parts[0], nil
	}
	p, err := encodeParts(w.parts)
	if err != nil {
		return seal.ChunkID{}, err
	}
	return storeTree(ctx, w.sink, p)
}

func storeTree(ctx context.Context, sink Sink, p []byte) (seal.ChunkID, error) {
	if len(p) > MaxTree {
		return seal.ChunkID{}, fmt.Errorf("tree object of %d bytes: %w", len(p), errTooLarge)
	}
	id, err := sink.Tree(ctx, p)
	if err != nil {
		return seal.ChunkID{}, fmt.Errorf("store tree object: %w", err)
	}
	return id, nil
}
