package pool

import (
	"context"
	"errors"
	"iter"

	"holdfast/internal/ident"
	"holdfast/store"
)

// List implements store.Shelf, in the order of keys. A shard that is moved meanwhile is
// seen. If a volume is away, the shards of the others come first, and then
// store.ErrPaused: what was seen is there, and what was not seen may be there as well.
func (p *Pool) List(ctx context.Context, vault ident.CID) iter.Seq2[store.Info, error] {
	if all := p.places(); len(all) == 1 {
		return all[0].list(ctx, vault)
	}
	return func(yield func(store.Info, error) bool) {
		w := p.watch(vault)
		defer p.unwatch(w)
		var away error
		give := func(info store.Info, err error) bool {
			if errors.Is(err, store.ErrPaused) {
				away = first(away, err)
				return true
			}
			return yield(info, err) && err == nil
		}
		// One that has come to a volume behind this list's back is shown in its turn.
		moved := func(keys []store.Key) bool {
			for _, key := range keys {
				info, err := p.Stat(ctx, key)
				if ignoreAbsent(err) == nil && err != nil {
					continue
				}
				if !give(info, err) {
					return false
				}
			}
			return true
		}
		for found, err := range p.places().merged(ctx, vault) {
			if err == nil && found.Key.Compare(w.at) <= 0 {
				continue // on two volumes
			}
			if err == nil && !moved(w.pass(found.Key)) {
				return
			}
			if !give(found.Info, err) {
				return
			}
		}
		if !moved(w.rest()) {
			return
		}
		if away != nil {
			yield(store.Info{}, away)
		}
	}
}

// list goes through the shards of one volume.
func (at place) list(ctx context.Context, vault ident.CID) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		if at.shelf == nil {
			yield(store.Info{}, at.why)
			return
		}
		for info, err := range at.shelf.List(ctx, vault) {
			if !yield(info, at.ask(func(Shelf) error { return err })) {
				return
			}
		}
	}
}

// located is a shard, and where it is.
type located struct {
	store.Info
	at place
}

// merged goes through the shards of all volumes in the order of their keys; one that is
// on two comes twice. A volume that is away, or fails, gives its error when all keys
// before have come, and the others go on.
func (l places) merged(ctx context.Context, vault ident.CID) iter.Seq2[located, error] {
	return func(yield func(located, error) bool) {
		var open []*lister
		defer func() {
			for _, o := range open {
				o.stop()
			}
		}()
		for _, at := range l {
			o := &lister{at: at}
			o.pull, o.stop = iter.Pull2(at.list(ctx, vault))
			o.advance()
			open = append(open, o)
		}
		for {
			o := least(open)
			if o == nil {
				return
			}
			found, err := located{o.info, o.at}, o.err
			o.advance()
			if !yield(found, err) {
				return
			}
		}
	}
}

// lister is one volume's list, at one of its shards.
type lister struct {
	at   place
	pull func() (store.Info, error, bool)
	stop func()
	info store.Info
	err  error
	more bool
}

func (o *lister) advance() { o.info, o.err, o.more = o.pull() }

// least returns the list with the smallest key, those in trouble first, or nil.
func least(open []*lister) (best *lister) {
	for _, o := range open {
		switch {
		case !o.more:
		case o.err != nil:
			return o
		case best == nil || o.info.Key.Compare(best.info.Key) < 0:
			best = o
		}
	}
	return best
}
