package p2p

import (
	"bytes"
	"context"
	"fmt"
	"sync/atomic"

	dht "github.com/libp2p/go-libp2p-kad-dht"
	pb "github.com/libp2p/go-libp2p-kad-dht/pb"
	"github.com/libp2p/go-libp2p/core/peer"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
)

// PutHint publishes a member's hint about a vault, now and, until Withdraw or
// Close, again before others forget it. It returns how many other nodes hold
// exactly this hint, each of them asked; 0 without an error means that all of them
// refused it, or know a newer one. An error wraps ErrUnreachable while there is no
// other node; the hint then follows when there is one.
func (h *Host) PutHint(ctx context.Context, hint ident.Signed) (held int, err error) {
	if !h.isNode() {
		return 0, ErrNotNode
	}
	key, value, err := encodeHint(hint)
	if err != nil {
		return 0, fmt.Errorf("publish vault hint: %w", err)
	}
	h.memory.hint(key, value)
	d, err := h.company()
	if err == nil {
		held, err = h.putHint(ctx, d, key, value)
	}
	if err != nil {
		return held, fmt.Errorf("publish vault hint: %w", err)
	}
	return held, nil
}

// encodeHint returns the DHT's key and value for a hint that others would accept.
func encodeHint(hint ident.Signed) (key string, value []byte, err error) {
	var inside ledger.VaultHint
	if err := wire.Decode(hint.Object, &inside); err != nil {
		return "", nil, err
	}
	if value, err = wire.Encode(hint); err != nil {
		return "", nil, err
	}
	key = vaultKey(inside.Charter.CID())
	return key, value, hintValidator{}.Validate(key, value)
}

func (h *Host) putHint(ctx context.Context, d *dht.IpfsDHT, key string, value []byte) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, h.timing.lookup)
	defer cancel()
	if err := d.PutValue(ctx, key, value); err != nil {
		return 0, err
	}
	return h.holders(ctx, d, key, value)
}

// holders counts the nodes that hold a value. PutValue does not tell: it returns nil
// even if all refuse, and GetValue then finds the copy of this node.
func (h *Host) holders(ctx context.Context, d *dht.IpfsDHT, key string, value []byte) (int, error) {
	pm, err := pb.NewProtocolMessenger(d.MessageSender())
	if err != nil {
		return 0, err
	}
	peers, err := d.GetClosestPeers(ctx, key)
	if err != nil {
		return 0, err
	}
	var held atomic.Int64
	forEach(peers, greetAtOnce, func(p peer.ID) {
		r, _, err := pm.GetValue(ctx, p, key)
		if err == nil && r != nil && bytes.Equal(r.GetValue(), value) {
			held.Add(1)
		}
	})
	return int(held.Load()), nil
}

// GetHint returns the newest hint about a vault that the DHT has, its signatures
// verified: ErrNotFound if it has none, ErrUnreachable if nobody could be asked.
// It says where to ask, and never what is true.
func (h *Host) GetHint(ctx context.Context, vault ident.CID) (ledger.VaultHint, error) {
	if !vault.Defined() {
		return ledger.VaultHint{}, fmt.Errorf("find vault hint: %w", ident.ErrCID)
	}
	value, err := h.value(ctx, vaultKey(vault))
	if err != nil {
		return ledger.VaultHint{}, fmt.Errorf("find vault hint: %w", err)
	}
	return hintValidator{}.parse(vaultKey(vault), value)
}
