package snapshot

import (
	"context"
	"fmt"
	"io"

	"holdfast/seal"
)

// Dump writes the bytes of one file; holes are written as zeros. The error is
// ErrNotFile if the path is of something else, and for an error of w that error.
func Dump(ctx context.Context, src Source, root seal.ChunkID, path string, w io.Writer) error {
	n, err := Find(ctx, src, root, path)
	if err != nil {
		return err
	}
	if n.Type != File {
		return fmt.Errorf("dump %q: %w", path, ErrNotFile)
	}
	if err := copyContent(ctx, src, n, w); err != nil {
		return fmt.Errorf("dump %q: %w", path, err)
	}
	return nil
}

// copyContent writes all bytes of a file in order.
func copyContent(ctx context.Context, src Source, n *Node, w io.Writer) error {
	expect(src, n)
	var at int64
	err := placeContent(ctx, src, n, func(off int64, p []byte) error {
		if err := writeZeros(ctx, w, off-at); err != nil {
			return err
		}
		at = off + int64(len(p))
		_, err := w.Write(p)
		return err
	})
	if err != nil {
		return err
	}
	return writeZeros(ctx, w, n.Size-at)
}

// placeContent calls put with each piece of a file's data and its offset, in
// ascending order, and checks that it is all of the data.
func placeContent(ctx context.Context, src Source, n *Node, put func(off int64, p []byte) error) error {
	pairs := n.pieces()
	var used int64 // of the piece in hand
	err := Chunks(ctx, src, n, func(_ Row, plain []byte) error {
		for len(plain) > 0 {
			if len(pairs) == 0 {
				return fmt.Errorf("%w: more data than the node says", ErrContent)
			}
			take := min(int64(len(plain)), pairs[1]-used)
			if err := put(pairs[0]+used, plain[:take]); err != nil {
				return err
			}
			plain = plain[take:]
			if used += take; used == pairs[1] {
				pairs, used = pairs[2:], 0
			}
		}
		return nil
	})
	if err == nil && len(pairs) > 0 {
		err = fmt.Errorf("%w: less data than the node says", ErrContent)
	}
	return err
}

// expect announces the chunks of a file, as far as its node names them.
func expect(src Source, n *Node) {
	for i := range len(n.Content) / RowSize {
		src.Expect(RowAt(n.Content, i).ID)
	}
}

func writeZeros(ctx context.Context, w io.Writer, n int64) error {
	if n <= 0 {
		return nil
	}
	zeros := make([]byte, min(n, 64<<10))
	for n > 0 {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		k, err := w.Write(zeros[:min(n, int64(len(zeros)))])
		if err != nil {
			return err
		}
		n -= int64(k)
	}
	return nil
}
