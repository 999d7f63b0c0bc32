package shardrpctest

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p/shardrpc"
	"holdfast/store"
)

// Backend offers a shelf to everybody: it judges no credential. Its receipts are
// real.
type Backend struct {
	Shelf   store.Shelf
	Node    ident.PublicKey
	Vote    ident.PrivateKey
	Network string
	Now     func() time.Time
	Page    int // shards on one page of a bucket; all if 0
}

var _ shardrpc.Backend = (*Backend)(nil)

// Open implements shardrpc.Backend.
func (b *Backend) Open(_ context.Context, peer ident.PublicKey, vault ident.CID, c shardrpc.Credential) (shardrpc.Session, error) {
	charter := vault
	if !c.Charter.IsZero() {
		charter = c.Charter.CID()
	}
	return &session{Backend: b, device: peer, vault: vault, charter: charter}, nil
}

type session struct {
	*Backend
	device         ident.PublicKey
	vault, charter ident.CID
}

func (s *session) key(r shardrpc.Ref) store.Key {
	return store.Key{Vault: s.vault, Segment: r.Segment, Index: r.Index}
}

// Put implements shardrpc.Session.
func (s *session) Put(ctx context.Context, _ shardrpc.Nonce, index int, descriptor []byte, row io.Reader) error {
	ref := shardrpc.Ref{Segment: ident.SumDagCBOR(descriptor), Index: index}
	return s.Shelf.Put(ctx, s.key(ref), descriptor, row)
}

// Get implements shardrpc.Session.
func (s *session) Get(ctx context.Context, ref shardrpc.Ref) (shardrpc.Payload, error) {
	sh, err := s.Shelf.Open(ctx, s.key(ref))
	if err != nil {
		return nil, err
	}
	return payload{sh}, nil
}

type payload struct{ store.Shard }

func (p payload) Size() int64 { return p.Info().Size }

// Slice implements shardrpc.Session.
func (s *session) Slice(ctx context.Context, ref shardrpc.Ref, w io.Writer, off, n int64) error {
	sh, err := s.Shelf.Open(ctx, s.key(ref))
	if err != nil {
		return err
	}
	defer sh.Close()
	return sh.Slice(w, off, n)
}

// Has implements shardrpc.Session.
func (s *session) Has(ctx context.Context, refs []shardrpc.Ref) ([]bool, error) {
	has := make([]bool, len(refs))
	for i, r := range refs {
		_, err := s.Shelf.Stat(ctx, s.key(r))
		has[i] = err == nil
	}
	return has, nil
}

// Receipt implements shardrpc.Session.
func (s *session) Receipt(ctx context.Context, nonce shardrpc.Nonce, refs []shardrpc.Ref) (ident.Signed, error) {
	now := s.Now()
	r := ledger.Receipt{Vault: s.vault, Charter: s.charter, Device: s.device, Node: s.Node, Nonce: nonce,
		Time: now.UnixMilli(), Until: now.Add(ledger.LeastHold).UnixMilli()}
	for _, ref := range sorted(refs) {
		info, err := s.Shelf.Stat(ctx, s.key(ref))
		if err != nil {
			return ident.Signed{}, err
		}
		d, err := erasure.ParseDescriptor(info.Descriptor)
		if err != nil {
			return ident.Signed{}, err
		}
		r.Shards = append(r.Shards, ledger.ReceiptShard{Segment: ref.Segment, Index: int64(ref.Index), Shard: d.Shards[ref.Index]})
	}
	return ledger.SignReceipt(s.Vote, r)
}

// sorted is the order of shards in a receipt, each once.
func sorted(refs []shardrpc.Ref) []shardrpc.Ref {
	refs = slices.Clone(refs)
	slices.SortFunc(refs, compare)
	return slices.Compact(refs)
}

func compare(a, b shardrpc.Ref) int {
	return cmp.Or(a.Segment.Compare(b.Segment), cmp.Compare(a.Index, b.Index))
}

// Info implements shardrpc.Session. It counts for no device.
func (s *session) Info(ctx context.Context, devices ...ident.PublicKey) (shardrpc.Info, error) {
	u, err := s.Shelf.Usage(ctx)
	if err != nil {
		return shardrpc.Info{}, fmt.Errorf("describe node: %w", err)
	}
	return shardrpc.Info{Capacity: u.Capacity, Free: u.Capacity - u.Used, Network: s.Network, Clock: s.Now(), Charged: make([]int64, len(devices))}, nil
}
