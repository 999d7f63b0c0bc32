package storetest

import (
	"context"
	"io"

	"holdfast/store"
)

// Fault is asked before an operation. An error is returned in its place; a fault
// may also wait, for the context or for a test. A nil Fault lets everything pass.
type Fault func(ctx context.Context, key store.Key) error

func (f Fault) ask(ctx context.Context, key store.Key) error {
	if f == nil {
		return nil
	}
	return f(ctx, key)
}

// Faults decorates a shelf. The fields are set before it is used.
type Faults struct {
	store.Shelf
	OnPut    Fault // before a byte is read
	OnOpen   Fault
	OnStat   Fault
	OnRemove Fault
	OnRead   Fault // before WriteTo and Slice of an open shard
}

var _ store.Shelf = (*Faults)(nil)

// Put implements store.Shelf.
func (f *Faults) Put(ctx context.Context, key store.Key, descriptor []byte, r io.Reader) error {
	if err := f.OnPut.ask(ctx, key); err != nil {
		return err
	}
	return f.Shelf.Put(ctx, key, descriptor, r)
}

// Open implements store.Shelf.
func (f *Faults) Open(ctx context.Context, key store.Key) (store.Shard, error) {
	if err := f.OnOpen.ask(ctx, key); err != nil {
		return nil, err
	}
	sh, err := f.Shelf.Open(ctx, key)
	if err != nil {
		return nil, err
	}
	return faultyShard{sh, func() error { return f.OnRead.ask(ctx, key) }}, nil
}

// Stat implements store.Shelf.
func (f *Faults) Stat(ctx context.Context, key store.Key) (store.Info, error) {
	if err := f.OnStat.ask(ctx, key); err != nil {
		return store.Info{}, err
	}
	return f.Shelf.Stat(ctx, key)
}

// Remove implements store.Shelf.
func (f *Faults) Remove(ctx context.Context, key store.Key) error {
	if err := f.OnRemove.ask(ctx, key); err != nil {
		return err
	}
	return f.Shelf.Remove(ctx, key)
}

type faultyShard struct {
	store.Shard
	ask func() error
}

func (s faultyShard) WriteTo(w io.Writer) (int64, error) {
	if err := s.ask(); err != nil {
		return 0, err
	}
	return s.Shard.WriteTo(w)
}

func (s faultyShard) Slice(w io.Writer, off, n int64) error {
	if err := s.ask(); err != nil {
		return err
	}
	return s.Shard.Slice(w, off, n)
}
