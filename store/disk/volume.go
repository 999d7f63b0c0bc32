package disk

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"sync/atomic"

	"holdfast/store"
)

// volume guards against a disk that is not there. An unmounted disk leaves an empty
// folder in its place, or another disk's; nothing must be written to it, and
// nothing that is missing on it is lost.
type volume struct {
	path   string // of the marker
	marker []byte // as it was when the volume was opened
	device uint64
	seen   atomic.Pointer[fs.FileInfo] // the marker's file when it was last read
}

// openVolume reads the marker and remembers the device that it is on. What is not
// the volume id is ErrPaused.
func openVolume(at layout, id VolumeID) (*volume, Marker, error) {
	v := &volume{path: at.marker()}
	fi, err := v.stat()
	if err != nil {
		return nil, Marker{}, err
	}
	p, err := readMarkerFile(v.path)
	if err != nil {
		return nil, Marker{}, fmt.Errorf("%w: %w", store.ErrPaused, err)
	}
	m, err := ParseMarker(p)
	if err != nil {
		return nil, Marker{}, fmt.Errorf("%w: %w", store.ErrPaused, err)
	}
	if m.Volume != id {
		return nil, Marker{}, fmt.Errorf("%w: %s is volume %v, not %v", store.ErrPaused, at.dir, m.Volume, id)
	}
	v.marker, v.device = p, device(fi)
	v.seen.Store(&fi)
	return v, m, nil
}

func (v *volume) stat() (fs.FileInfo, error) {
	fi, err := os.Lstat(v.path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrPaused, err)
	}
	if !fi.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: %s is no file", store.ErrPaused, v.path)
	}
	return fi, nil
}

// check returns nil if the volume that was opened is still where it was. It costs
// one system call unless the marker's file has changed.
func (v *volume) check() error {
	fi, err := v.stat()
	if err != nil {
		return err
	}
	if d := device(fi); d != v.device {
		return fmt.Errorf("%w: %s is on device %#x, not %#x", store.ErrPaused, v.path, d, v.device)
	}
	if last := *v.seen.Load(); os.SameFile(fi, last) && fi.Size() == last.Size() && fi.ModTime().Equal(last.ModTime()) {
		return nil
	}
	p, err := readMarkerFile(v.path)
	if err != nil {
		return fmt.Errorf("%w: %w", store.ErrPaused, err)
	}
	if !bytes.Equal(p, v.marker) {
		return fmt.Errorf("%w: %s is another volume's", store.ErrPaused, v.path)
	}
	v.seen.Store(&fi)
	return nil
}
