package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"
)

// ErrSealed says that sealed bytes cannot be opened. Whether they were sealed to
// somebody else, were changed, or are no sealed file at all, it does not say.
var ErrSealed = errors.New("sealed bytes cannot be opened")

// ErrTooLarge says that a sealed file holds more than its reader accepts.
var ErrTooLarge = errors.New("sealed file holds more than is accepted")

// FileKey opens one sealed file: what an identity unwraps, which is slow, once. It
// is a secret.
type FileKey [16]byte

// SealBytes seals something small, as one age file.
func SealBytes(plain []byte, recipients ...Recipient) ([]byte, error) {
	to, err := ageRecipients(recipients)
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	buf.Grow(int(SealedSize(int64(len(plain)), len(recipients))))
	w, err := age.Encrypt(&buf, to...)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	if _, err := w.Write(plain); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return buf.Bytes(), nil
}

// OpenBytes opens what SealBytes has sealed, if it holds at most limit bytes. The
// error is ErrSealed or ErrTooLarge.
func OpenBytes(sealed []byte, limit int, id Identity) ([]byte, error) {
	f, err := openFile(bytes.NewReader(sealed), int64(len(sealed)), &unwrapper{id: id})
	if err != nil {
		return nil, err
	}
	if f.size > int64(limit) {
		return nil, fmt.Errorf("%w: %d bytes, limit %d", ErrTooLarge, f.size, limit)
	}
	plain := make([]byte, f.size)
	if err := readFull(f, plain, 0); err != nil {
		return nil, err
	}
	return plain, nil
}

// file is an opened age file: the plaintext, to be read from any place by many
// goroutines at once.
type file struct {
	plain  io.ReaderAt
	size   int64 // of the plaintext
	header int
}

// openFile opens an age file of that many bytes. The error is ErrSealed or one
// that src returned.
func openFile(src io.ReaderAt, size int64, id age.Identity) (file, error) {
	if size < 0 || size > MaxSealed {
		return file{}, ErrSealed
	}
	r, n, err := age.DecryptReaderAt(source{src}, size, id)
	if err != nil {
		return file{}, opened(err)
	}
	header := size - nonceSize - n - tagSize*max(1, (n+pieceSize-1)/pieceSize)
	return file{&pieces{plain: r, size: n}, n, int(header)}, nil
}

// ReadAt reads plaintext, whole and authentic or not at all.
func (f file) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.plain.ReadAt(p, off)
	if err == io.EOF {
		return n, err
	}
	if err != nil {
		return 0, opened(err)
	}
	return n, nil
}

// source marks the errors of a sealed file's reader, so that they can be told from
// those of the cipher: a peer that went away is no forger.
type source struct{ r io.ReaderAt }

type sourceError struct{ cause error }

func (e *sourceError) Error() string { return e.cause.Error() }

func (s source) ReadAt(p []byte, off int64) (int, error) {
	n, err := s.r.ReadAt(p, off)
	if err != nil && err != io.EOF {
		err = &sourceError{err}
	}
	return n, err
}

// opened turns age's errors into the one that does not say why.
func opened(err error) error {
	var s *sourceError
	if errors.As(err, &s) {
		return fmt.Errorf("read sealed file: %w", s.cause)
	}
	return ErrSealed
}

// unwrapper is an identity that remembers the file key. It accepts nothing but a
// few hybrid recipients: each costs time, and another kind would be a weaker door.
type unwrapper struct {
	id  Identity
	key FileKey
}

func (u *unwrapper) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	if u.id.IsZero() || len(stanzas) > maxRecipients {
		return nil, ErrSealed
	}
	for _, s := range stanzas {
		if s.Type != "mlkem768x25519" {
			return nil, ErrSealed
		}
	}
	key, err := u.id.p.age.Unwrap(stanzas)
	if err != nil {
		return nil, err
	}
	if copy(u.key[:], key) != len(u.key) {
		return nil, ErrSealed
	}
	return key, nil
}
