package vault

import (
	"io"

	"github.com/zeebo/blake3"

	"holdfast/internal/ident"
)

// plainSum computes the CID of a plaintext while it passes; without a hasher it lets
// it pass.
type plainSum struct{ h *blake3.Hasher }

func newPlainSum(wanted bool) plainSum {
	if !wanted {
		return plainSum{}
	}
	return plainSum{blake3.New()}
}

func (s plainSum) Write(p []byte) (int, error) {
	if s.h != nil {
		s.h.Write(p)
	}
	return len(p), nil
}

// CID names what has passed.
func (s plainSum) CID() ident.CID {
	var sum [ident.HashSize]byte
	s.h.Sum(sum[:0])
	return ident.NewCID(ident.Raw, sum)
}

// summed writes to w, and sums the same bytes meanwhile.
type summed struct {
	w   io.Writer
	sum plainSum
}

func (s summed) Write(p []byte) (int, error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.sum.Write(p)
	}()
	n, err := s.w.Write(p)
	<-done
	return n, err
}
