package object

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"

	"holdfast/internal/ident"
	"holdfast/seal"
)

// lookAhead is how many chunks of a call are looked up before they are read.
const lookAhead = 256

// Chunks calls f with the data chunks of a file's rows, in their order. Fetching,
// decrypting and f overlap; the plaintext is valid until f returns, and f is never
// called twice at once; it must not itself call Chunks or Range. It ends at the first
// error, f's included. The rows may be any part of a file's rows.
func (r *Reader) Chunks(ctx context.Context, rows []byte, f func(i int, plain []byte) error) error {
	if len(rows)%rowSize != 0 {
		return fmt.Errorf("read chunks: %w: %d bytes", ErrRows, len(rows))
	}
	ctx, leave, err := r.enter(ctx)
	if err != nil {
		return fmt.Errorf("read chunks: %w", err)
	}
	defer leave()
	if len(rows) == rowSize {
		return r.oneChunk(ctx, rows, f)
	}
	return r.manyChunks(ctx, rows, f)
}

// oneChunk needs no goroutine: most files have one chunk.
func (r *Reader) oneChunk(ctx context.Context, rows []byte, f func(i int, plain []byte) error) error {
	w, err := r.resolve(seal.KindData, seal.ChunkID(rows[:32]))
	if err != nil {
		return err
	}
	buf, ok := r.chunks.get(ctx.Done())
	if !ok {
		return context.Cause(ctx)
	}
	defer r.chunks.put(buf)
	plain, err := r.readRow(ctx, rowWanted{w, plainLen(rows)}, buf)
	if err != nil {
		return orCause(ctx, err)
	}
	return f(0, plain)
}

// plainLen returns the plaintext length that the first of the rows states.
func plainLen(rows []byte) int { return int(binary.LittleEndian.Uint32(rows[32:])) }

// result is a chunk on its way to f.
type result struct {
	buf   []byte
	plain []byte
	err   error
}

// manyChunks reads several chunks at once, each in a goroutine of its own that ends
// before it returns; f runs in the caller's.
func (r *Reader) manyChunks(ctx context.Context, rows []byte, f func(i int, plain []byte) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	queue := make(chan chan result, cap(r.chunks.free))
	var group sync.WaitGroup
	group.Go(func() {
		defer close(queue)
		r.produce(ctx, newWindow(r, rows), queue, &group)
	})
	var failed error
	i := 0
	for slot := range queue {
		res := <-slot
		if res.err == nil && failed == nil {
			res.err = f(i, res.plain)
		}
		if failed == nil && res.err != nil {
			failed = orCause(ctx, res.err)
			cancel(failed)
		}
		if res.buf != nil {
			r.chunks.put(res.buf)
		}
		i++
	}
	cancel(nil)
	group.Wait()
	return failed
}

// produce starts a goroutine for each chunk, as soon as there is a buffer for it.
// Buffers are taken in the order in which f gets the chunks, so f never waits for a
// chunk that waits for a buffer.
func (r *Reader) produce(ctx context.Context, w *window, queue chan<- chan result, group *sync.WaitGroup) {
	for w.more() {
		slot := make(chan result, 1)
		next, err := w.next()
		var buf []byte
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			var ok bool
			if buf, ok = r.chunks.get(ctx.Done()); !ok {
				err = context.Cause(ctx)
			}
		}
		if err != nil {
			slot <- result{err: err}
			queue <- slot
			return
		}
		queue <- slot
		group.Go(func() {
			plain, err := r.readRow(ctx, next, buf)
			slot <- result{buf, plain, err}
		})
		w.readAhead(ctx, next)
	}
}

// readRow reads a chunk and compares its length with that of its row.
func (r *Reader) readRow(ctx context.Context, w rowWanted, buf []byte) ([]byte, error) {
	plain, err := r.read(ctx, w.wanted, buf)
	if err == nil && len(plain) != w.plain {
		err = fmt.Errorf("read chunk %v: %w: a row says %d bytes, it has %d", w.id, ErrRows, w.plain, len(plain))
	}
	return plain, err
}

// rowWanted is a chunk with the length that its row states.
type rowWanted struct {
	wanted
	plain int
}

// window looks some rows ahead, and knows from that how much of each segment its
// caller is going to read.
type window struct {
	r        *Reader
	rows     []byte // not looked up yet
	resolved []rowWanted
	err      error // why resolved does not go on
	bytes    map[ident.CID]int64
}

func newWindow(r *Reader, rows []byte) *window {
	return &window{r: r, rows: rows, bytes: map[ident.CID]int64{}}
}

func (w *window) more() bool { return len(w.rows) > 0 || len(w.resolved) > 0 }

// next returns the next chunk.
func (w *window) next() (rowWanted, error) {
	w.fill()
	if len(w.resolved) == 0 {
		return rowWanted{}, w.err
	}
	c := w.resolved[0]
	w.resolved = w.resolved[1:]
	segment := c.places[0].Segment
	c.local = w.bytes[segment]
	w.bytes[segment] -= int64(c.places[0].Row.Stored)
	return c, nil
}

// fill looks rows up, many at a time.
func (w *window) fill() {
	if len(w.resolved) > lookAhead/2 || w.err != nil {
		return
	}
	w.resolved = append(make([]rowWanted, 0, lookAhead), w.resolved...)
	for len(w.resolved) < lookAhead && len(w.rows) > 0 {
		c, err := w.r.resolve(seal.KindData, seal.ChunkID(w.rows[:32]))
		if err != nil {
			w.err = err
			return
		}
		w.resolved = append(w.resolved, rowWanted{c, plainLen(w.rows)})
		w.rows = w.rows[rowSize:]
		w.bytes[c.places[0].Segment] += int64(c.places[0].Row.Stored)
	}
}

// readAhead has the next segment of these rows fetched while this one is read.
func (w *window) readAhead(ctx context.Context, now rowWanted) {
	for _, c := range w.resolved {
		if s := c.places[0].Segment; s != now.places[0].Segment {
			w.r.fetchAhead(ctx, s, w.bytes[s])
			return
		}
	}
}

// fetchAhead fetches a segment that is going to be read whole, if there is room.
func (r *Reader) fetchAhead(ctx context.Context, segment ident.CID, local int64) {
	t, err := r.locate(segment)
	if err != nil || r.cacheOf(t).has(segment) || !r.plan.wholly(segment, t.size(), local) {
		return
	}
	r.cacheOf(t).prefetch(ctx, segment, r.spawn, r.fetcher(t))
}

// Range calls f with the pieces of a file's bytes [off, off+n), in their order; what
// lies behind the file's end is not there. Whole chunks are read and checked.
func (r *Reader) Range(ctx context.Context, rows []byte, off, n int64, f func(plain []byte) error) error {
	if len(rows)%rowSize != 0 || off < 0 || n < 0 {
		return fmt.Errorf("read range: %w", ErrRows)
	}
	for len(rows) > 0 {
		size := plainLen(rows)
		if off < int64(size) {
			break
		}
		off -= int64(size)
		rows = rows[rowSize:]
	}
	end, covered := 0, -off
	for end < len(rows) && covered < n {
		covered += int64(plainLen(rows[end:]))
		end += rowSize
	}
	if n == 0 || end == 0 {
		return nil
	}
	return r.Chunks(ctx, rows[:end], func(_ int, plain []byte) error {
		plain = plain[off:]
		off = 0
		plain = plain[:min(int64(len(plain)), n)]
		n -= int64(len(plain))
		return f(plain)
	})
}
