package ledgerrpc

import (
	"fmt"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
	"holdfast/p2p/rpc"
)

type header struct {
	Op Verb `cbor:"op"`
}

// vaultRequest asks about a vault, or brings something for it.
type vaultRequest struct {
	Op    Verb         `cbor:"op"`
	Vault ident.CID    `cbor:"vault"`
	Grant ident.Signed `cbor:"grant,omitzero"`
	Parts []uint64     `cbor:"parts,omitempty"`
}

// ownerRequest asks for vaults by the owner's ID.
type ownerRequest struct {
	Op    Verb                 `cbor:"op"`
	Owner [ident.HashSize]byte `cbor:"owner"`
}

// nonceRequest asks for a signed answer.
type nonceRequest struct {
	Op    Verb      `cbor:"op"`
	Vault ident.CID `cbor:"vault"`
	Nonce [16]byte  `cbor:"nonce"`
	Parts []uint64  `cbor:"parts,omitempty"`
}

type linksRequest struct {
	Op    Verb            `cbor:"op"`
	Vault ident.CID       `cbor:"vault"`
	Lane  ident.PublicKey `cbor:"lane"`
	From  int64           `cbor:"from"`
	Limit uint64          `cbor:"limit"`
}

// nameRequest asks for an entry or a body by its CID.
type nameRequest struct {
	Op    Verb         `cbor:"op"`
	Vault ident.CID    `cbor:"vault"`
	Name  ident.CID    `cbor:"name"`
	Grant ident.Signed `cbor:"grant,omitzero"`
}

type acceptRequest struct {
	Op    Verb     `cbor:"op"`
	Parts []uint64 `cbor:"parts"`
}

// answer is every answer: it is followed by its parts.
type answer struct {
	Status uint64   `cbor:"status"`
	Parts  []uint64 `cbor:"parts,omitempty"`
}

// decode reads a request's frame; what it refuses is a bad request.
func decode(p []byte, v any) error {
	if err := wire.Decode(p, v); err != nil {
		return fmt.Errorf("%w: %w", ErrBadRequest, err)
	}
	return nil
}

// parseLinks checks what is asked for. More than MaxLinks at once is no error: they
// come on the next page.
func parseLinks(p []byte) (linksRequest, error) {
	var m linksRequest
	if err := decode(p, &m); err != nil {
		return m, err
	}
	if m.From < 1 || m.Limit < 1 {
		return m, fmt.Errorf("%w: no links", ErrBadRequest)
	}
	m.Limit = min(m.Limit, MaxLinks)
	return m, nil
}

// parseSigned reads a part.
func parseSigned(p []byte) (ident.Signed, error) {
	var s ident.Signed
	err := decode(p, &s)
	return s, err
}

// encodeSigned makes parts of signed objects.
func encodeSigned(signed ...ident.Signed) ([][]byte, error) {
	parts := make([][]byte, len(signed))
	for i, s := range signed {
		p, err := wire.Encode(s)
		if err != nil {
			return nil, err
		}
		parts[i] = p
	}
	return parts, nil
}

// encodeSegments writes CIDs one after another.
func encodeSegments(segments []ident.CID) ([]byte, error) {
	p := make([]byte, 0, ident.CIDSize*len(segments))
	for _, c := range segments {
		if c.Codec() != ident.DagCBOR {
			return nil, fmt.Errorf("encode segment %v: %w: no name of a segment", c, ErrBadRequest)
		}
		p = append(p, c.Bytes()...)
	}
	return p, nil
}

// parseSegments accepts exactly what encodeSegments produces, from one segment on.
func parseSegments(p []byte) ([]ident.CID, error) {
	if len(p) == 0 || len(p)%ident.CIDSize != 0 {
		return nil, fmt.Errorf("parse segments: %w: %d bytes", ErrBadRequest, len(p))
	}
	segments := make([]ident.CID, 0, len(p)/ident.CIDSize)
	for ; len(p) > 0; p = p[ident.CIDSize:] {
		c, err := ident.CIDFromBytes(p[:ident.CIDSize])
		if err != nil || c.Codec() != ident.DagCBOR {
			return nil, fmt.Errorf("parse segments: %w: no name of a segment", ErrBadRequest)
		}
		segments = append(segments, c)
	}
	return segments, nil
}

// bounds gives each part its own limit.
func bounds(lengths []uint64, most ...uint64) (rpc.Bounds, error) {
	b := rpc.Bounds{Count: len(most)}
	if len(lengths) != len(most) {
		return b, fmt.Errorf("%w: %d parts, not %d", ErrBadRequest, len(lengths), len(most))
	}
	for i, m := range most {
		if lengths[i] > m {
			return b, fmt.Errorf("%w: part %d has %d bytes, at most %d", ErrBadRequest, i, lengths[i], m)
		}
		b.Each, b.Total = max(b.Each, m), b.Total+m
	}
	return b, nil
}

// Bounds of the answers. A page of links, or of evidence, is full when it has passed
// its size, so that one of them always fits.
var (
	chartersAnswer    = rpc.Bounds{Count: maxCharters, Each: maxCharter, Total: maxAnswer}
	vaultsAnswer      = rpc.Bounds{Count: maxVaults, Each: maxCharter, Total: maxVaults * maxCharter}
	linksAnswer       = rpc.Bounds{Count: MaxLinks, Each: maxShortLink, Total: maxPage + maxShortLink}
	entryAnswer       = rpc.Bounds{Count: 1, Each: maxShortLink, Total: maxShortLink}
	bodyAnswer        = rpc.Bounds{Count: 1, Each: ledger.MaxBody, Total: ledger.MaxBody}
	successionsAnswer = rpc.Bounds{Count: ledger.MaxCharters, Each: ledger.MaxLink, Total: maxPage + ledger.MaxLink}
	placementsAnswer  = rpc.Bounds{Count: 2 * maxPlaced, Each: ledger.MaxReceipt + signedRoom, Total: maxAnswer}
	evidenceAnswer    = rpc.Bounds{Count: maxEvidence, Each: ledger.MaxEvidence, Total: maxPage + ledger.MaxEvidence}
)

const (
	maxCharter  = ledger.MaxCharter + signedRoom
	maxSmall    = ledger.MaxSmall + signedRoom
	maxSegments = ledger.MaxStates * ident.CIDSize
)
