package snapshot

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"

	"holdfast/seal"
)

// Sizes of rows, and limits of docs/format.md, section 5.
const (
	// RowSize is the length of a content row: chunk ID and plaintext length.
	RowSize     = 36
	listRowSize = 40
	maxRows     = 4096    // rows in a node; more of them go into chunk lists
	listRows    = 1 << 16 // rows that a writer puts into one chunk list
	maxChunk    = 4 << 20 // plaintext of one chunk
	maxList     = 1 << 20 // bytes of a node's list: about 400 TiB
)

// Content is what a Sink made of a file: its rows in order, the number of bytes
// that it read, and how many of them were new.
type Content struct {
	Rows      []byte
	Size, New int64
}

// Row is one chunk of a file.
type Row struct {
	ID     seal.ChunkID
	Length int64
}

// RowAt reads row i of rows.
func RowAt(rows []byte, i int) Row {
	p := rows[i*RowSize : (i+1)*RowSize]
	return Row{seal.ChunkID(p[:32]), int64(binary.LittleEndian.Uint32(p[32:]))}
}

// AppendRow appends a content row in its binary form.
func AppendRow(rows []byte, r Row) []byte {
	rows = append(rows, r.ID[:]...)
	return binary.LittleEndian.AppendUint32(rows, uint32(r.Length))
}

// sumRows checks rows and returns how many plaintext bytes they stand for.
func sumRows(rows []byte) (int64, error) {
	if len(rows)%RowSize != 0 {
		return 0, fmt.Errorf("%w: broken content row", ErrTree)
	}
	var sum int64
	for i := 0; i < len(rows); i += RowSize {
		n := int64(binary.LittleEndian.Uint32(rows[i+32:]))
		if n < 1 || n > maxChunk {
			return 0, fmt.Errorf("%w: chunk of %d bytes", ErrTree, n)
		}
		sum += n
	}
	return sum, nil
}

// sumList does the same for the rows that name chunk lists.
func sumList(rows []byte) (int64, error) {
	if len(rows)%listRowSize != 0 || len(rows) > maxList {
		return 0, fmt.Errorf("%w: broken list of chunk lists", ErrTree)
	}
	var sum int64
	for i := 0; i < len(rows); i += listRowSize {
		n := binary.LittleEndian.Uint64(rows[i+32:])
		if n < 1 || n > math.MaxInt64 || int64(n) > math.MaxInt64-sum {
			return 0, fmt.Errorf("%w: chunk list of %d bytes", ErrTree, n)
		}
		sum += int64(n)
	}
	return sum, nil
}

// checkContent: the rows add up to the data of the file, holes left out.
func (n *Node) checkContent() error {
	if len(n.Content) > maxRows*RowSize || len(n.Content) > 0 && len(n.List) > 0 {
		return fmt.Errorf("%w: too many content rows", ErrTree)
	}
	have, err := sumRows(n.Content)
	if err != nil {
		return err
	}
	listed, err := sumList(n.List)
	if err != nil {
		return err
	}
	want, err := n.dataSize()
	if err == nil && have+listed != want {
		err = fmt.Errorf("%w: %d bytes of content for %d bytes of data", ErrTree, have+listed, want)
	}
	return err
}

// setContent writes rows into the node, through chunk lists if there are many.
func (n *Node) setContent(ctx context.Context, sink Sink, rows []byte) error {
	n.Content, n.List = nil, nil
	if len(rows) <= maxRows*RowSize {
		n.Content = rows
		return nil
	}
	for len(rows) > 0 {
		part := rows[:min(len(rows), listRows*RowSize)]
		rows = rows[len(part):]
		covers, err := sumRows(part)
		if err != nil {
			return err
		}
		p, err := encodeChunkList(part)
		if err != nil {
			return err
		}
		id, err := sink.Tree(ctx, p)
		if err != nil {
			return fmt.Errorf("store chunk list: %w", err)
		}
		n.List = append(n.List, id[:]...)
		n.List = binary.LittleEndian.AppendUint64(n.List, uint64(covers))
	}
	return nil
}

// ChunkLists returns the chunk lists that a large file's rows are in; none for
// others.
func ChunkLists(n *Node) []seal.ChunkID {
	var out []seal.ChunkID
	for i := 0; i < len(n.List); i += listRowSize {
		out = append(out, seal.ChunkID(n.List[i:i+32]))
	}
	return out
}

// Rows calls f with the content rows of a file, in order and in one or more
// pieces; rows is valid during the call only. Nothing is called for a file
// without data.
func Rows(ctx context.Context, src Source, n *Node, f func(rows []byte) error) error {
	if len(n.Content) > 0 {
		return f(n.Content)
	}
	for i := 0; i < len(n.List); i += listRowSize {
		id := seal.ChunkID(n.List[i : i+32])
		covers := int64(binary.LittleEndian.Uint64(n.List[i+32:]))
		rows, err := readChunkList(ctx, src, id, covers)
		if err != nil {
			return err
		}
		if err := f(rows); err != nil {
			return err
		}
	}
	return nil
}

func readChunkList(ctx context.Context, src Source, id seal.ChunkID, covers int64) ([]byte, error) {
	p, err := src.Tree(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("read chunk list %s: %w", id, err)
	}
	t, err := ParseTree(p)
	if err != nil {
		return nil, fmt.Errorf("read chunk list %s: %w", id, err)
	}
	sum, err := sumRows(t.Chunks)
	if err == nil && (t.Kind != ChunkList || sum != covers) {
		err = fmt.Errorf("%w: not the chunk list that was announced", ErrTree)
	}
	if err != nil {
		return nil, fmt.Errorf("read chunk list %s: %w", id, err)
	}
	return t.Chunks, nil
}

// Chunks calls f with the data of a file, chunk after chunk and holes left out;
// plain is valid during the call only. A chunk of another length than its row
// says is an ErrContent.
func Chunks(ctx context.Context, src Source, n *Node, f func(row Row, plain []byte) error) error {
	return Rows(ctx, src, n, func(rows []byte) error {
		return src.Chunks(ctx, rows, func(i int, plain []byte) error {
			if i < 0 || i >= len(rows)/RowSize {
				return fmt.Errorf("%w: chunk %d of %d", ErrContent, i, len(rows)/RowSize)
			}
			row := RowAt(rows, i)
			if int64(len(plain)) != row.Length {
				return fmt.Errorf("%w: chunk %s has %d bytes, not %d", ErrContent, row.ID, len(plain), row.Length)
			}
			return f(row, plain)
		})
	})
}
