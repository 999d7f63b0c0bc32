package disk

import (
	"context"
	"fmt"
	"iter"

	"holdfast/internal/ident"
	"holdfast/store"
)

// pageSize is how many shards List takes from the index at a time.
const pageSize = 256

// List implements store.Shelf, in the order of keys. It goes by the index.
func (d *Disk) List(ctx context.Context, vault ident.CID) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		var after []byte
		for {
			page, err := d.page(ctx, after, vault)
			if err != nil {
				yield(store.Info{}, fmt.Errorf("list shards: %w", err))
				return
			}
			for _, info := range page {
				if !yield(info, nil) {
					return
				}
			}
			if len(page) < pageSize {
				return
			}
			last := keyOf(page[len(page)-1].Key)
			after = last[:]
		}
	}
}

func (d *Disk) page(ctx context.Context, after []byte, vault ident.CID) ([]store.Info, error) {
	leave, err := d.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	if err := d.index.flush(); err != nil {
		return nil, err
	}
	return d.index.page(after, vault, pageSize)
}
