package shardrpc

import (
	"fmt"
	"slices"
	"time"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
	"holdfast/p2p/rpc"
)

// The verbs.
const (
	opAuth    = "auth"
	opPut     = "put"
	opGet     = "get"
	opRange   = "range"
	opHas     = "has"
	opReceipt = "receipt"
	opInfo    = "info"

	opAudit     = "audit"
	opInventory = "inventory"
	opBucket    = "bucket"
)

// Bounds of what follows a frame.
var (
	authBounds    = rpc.Bounds{Count: maxCharters + 1, Each: ledger.MaxCharter + signedRoom, Total: 4 << 20}
	rowBounds     = rpc.Bounds{Count: 1, Each: erasure.MaxSegment, Total: erasure.MaxSegment}
	hasBounds     = rpc.Bounds{Count: 1, Each: refSize * MaxHas, Total: refSize * MaxHas}
	refsBounds    = rpc.Bounds{Count: 1, Each: refSize * MaxReceipt, Total: refSize * MaxReceipt}
	receiptBounds = rpc.Bounds{Count: 1, Each: ledger.MaxReceipt + signedRoom, Total: ledger.MaxReceipt + signedRoom}
)

const (
	maxCharters = 64
	signedRoom  = 1 << 10 // what a signed object is longer than the object
)

type header struct {
	Op string `cbor:"op"`
}

// authRequest is followed by the charters, and by the grant if Grant is true.
type authRequest struct {
	Op    string    `cbor:"op"`
	Vault ident.CID `cbor:"vault"`
	Grant bool      `cbor:"grant,omitempty"`
	Parts []uint64  `cbor:"parts,omitempty"`
}

// putRequest is followed by the row.
type putRequest struct {
	Op         string `cbor:"op"`
	Nonce      Nonce  `cbor:"nonce"`
	Index      uint64 `cbor:"index"`
	Descriptor []byte `cbor:"d"`
}

type getRequest struct {
	Op      string    `cbor:"op"`
	Segment ident.CID `cbor:"s"`
	Index   uint64    `cbor:"i"`
}

// getAnswer is followed by the payload.
type getAnswer struct {
	Status uint64 `cbor:"status"`
	Size   uint64 `cbor:"size"`
}

type rangeRequest struct {
	Op      string    `cbor:"op"`
	Segment ident.CID `cbor:"s"`
	Index   uint64    `cbor:"i"`
	Off     uint64    `cbor:"off"`
	N       uint64    `cbor:"n"`
}

// okAnswer says yes. After a range it is followed by the slice.
type okAnswer struct {
	Status uint64 `cbor:"status"`
}

// hasRequest is followed by the rows of its shards.
type hasRequest struct {
	Op    string   `cbor:"op"`
	Parts []uint64 `cbor:"parts"`
}

// hasAnswer has a byte for each shard, 0 or 1.
type hasAnswer struct {
	Status uint64 `cbor:"status"`
	Has    []byte `cbor:"has"`
}

// receiptRequest is followed by the rows of its shards.
type receiptRequest struct {
	Op    string   `cbor:"op"`
	Nonce Nonce    `cbor:"nonce"`
	Parts []uint64 `cbor:"parts"`
}

// receiptAnswer is followed by the signed receipt.
type receiptAnswer struct {
	Status uint64   `cbor:"status"`
	Parts  []uint64 `cbor:"parts"`
}

type infoRequest struct {
	Op      string            `cbor:"op"`
	Devices []ident.PublicKey `cbor:"devices,omitempty"`
}

type infoAnswer struct {
	Status   uint64  `cbor:"status"`
	Capacity uint64  `cbor:"capacity"`
	Free     uint64  `cbor:"free"`
	Used     uint64  `cbor:"used,omitempty"`
	Quota    uint64  `cbor:"quota,omitempty"`
	Network  string  `cbor:"network"`
	Clock    int64   `cbor:"clock"`
	Charged  []int64 `cbor:"charged,omitempty"`
}

// decode reads a request's frame; what it refuses is a bad request.
func decode(p []byte, v any) error {
	if err := wire.Decode(p, v); err != nil {
		return fmt.Errorf("%w: %w", ErrBadRequest, err)
	}
	return nil
}

func parseRef(segment ident.CID, index uint64) (Ref, error) {
	if index >= erasure.MaxShards || segment.Codec() != ident.DagCBOR {
		return Ref{}, fmt.Errorf("%w: no name of a shard", ErrBadRequest)
	}
	return Ref{Segment: segment, Index: int(index)}, nil
}

// parsePut checks what can be checked before the row is read, and says how long the
// row is.
func parsePut(p []byte) (putRequest, uint64, error) {
	var m putRequest
	if err := decode(p, &m); err != nil {
		return m, 0, err
	}
	d, err := erasure.ParseDescriptor(m.Descriptor)
	if err != nil {
		return m, 0, fmt.Errorf("%w: %w", ErrBadRequest, err)
	}
	if m.Index >= d.N {
		return m, 0, fmt.Errorf("%w: index %d of n = %d", ErrBadRequest, m.Index, d.N)
	}
	return m, uint64(d.RowSize()), nil
}

// credential puts together what auth has brought.
func (m authRequest) credential(parts [][]byte) (Credential, error) {
	var c Credential
	for i, p := range parts {
		var s ident.Signed
		if err := decode(p, &s); err != nil {
			return Credential{}, err
		}
		switch {
		case m.Grant && i == len(parts)-1:
			c.Grant = s
		case i == 0:
			c.Charter = s
		default:
			c.Successors = append(c.Successors, s)
		}
	}
	if m.Grant && c.Grant.IsZero() {
		return Credential{}, fmt.Errorf("%w: no grant", ErrBadRequest)
	}
	return c, nil
}

// greeting encodes auth with its parts.
func greeting(vault ident.CID, c Credential) ([][]byte, error) {
	m := authRequest{Op: opAuth, Vault: vault, Grant: !c.Grant.IsZero()}
	var parts [][]byte
	for _, s := range append(append([]ident.Signed{c.Charter}, c.Successors...), c.Grant) {
		if s.IsZero() {
			continue
		}
		p, err := wire.Encode(s)
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	m.Parts = rpc.Lengths(parts)
	if err := authBounds.Check(m.Parts); err != nil {
		return nil, err
	}
	p, err := wire.Encode(m)
	if err != nil {
		return nil, err
	}
	return append([][]byte{wire.AppendFrame(nil, p)}, parts...), nil
}

// info checks an answer to a question about so many devices.
func (a infoAnswer) info(devices int) (Info, error) {
	const most = 1<<63 - 1
	negative := slices.ContainsFunc(a.Charged, func(n int64) bool { return n < 0 })
	if max(a.Capacity, a.Free, a.Used, a.Quota) > most || negative || len(a.Charged) != devices || len(a.Network) > ledger.MaxNetwork || !networkName(a.Network) {
		return Info{}, fmt.Errorf("%w: no info of a node", rpc.ErrProtocol)
	}
	return Info{
		Capacity: int64(a.Capacity), Free: int64(a.Free), Used: int64(a.Used), Quota: int64(a.Quota),
		Charged: a.Charged, Network: a.Network, Clock: time.UnixMilli(a.Clock),
	}, nil
}

func networkName(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return s != ""
}
