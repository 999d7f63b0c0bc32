package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"holdfast/internal/ident"
	"holdfast/store"
)

// Open implements store.Shelf. It reads and checks the header only.
func (d *Disk) Open(ctx context.Context, key store.Key) (store.Shard, error) {
	s, err := d.find(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("open shard %v: %w", key, err)
	}
	return s, nil
}

// Stat implements store.Shelf. The answer is from the file, not from the index.
func (d *Disk) Stat(ctx context.Context, key store.Key) (store.Info, error) {
	s, err := d.find(ctx, key)
	if err != nil {
		return store.Info{}, fmt.Errorf("stat shard %v: %w", key, err)
	}
	return s.Info(), s.Close()
}

// find opens a shard's file and checks its header, and sets the index right where
// it is found to be wrong.
func (d *Disk) find(ctx context.Context, key store.Key) (*shard, error) {
	leave, err := d.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	if !key.Valid() {
		return nil, store.ErrNotFound
	}
	s, err := d.openShard(key)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, d.absent(key)
	case errors.Is(err, store.ErrCorrupt):
		d.quarantine(key, s.file, err)
		return nil, errors.Join(err, s.Close())
	case err != nil:
		if !errors.Is(err, ErrVersion) {
			d.report(Unreadable, key, err)
		}
		return nil, err
	}
	if d.stale.Load() && !d.index.broken.Load() {
		if err := d.adopt(s); err != nil {
			d.report(IndexFailed, key, err)
		}
	}
	return s, nil
}

// adopt makes the index know a shard that was found in its place.
func (d *Disk) adopt(s *shard) error {
	defer d.locks.lock(s.key)()
	if !d.inPlace(s.key, s.file) {
		return nil // removed since it was found
	}
	return d.note(s.head)
}

// inPlace is whether the open file f is still the one in the place of key.
func (d *Disk) inPlace(key store.Key, f *os.File) bool {
	found, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(d.at.shard(key))
	return err == nil && os.SameFile(found, there)
}

// absent finds out why there is no file: ErrNotFound, or ErrPaused if the volume
// has gone in this very moment. A shard that the index knows is lost.
func (d *Disk) absent(key store.Key) error {
	lost, err := d.forget(key)
	if err != nil {
		return err
	}
	if lost && !d.isDiscarded(key) {
		d.report(Lost, key, store.ErrNotFound)
	}
	return store.ErrNotFound
}

// forget makes the index forget a shard that has no file, and reports whether the
// index knew it.
func (d *Disk) forget(key store.Key) (lost bool, err error) {
	defer d.locks.lock(key)()
	known, err := d.index.get(key)
	lost = err == nil && known != nil && !d.exists(key)
	// Only now is it sure that it was this volume that had no file.
	if err := d.volume.check(); err != nil {
		return false, err
	}
	if lost {
		d.uncount(key, "")
	}
	return lost, nil
}

// exists is whether a shard has a file. Trouble is taken for one.
func (d *Disk) exists(key store.Key) bool {
	_, err := os.Lstat(d.at.shard(key))
	return !errors.Is(err, fs.ErrNotExist)
}

// shard is an open shard file whose header has been checked.
type shard struct {
	disk    *Disk
	key     store.Key // of the place
	file    *os.File
	head    header
	payload *store.Payload // nil until first used
}

// openShard opens the file in a shard's place. If the error is ErrCorrupt, the
// shard has its file all the same.
func (d *Disk) openShard(key store.Key) (*shard, error) {
	f, err := os.Open(d.at.shard(key))
	if err != nil {
		return nil, err
	}
	s := &shard{disk: d, key: key, file: f}
	if s.head, err = readHeader(f); err == nil {
		err = s.check()
	}
	if err != nil && !errors.Is(err, store.ErrCorrupt) {
		return nil, errors.Join(err, f.Close())
	}
	return s, err
}

// usualHeader is enough for the header of most shards: one read.
const usualHeader = 1 << 10

// readHeader reads and checks the head of a shard file.
func readHeader(f *os.File) (header, error) {
	p := make([]byte, usualHeader)
	p, err := readHead(f, p)
	if err == nil && len(p) == usualHeader {
		n, tooLong := headerLength(p)
		if tooLong == nil && n > usualHeader {
			p, err = readHead(f, make([]byte, n))
		}
	}
	if err != nil {
		return header{}, fmt.Errorf("read header: %w", err)
	}
	return parseHeader(p)
}

// readHead reads the beginning of a file that may be shorter.
func readHead(f *os.File, p []byte) ([]byte, error) {
	n, err := f.ReadAt(p, 0)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return p[:n], err
}

// check compares the header with the file around it.
//
// SPEC: a reader checks that the descriptor's CID belongs to the place where the
// file was found, and that the file ends where the outboard does.
func (s *shard) check() error {
	if s.head.key != s.key {
		return fmt.Errorf("%w: file of shard %v of vault %s", store.ErrCorrupt, s.head.key, s.head.key.Vault)
	}
	fi, err := s.file.Stat()
	if err != nil {
		return err
	}
	if fi.Size() != s.head.fileSize() {
		return fmt.Errorf("%w: file of %d bytes, not %d", store.ErrCorrupt, fi.Size(), s.head.fileSize())
	}
	return nil
}

func (s *shard) Info() store.Info { return s.head.info() }

func (s *shard) Close() error { return s.file.Close() }

// WriteTo implements store.Shard.
func (s *shard) WriteTo(w io.Writer) (n int64, err error) {
	err = s.serve(w, func(p *store.Payload, w io.Writer) error {
		n, err = p.WriteTo(w)
		return err
	})
	return n, err
}

// Slice implements store.Shard.
func (s *shard) Slice(w io.Writer, off, n int64) error {
	return s.serve(w, func(p *store.Payload, w io.Writer) error { return p.Slice(w, off, n) })
}

// serve runs a verified read. If the file turns out to be corrupt, it goes into
// quarantine. An error of w says nothing about the file, whatever it wraps.
func (s *shard) serve(w io.Writer, read func(*store.Payload, io.Writer) error) error {
	p, err := s.open()
	out := &outlet{w: w}
	if err == nil {
		err = read(p, out)
	}
	switch {
	case err == nil || out.failed || errors.Is(err, store.ErrRange):
		return err
	case errors.Is(err, store.ErrCorrupt):
		if leave, e := s.disk.enter(context.Background()); e == nil {
			s.disk.quarantine(s.key, s.file, err)
			leave()
		}
	case !errors.Is(err, fs.ErrClosed):
		s.disk.report(Unreadable, s.key, err)
	}
	return fmt.Errorf("read shard %v: %w", s.key, err)
}

// open reads the outboard, once.
func (s *shard) open() (*store.Payload, error) {
	if s.payload != nil {
		return s.payload, nil
	}
	start, size := int64(headerSize(len(s.head.descriptor))), s.head.payload()
	outboard := make([]byte, store.OutboardSize(size))
	if _, err := s.file.ReadAt(outboard, start+size); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%w: outboard is cut short", store.ErrCorrupt)
		}
		return nil, err
	}
	p, err := store.NewPayload(io.NewSectionReader(s.file, start, size), size, outboard, s.root())
	if err == nil {
		s.payload = p
	}
	return p, err
}

func (s *shard) root() ident.CID { return s.head.root() }

// outlet remembers whether the writer behind it has failed.
type outlet struct {
	w      io.Writer
	failed bool
}

func (o *outlet) Write(p []byte) (int, error) {
	n, err := o.w.Write(p)
	o.failed = o.failed || err != nil
	return n, err
}
