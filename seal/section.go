package seal

import (
	"fmt"
	"io"
	"slices"
	"sync"

	"filippo.io/age"
)

// Section is an opened section. It may be read by many goroutines at once.
type Section struct {
	file file
	key  FileKey
}

// OpenSection opens a sealed section of size bytes. It reads the first HeadSize
// and the last TailSize bytes of src; what is read later, CipherRange tells. Since
// src is asked for 64 KiB at a time, it should have at hand what will be read. The
// error is ErrSealed or one that src returned.
func OpenSection(src io.ReaderAt, size int64, id Identity) (*Section, error) {
	u := unwrapper{id: id}
	f, err := openFile(src, size, &u)
	if err != nil {
		return nil, fmt.Errorf("open section: %w", err)
	}
	return &Section{f, u.key}, nil
}

// OpenSectionWithKey opens a sealed section again whose FileKey was kept. It is
// OpenSection without the slow part.
func OpenSectionWithKey(src io.ReaderAt, size int64, key FileKey) (*Section, error) {
	f, err := openFile(src, size, age.NewInjectedFileKeyIdentity(key[:]))
	if err != nil {
		return nil, fmt.Errorf("open section: %w", err)
	}
	return &Section{f, key}, nil
}

// FileKey returns the secret that opens this section and nothing else.
func (s *Section) FileKey() FileKey { return s.key }

// Size returns the length of the section's plaintext.
func (s *Section) Size() int64 { return s.file.size }

// HeaderLen returns the length of the sealed file's age header.
func (s *Section) HeaderLen() int { return s.file.header }

// Directory reads the rows of all chunks, in the order of their offsets. The error
// is ErrMalformed or ErrVersion if the writer is to blame, ErrSealed, or one of the
// source's.
func (s *Section) Directory() ([]Row, error) { return readDirectory(s.file, s.file.size) }

// ReadChunk reads the plaintext of a chunk, which is not yet checked against its
// ID, into dst's memory, from its start, which grows if it has to. The row may come
// from anywhere. The error is ErrChunk if there is no such chunk at that place,
// ErrSealed, or one of the source's.
func (s *Section) ReadChunk(dst []byte, r Row) ([]byte, error) {
	if r.check() != nil || r.end() > s.file.size {
		return nil, fmt.Errorf("read chunk %v: %w", r.ID, ErrChunk)
	}
	if r.Coding == Plain {
		dst, err := s.read(dst, r)
		if err != nil {
			return nil, fmt.Errorf("read chunk %v: %w", r.ID, err)
		}
		return dst, nil
	}
	buf := takeBuffer()
	defer buffers.Put(buf)
	stored, err := s.read(*buf, r)
	if err != nil {
		return nil, fmt.Errorf("read chunk %v: %w", r.ID, err)
	}
	*buf = stored
	plain, err := Expand(dst, stored, r.Coding, int(r.Plain))
	if err != nil {
		return nil, fmt.Errorf("read chunk %v: %w", r.ID, err)
	}
	return plain, nil
}

// read reads the stored bytes of a chunk.
func (s *Section) read(dst []byte, r Row) ([]byte, error) {
	dst = slices.Grow(dst[:0], int(r.Stored))[:r.Stored]
	return dst, readFull(s.file, dst, int64(r.Offset))
}

// Close forgets the file key. Nothing can be read afterwards.
func (s *Section) Close() { *s = Section{} }

// buffers keeps memory for stored bytes on their way through the decoder.
var buffers sync.Pool

func takeBuffer() *[]byte {
	if b, ok := buffers.Get().(*[]byte); ok {
		return b
	}
	return new([]byte)
}
