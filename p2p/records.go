package p2p

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"strings"
	"time"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
)

// Name spaces of the DHT, and bounds on their values (docs/format.md, section 6).
const (
	nodeSpace     = "node"
	vaultSpace    = "vault"
	maxNodeRecord = ledger.MaxRecord
	maxVaultHint  = 1 << 20 // the charter is most of it
)

func nodeKey(node ident.PublicKey) string { return "/" + nodeSpace + "/" + string(node.Bytes()) }
func vaultKey(vault ident.CID) string     { return "/" + vaultSpace + "/" + string(vault.Bytes()) }

var errNoValue = errors.New("no valid value")

// nodeValidator judges values under /node/.
type nodeValidator struct {
	network string
	now     func() time.Time
}

// Validate accepts a record that the node of the key has signed, with a certificate
// that is valid now in this network.
func (v nodeValidator) Validate(key string, value []byte) error {
	_, err := v.parse(key, value)
	return err
}

// Select returns the value with the highest sequence number. The DHT asks it about
// values that have passed Validate.
func (v nodeValidator) Select(_ string, values [][]byte) (int, error) {
	return highest(values, maxNodeRecord)
}

func (v nodeValidator) parse(key string, value []byte) (ledger.NodeRecord, error) {
	var none ledger.NodeRecord
	node, err := ident.PublicKeyFromBytes([]byte(strings.TrimPrefix(key, "/"+nodeSpace+"/")))
	if err != nil {
		return none, fmt.Errorf("read node record's key: %w", err)
	}
	signed, err := parseSigned(value, maxNodeRecord)
	if err != nil {
		return none, err
	}
	r, err := ledger.VerifyNodeRecord(signed, node)
	if err != nil {
		return none, err
	}
	return r, acceptable(r.Certificate(), node, v.network, v.now())
}

// hintValidator judges values under /vault/.
type hintValidator struct{}

// Validate accepts a hint that a member of the first charter has signed, if that
// charter is the vault of the key.
func (v hintValidator) Validate(key string, value []byte) error {
	_, err := v.parse(key, value)
	return err
}

// Select returns the value with the highest sequence number. The DHT asks it about
// values that have passed Validate.
func (v hintValidator) Select(_ string, values [][]byte) (int, error) {
	return highest(values, maxVaultHint)
}

func (v hintValidator) parse(key string, value []byte) (ledger.VaultHint, error) {
	var none ledger.VaultHint
	vault, err := ident.CIDFromBytes([]byte(strings.TrimPrefix(key, "/"+vaultSpace+"/")))
	if err != nil {
		return none, fmt.Errorf("read vault hint's key: %w", err)
	}
	signed, err := parseSigned(value, maxVaultHint)
	if err != nil {
		return none, err
	}
	return ledger.VerifyVaultHint(signed, vault)
}

func parseSigned(value []byte, limit int) (ident.Signed, error) {
	var s ident.Signed
	if len(value) > limit {
		return s, fmt.Errorf("read record: %w: %d > %d", wire.ErrTooLong, len(value), limit)
	}
	if err := wire.Decode(value, &s); err != nil {
		return s, fmt.Errorf("read record: %w", err)
	}
	return s, nil
}

// highest returns the index of the value with the highest sequence number, the first
// of equals, leaving out those that have none. It verifies no signature.
func highest(values [][]byte, limit int) (int, error) {
	best, most := -1, int64(0)
	for i, value := range values {
		var r struct {
			Seq int64 `cbor:"seq"`
		}
		signed, err := parseSigned(value, limit)
		if err == nil {
			err = wire.Decode(signed.Object, &r)
		}
		if err == nil && (best < 0 || r.Seq > most) {
			best, most = i, r.Seq
		}
	}
	if best < 0 {
		return 0, errNoValue
	}
	return best, nil
}

// spaceClass is the floor of the binary logarithm of a number of bytes, 0 for none.
func spaceClass(space int64) int64 {
	if space < 1 {
		return 0
	}
	return int64(bits.Len64(uint64(space)) - 1)
}

// record asks the DHT for a node's record and puts it into the directory.
func (h *Host) record(ctx context.Context, key ident.PublicKey) (Node, error) {
	value, err := h.value(ctx, nodeKey(key))
	if err != nil {
		return Node{}, fmt.Errorf("find node %s: %w", key.Short(), err)
	}
	v := nodeValidator{h.Network(), h.Now}
	r, err := v.parse(nodeKey(key), value)
	if err != nil {
		return Node{}, fmt.Errorf("find node %s: %w", key.Short(), err)
	}
	p, err := peerOf(key)
	if err != nil {
		return Node{}, err
	}
	if err := h.Admit(r.Certificate()); err != nil {
		return Node{}, fmt.Errorf("find node %s: %w", key.Short(), err)
	}
	n := Node{Certificate: r.Certificate(), Signed: r.Cert, Addrs: formatAddrs(parseAddrs(p, r.Addrs))}
	n.State, n.Until = readState(State(r.State), r.Until, h.Now())
	if r.Space > 0 && r.Space < 63 {
		n.Space = 1 << r.Space
	}
	n, _ = h.nodes.put(n, "", h.Now())
	return n, nil
}

// value asks the DHT for the best valid value of a key, as long as a look-up may
// take.
func (h *Host) value(ctx context.Context, key string) ([]byte, error) {
	d, err := h.ready(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, h.timing.lookup)
	defer cancel()
	value, err := d.GetValue(ctx, key)
	if value != nil {
		return value, nil // the best of those who answered in time
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("%w (%w)", ErrUnreachable, ctx.Err())
	}
	return nil, fmt.Errorf("%w (%v)", ErrNotFound, err)
}
