package node

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p/shardrpc"
	"holdfast/store"
)

// ReceiptHold is how long a receipt promises to keep what it names; a day more than
// docs/format.md asks for, so that a clock that is a little off breaks no promise.
const ReceiptHold = 8 * 24 * time.Hour

// bookHold is how long the book keeps what has arrived, or was found: a day more than
// a receipt promises, so that the promise of one that is asked for within that day
// is on disk already.
const bookHold = ReceiptHold + 24*time.Hour

// Receipt implements shardrpc.Session. The promise is on disk, and the shards are
// looked for once more, before it is signed.
func (s *session) Receipt(ctx context.Context, nonce shardrpc.Nonce, refs []shardrpc.Ref) (signed ident.Signed, err error) {
	if err := s.writer(nonce); err != nil {
		return ident.Signed{}, err
	}
	if nonce != (shardrpc.Nonce{}) {
		if err := s.orders.commits(); err != nil {
			return ident.Signed{}, err
		}
	}
	refs = sortRefs(refs)
	now := s.stamp.now()
	r := ledger.Receipt{
		Vault: s.vault, Charter: s.charter.CID(), Device: s.peer, Node: s.keys.cert.Node, Nonce: nonce,
		Time: ledger.Millis(now), Until: ledger.Millis(now.Add(ReceiptHold)),
	}
	err = s.use(ctx, func(p *parts) error {
		if err := s.repairs(ctx, p, segmentsIn(refs)...); err != nil {
			return err
		}
		keys, err := s.claim(ctx, p, nonce, refs)
		if err != nil {
			return err
		}
		return p.book.promise(keys, now.Add(ReceiptHold), func() error {
			r.Shards, err = s.name(ctx, p, refs)
			return err
		})
	})
	if err != nil {
		return ident.Signed{}, err
	}
	s.stamp.meters.receipts.Inc()
	return ledger.SignReceipt(s.keys.vote, r)
}

// sortRefs is the order of shards in a receipt, none twice.
func sortRefs(refs []shardrpc.Ref) []shardrpc.Ref {
	refs = slices.Clone(refs)
	slices.SortFunc(refs, func(a, b shardrpc.Ref) int {
		return cmp.Or(a.Segment.Compare(b.Segment), cmp.Compare(a.Index, b.Index))
	})
	return slices.Compact(refs)
}

func segmentsIn(refs []shardrpc.Ref) []ident.CID {
	out := make([]ident.CID, len(refs))
	for i, r := range refs {
		out[i] = r.Segment
	}
	return out
}

// claim checks that the shards were put by this device in this commit. One that is
// on the shelf and not in the book, because a crash came between, becomes the
// device's. A later placement, which has no nonce, may name any shard of the vault.
func (s *session) claim(ctx context.Context, p *parts, nonce shardrpc.Nonce, refs []shardrpc.Ref) ([]store.Key, error) {
	keys := make([]store.Key, 0, len(refs))
	for _, ref := range refs {
		key := s.key(ref)
		r, known, err := p.book.get(key)
		if err != nil {
			return nil, err
		}
		switch {
		case !known || r.Device.IsZero():
			info, err := p.shelf.Stat(ctx, key)
			if err == nil {
				err = p.book.arrived(key, s.device(), nonce, info.Size, nil)
			}
			if err != nil {
				return nil, err
			}
		case nonce != shardrpc.Nonce{} && (r.Device != s.peer || r.Nonce != nonce):
			return nil, fmt.Errorf("%w: %v was not put in this commit", shardrpc.ErrNotFound, ref)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// name looks at each shard on the shelf and returns how a receipt names it.
func (s *session) name(ctx context.Context, p *parts, refs []shardrpc.Ref) ([]ledger.ReceiptShard, error) {
	out := make([]ledger.ReceiptShard, 0, len(refs))
	for _, ref := range refs {
		key := s.key(ref)
		info, err := p.shelf.Stat(ctx, key)
		if err != nil {
			return nil, err
		}
		d, err := key.Describes(info.Descriptor)
		if err != nil {
			return nil, err
		}
		out = append(out, ledger.ReceiptShard{Segment: ref.Segment, Index: int64(ref.Index), Shard: d.Shards[ref.Index]})
	}
	return out, nil
}
