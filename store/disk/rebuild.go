package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"holdfast/internal/ident"
	"holdfast/store"
)

// Rebuild makes the index say what is on the volume: it reads the header of every
// shard file, and forgets shards that have no file (which it reports as lost). It
// takes as long as that takes, and others may use the shelf meanwhile. Files that
// cannot be read are reported and remembered in the error; the index then stays
// stale. An index that is damaged is put aside for a new one first.
func (d *Disk) Rebuild(ctx context.Context) error {
	err := d.rebuild(ctx)
	if err != nil && ctx.Err() == nil && d.index.broken.Load() {
		// The damage has come to light only now.
		err = d.rebuild(ctx)
	}
	if err != nil {
		return fmt.Errorf("rebuild index: %w", err)
	}
	return nil
}

func (d *Disk) rebuild(ctx context.Context) error {
	if err := d.mendIndex(ctx); err != nil {
		return err
	}
	trouble := d.findUnknown(ctx)
	if ctx.Err() == nil {
		trouble = errors.Join(trouble, d.Survey(ctx))
	}
	if err := errors.Join(trouble, ctx.Err()); err != nil {
		return err
	}
	leave, err := d.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if err := errors.Join(d.index.flush(), d.index.setFlag(metaStale, false)); err != nil {
		return err
	}
	d.stale.Store(false)
	return nil
}

// mendIndex replaces a damaged index by an empty one, and begins the books anew.
func (d *Disk) mendIndex(ctx context.Context) error {
	leave, err := d.enter(ctx)
	if err != nil {
		return err
	}
	leave()
	d.life.Lock()
	defer d.life.Unlock()
	if d.closed || !d.index.broken.Load() {
		return nil
	}
	d.stale.Store(true)
	if err := d.index.replace(); err != nil {
		return err
	}
	d.space.clear()
	return nil
}

// findUnknown looks at every file in a shard's place. It returns the first trouble
// with a single file, and goes on.
func (d *Disk) findUnknown(ctx context.Context) (trouble error) {
	err := d.walk(ctx, func(key store.Key) error {
		err := d.look(ctx, key)
		switch {
		case errors.Is(err, store.ErrPaused), errors.Is(err, fs.ErrClosed), ctx.Err() != nil:
			return err
		case err != nil && trouble == nil:
			trouble = err
		}
		return nil
	})
	return errors.Join(err, trouble)
}

// look opens one shard and makes the index know it.
func (d *Disk) look(ctx context.Context, key store.Key) error {
	s, err := d.find(ctx, key)
	if err != nil {
		return ignoreAbsent(err)
	}
	defer s.Close()
	leave, err := d.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	return errors.Join(d.adopt(s), d.relieve())
}

// walk calls f for every file that has the name of a shard where that shard belongs.
// Other files are nobody's business.
func (d *Disk) walk(ctx context.Context, f func(store.Key) error) error {
	return eachVault(ctx, d.at.shards(), func(vault ident.CID) error {
		return eachFile(ctx, d.at.shards(), vault, func(folder, name string) error {
			key, ok := parseShardName(vault, name)
			if !ok || d.at.folder(key) != folder {
				return nil
			}
			return f(key)
		})
	})
}

// eachVault calls f for every vault that has a folder below root.
func eachVault(ctx context.Context, root string, f func(vault ident.CID) error) error {
	return eachName(root, func(prefix string) error {
		return eachName(filepath.Join(root, prefix), func(digits string) error {
			vault, ok := parseHex(digits)
			if !ok || digits[:2] != prefix {
				return ctx.Err()
			}
			return f(vault)
		})
	})
}

// eachFile calls f for every name in the folders of one vault below root.
func eachFile(ctx context.Context, root string, vault ident.CID, f func(folder, name string) error) error {
	top := filepath.Join(root, vault.Hex()[:2], vault.Hex())
	return eachName(top, func(prefix string) error {
		folder := filepath.Join(top, prefix)
		return eachName(folder, func(name string) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return f(folder, name)
		})
	})
}

// eachName calls f with the names in a folder, in no order and a few at a time. What
// is no folder, or is gone, has none.
func eachName(path string, f func(string) error) error {
	dir, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	if fi, err := dir.Stat(); err != nil || !fi.IsDir() {
		return err
	}
	for {
		names, err := dir.Readdirnames(1024)
		for _, name := range names {
			if err := f(name); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
