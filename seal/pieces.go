package seal

import (
	"io"
	"sync"
)

// keptPieces is how many pieces of an opened file are kept, each pieceSize bytes:
// about as many as there are goroutines that read short chunks near each other.
const keptPieces = 8

// pieces gives out an age file's plaintext and keeps the pieces that were decrypted
// last. A piece is authentic whole or not at all, so a chunk of a few KiB costs the
// whole of its piece; its neighbours, which are read next, find it here. It is safe
// for concurrent use.
type pieces struct {
	plain io.ReaderAt
	size  int64

	mu   sync.Mutex
	kept []*keptPiece // the one used last comes first
}

// keptPiece is one of them. Who finds it empty fills it; others wait for that.
type keptPiece struct {
	at int64

	mu   sync.Mutex
	data []byte // nil until it was decrypted
}

// ReadAt implements io.ReaderAt. Pieces that are wanted whole are decrypted right
// into p.
func (s *pieces) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off > s.size {
		return 0, ErrSealed
	}
	n := 0
	for n < len(p) && off < s.size {
		k, err := s.read(p[n:], off)
		if err != nil {
			return 0, err
		}
		n, off = n+k, off+int64(k)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// read reads some bytes of p, at least one.
func (s *pieces) read(p []byte, off int64) (int, error) {
	rest := s.size - off
	if off%pieceSize == 0 && int64(len(p)) >= min(pieceSize, rest) {
		whole := min(int64(len(p)), rest)
		if whole < rest {
			whole -= whole % pieceSize
		}
		return int(whole), readFull(s.plain, p[:whole], off)
	}
	at := off - off%pieceSize
	data, err := s.piece(at).get(s)
	if err != nil {
		return 0, err
	}
	return copy(p, data[off-at:]), nil
}

// piece returns the kept piece at that place, or an empty one in the stead of the
// one that was not used for longest.
func (s *pieces) piece(at int64) *keptPiece {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := 0
	for i < len(s.kept) && s.kept[i].at != at {
		i++
	}
	var x *keptPiece
	switch {
	case i < len(s.kept):
		x = s.kept[i]
	case i < keptPieces:
		x = &keptPiece{at: at}
		s.kept = append(s.kept, x)
	default:
		x = &keptPiece{at: at}
		i--
	}
	copy(s.kept[1:i+1], s.kept[:i])
	s.kept[0] = x
	return x
}

// get returns the plaintext of the piece. A failure is not kept.
func (x *keptPiece) get(s *pieces) ([]byte, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.data != nil {
		return x.data, nil
	}
	data := make([]byte, min(pieceSize, s.size-x.at))
	if err := readFull(s.plain, data, x.at); err != nil {
		return nil, err
	}
	x.data = data
	return data, nil
}
