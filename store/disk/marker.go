package disk

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"holdfast/internal/atomicfile"
	"holdfast/internal/ident"
	"holdfast/internal/wire"
)

// ErrVolumeExists says that a volume, or a part of one, is already where a new one
// was to be made.
var ErrVolumeExists = errors.New("a volume is already there")

// ErrMarker says that a file is not a volume's marker.
var ErrMarker = errors.New("not a volume marker")

const (
	markerVersion = 1
	markerLimit   = 4 << 10
)

// VolumeID tells volumes apart. It is random; its zero value names none.
type VolumeID [16]byte

// String returns 32 hexadecimal digits.
func (v VolumeID) String() string { return hex.EncodeToString(v[:]) }

// Marker is the content of the file holdfast-volume: whose volume this is. It is
// written once.
type Marker struct {
	V       uint64          `cbor:"v"`
	Volume  VolumeID        `cbor:"volume"`
	Node    ident.PublicKey `cbor:"node"`
	Vote    ident.PublicKey `cbor:"vote"`
	Created int64           `cbor:"created"` // seconds since 1970
}

// ParseMarker reads a marker strictly.
func ParseMarker(p []byte) (Marker, error) {
	var m Marker
	if len(p) > markerLimit {
		return Marker{}, fmt.Errorf("parse marker: %w: too long", ErrMarker)
	}
	if err := wire.Decode(p, &m); err != nil {
		return Marker{}, fmt.Errorf("parse marker: %w: %w", ErrMarker, err)
	}
	if err := m.check(); err != nil {
		return Marker{}, fmt.Errorf("parse marker: %w", err)
	}
	return m, nil
}

func (m Marker) check() error {
	switch {
	case m.V != markerVersion:
		return fmt.Errorf("%w: version %d is not known", ErrMarker, m.V)
	case m.Volume == VolumeID{}:
		return fmt.Errorf("%w: no volume ID", ErrMarker)
	case m.Node.IsZero() || m.Vote.IsZero():
		return fmt.Errorf("%w: a key is missing", ErrMarker)
	}
	return nil
}

// ReadMarker returns the marker of the volume in dir, without opening the volume.
func ReadMarker(dir string) (Marker, error) {
	p, err := readMarkerFile(layout{dir}.marker())
	if err != nil {
		return Marker{}, fmt.Errorf("read marker: %w", err)
	}
	return ParseMarker(p)
}

func readMarkerFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, markerLimit+1))
}

// Create makes an empty volume in dir, which is created if need be and may hold
// other things, but no volume and no shards: then it is ErrVolumeExists. The marker
// comes last, so that what a crash leaves is not taken for a volume. Marker.V may
// be left zero.
func Create(dir string, m Marker) error {
	if m.V == 0 {
		m.V = markerVersion
	}
	if err := m.check(); err != nil {
		return fmt.Errorf("create volume: %w", err)
	}
	if err := create(layout{dir}, m); err != nil {
		return fmt.Errorf("create volume: %w", err)
	}
	return nil
}

func create(at layout, m Marker) error {
	if err := os.MkdirAll(at.dir, 0o700); err != nil {
		return err
	}
	if err := vacant(at); err != nil {
		return err
	}
	for _, path := range at.made() {
		if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	if err := os.Remove(at.index()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := createIndex(at.index()); err != nil {
		return err
	}
	if err := atomicfile.WriteFile(at.marker(), wire.MustEncode(m), 0o600); err != nil {
		return err
	}
	return atomicfile.SyncDir(filepath.Dir(at.dir))
}

// vacant refuses a folder with a volume, or with anything in a volume's folders.
// Empty ones are what an interrupted Create leaves.
func vacant(at layout) error {
	if _, err := os.Lstat(at.marker()); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(fmt.Errorf("%w: %s", ErrVolumeExists, at.marker()), err)
	}
	for _, path := range at.made() {
		entries, err := os.ReadDir(path)
		if len(entries) > 0 || err != nil && !errors.Is(err, fs.ErrNotExist) {
			return errors.Join(fmt.Errorf("%w: %s", ErrVolumeExists, path), err)
		}
	}
	return nil
}
