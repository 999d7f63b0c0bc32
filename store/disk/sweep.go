package disk

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"holdfast/internal/ident"
	"holdfast/store"
)

// sweep empties tmp/ after a crash. A file with a whole header says that the index
// may be wrong about its key; what is true stands in the shard's place.
func (d *Disk) sweep(ctx context.Context) error {
	entries, err := os.ReadDir(d.at.tmp())
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		path := filepath.Join(d.at.tmp(), e.Name())
		key, ok := hintedKey(path)
		if !ok {
			if err := os.RemoveAll(path); err != nil {
				return err
			}
			continue
		}
		if err := d.settle(key, path); err != nil {
			return err
		}
	}
	return d.index.flush()
}

// sortTrash counts what is in the trash. A shard that is in its place as well was
// being moved when a crash came: it stays where it is served, and not in the trash.
func (d *Disk) sortTrash(ctx context.Context) error {
	var bytes int64
	err := d.walkTrash(ctx, ident.CID{}, func(found store.Discarded) error {
		if d.exists(found.Key) {
			return d.settle(found.Key, d.at.discarded(found.Key, found.Reason))
		}
		bytes += found.Bytes
		return nil
	})
	d.space.trashed = bytes
	return errors.Join(err, d.index.flush())
}

func hintedKey(path string) (store.Key, bool) {
	f, err := os.Open(path)
	if err != nil {
		return store.Key{}, false
	}
	defer f.Close()
	h, err := readHeader(f)
	return h.key, err == nil
}

// settle sets the index right about one key.
func (d *Disk) settle(key store.Key, hint string) error {
	s, err := d.openShard(key)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.index.set(key, nil, hint)
		return nil
	case errors.Is(err, store.ErrCorrupt):
		// Left for the first reader, who puts it into quarantine.
		d.index.set(key, nil, hint)
		return s.Close()
	case err != nil:
		// Nothing can be said about it now. The hint stays for the next time.
		d.report(Unreadable, key, err)
		return nil
	}
	defer s.Close()
	folder := d.at.folder(key)
	if err := errors.Join(d.folders.ensure(folder), d.folders.sync(folder)); err != nil {
		return err
	}
	e := s.head.entry()
	d.index.set(key, &e, hint)
	return nil
}

// canLink finds out whether the file system has hard links, without which there are
// no hints.
func (d *Disk) canLink() bool {
	path := d.tempPath()
	if err := d.files.link(d.at.marker(), path); err != nil {
		return false
	}
	return d.files.remove(path) == nil
}
