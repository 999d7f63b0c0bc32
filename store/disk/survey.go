package disk

import (
	"context"
	"errors"

	"holdfast/internal/ident"
	"holdfast/store"
)

// Survey looks whether every shard that the index knows has a file, by the names in the
// folders and without opening one. Those that have none are reported as lost, and the
// index forgets them. It reads as many folders as there are, and no more of a shard than
// its name, so that a million of them is a matter of seconds.
func (d *Disk) Survey(ctx context.Context) error {
	var folder string
	var names map[string]bool
	for info, err := range d.List(ctx, ident.CID{}) {
		if err != nil {
			return err
		}
		if at := d.at.folder(info.Key); at != folder {
			if names, err = d.names(ctx, at); err != nil {
				return err
			}
			folder = at
		}
		if names[shardName(info.Key)] || d.exists(info.Key) {
			continue
		}
		if err := d.lost(ctx, info.Key); err != nil {
			return err
		}
	}
	return nil
}

// names returns what is in a folder.
func (d *Disk) names(ctx context.Context, folder string) (map[string]bool, error) {
	leave, err := d.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	names := map[string]bool{}
	err = eachName(folder, func(name string) error {
		names[name] = true
		return nil
	})
	return names, err
}

// lost finds out why a shard that the index knows has no file.
func (d *Disk) lost(ctx context.Context, key store.Key) error {
	leave, err := d.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if err := d.absent(key); !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return nil
}
