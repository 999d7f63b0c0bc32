package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"lukechampine.com/blake3/bao"

	"holdfast/internal/atomicfile"
	"holdfast/internal/ident"
	"holdfast/store"
)

const (
	readSize   = 64 << 20 // of the file that is read again and again
	smallFiles = 200      // of the tree for reading
	manyRows   = 32       // as many as are written while it is measured
	keptFiles  = 64       // of a writer of small files
)

// fileKernels read from the page cache.
func (b *bench) fileKernels(ctx context.Context, dir string) ([]kernel, error) {
	big, err := writeRandom(filepath.Join(dir, "read"), min(readSize, max(b.Size, b.row())), b.Seed)
	if err != nil {
		return nil, err
	}
	small, err := writeTree(ctx, filepath.Join(dir, "tree"), smallFiles, b.Seed)
	if err != nil {
		return nil, err
	}
	shard, err := makeShard(filepath.Join(dir, "shard"), b.row(), b.Seed)
	if err != nil {
		return nil, err
	}
	return []kernel{
		{name: pRead, make: func(int) (doer, error) { return reader(big.path) }},
		{name: pReads, make: func(int) (doer, error) { return filesReader(small), nil }},
		{name: pServe, make: func(int) (doer, error) { return shard.server() }},
	}, nil
}

// reader reads a file and copies what it has read, as cutting it into chunks does.
func reader(path string) (doer, error) {
	buf, chunk := make([]byte, blockSize), make([]byte, blockSize)
	return func() (int64, error) {
		f, err := os.Open(path)
		if err != nil {
			return 0, err
		}
		defer f.Close()
		var sum int64
		for {
			n, err := f.Read(buf)
			sum += int64(copy(chunk, buf[:n]))
			if err == io.EOF {
				return sum, nil
			} else if err != nil {
				return sum, err
			}
		}
	}, nil
}

// filesReader reads one small file after another.
func filesReader(t tree) doer {
	at, buf := 0, make([]byte, maxFile)
	return func() (int64, error) {
		at++
		f, err := os.Open(t.paths[at%len(t.paths)])
		if err != nil {
			return 0, err
		}
		defer f.Close()
		if _, err := f.Stat(); err != nil {
			return 0, err
		}
		n, err := io.ReadFull(f, buf)
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = nil
		}
		return int64(n), err
	}
}

// shard is a row in a file, as a node has it.
type shard struct {
	path     string
	size     int64
	outboard memory
	cid      ident.CID
}

func makeShard(path string, size int64, seed uint64) (shard, error) {
	f, err := writeRandom(path, size, seed)
	if err != nil {
		return shard{}, err
	}
	s := shard{path, size, make(memory, store.OutboardSize(size)), f.cid}
	r, err := os.Open(path)
	if err != nil {
		return shard{}, err
	}
	defer r.Close()
	_, err = bao.Encode(s.outboard, r, size, store.Group, true)
	return s, err
}

// server reads the row and verifies it on the way, as a holder does that is asked
// for it.
func (s shard) server() (doer, error) {
	return func() (int64, error) {
		f, err := os.Open(s.path)
		if err != nil {
			return 0, err
		}
		defer f.Close()
		p, err := store.NewPayload(f, s.size, s.outboard, s.cid)
		if err != nil {
			return 0, err
		}
		return p.WriteTo(io.Discard)
	}, nil
}

// diskKernels write: rows durably, as many writers as there are nodes, each in a
// folder of its own; and small files as a restore does.
func (b *bench) diskKernels(_ context.Context, dir string) ([]kernel, error) {
	row := make([]byte, b.row())
	_, _ = source(b.Seed, "rows").Read(row) // never fails
	text := make([]byte, meanFile)
	newAuthor(b.Seed).write(text)
	return []kernel{
		{name: pDurable, copies: b.Nodes, slow: true, make: func(i int) (doer, error) {
			return durableWriter(filepath.Join(dir, fmt.Sprintf("rows-%d", i)), row, 1)
		}},
		{name: pKept, copies: b.Nodes, slow: true, make: func(i int) (doer, error) {
			return durableWriter(filepath.Join(dir, fmt.Sprintf("kept-%d", i)), row, manyRows)
		}},
		{name: pWrites, slow: true, make: func(i int) (doer, error) {
			return filesWriter(filepath.Join(dir, fmt.Sprintf("files-%d", i)), text)
		}},
	}, nil
}

// durableWriter writes one file after another so that a power failure leaves it: to
// a temporary name, flushed, renamed, the folder flushed. Of those that it has written
// it keeps some. With one, the memory of the page cache is used again and again;
// with many, the cache grows, and on a virtual machine that can cost more than all
// the rest.
func durableWriter(dir string, row []byte, keep int) (doer, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	n := 0
	return func() (int64, error) {
		n++
		if err := os.Remove(rowName(dir, n-keep)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return 0, err
		}
		f, err := atomicfile.Create(rowName(dir, n))
		if err != nil {
			return 0, err
		}
		defer f.Abort()
		for at := 0; at < len(row); at += pieceSize {
			if _, err := f.Write(row[at:min(at+pieceSize, len(row))]); err != nil {
				return 0, err
			}
		}
		return int64(len(row)), f.Commit()
	}, nil
}

func rowName(dir string, n int) string { return filepath.Join(dir, fmt.Sprintf("row-%d", n)) }

// filesWriter writes one small file after another under a temporary name and gives
// it its own. No name is used twice: to replace a file costs more.
func filesWriter(dir string, text []byte) (doer, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	n := 0
	return func() (int64, error) {
		n++
		if err := os.Remove(fileName(dir, n-keptFiles)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return 0, err
		}
		temp := filepath.Join(dir, "temp")
		f, err := os.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
		if err != nil {
			return 0, err
		}
		_, err = f.Write(text)
		if err == nil {
			err = f.Chmod(0o644)
		}
		if err = errors.Join(err, f.Close()); err == nil {
			err = os.Rename(temp, fileName(dir, n))
		}
		return int64(len(text)), err
	}, nil
}

func fileName(dir string, n int) string { return filepath.Join(dir, fmt.Sprintf("file-%d", n)) }
