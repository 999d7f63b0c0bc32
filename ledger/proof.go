package ledger

import (
	"bytes"
	"errors"
	"fmt"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
)

// labelProof names receipts of snapshots in errors; they are not signed on their own.
const labelProof ident.Label = "receipt of a snapshot"

// proofMagic is how the file of a proof begins.
var proofMagic = []byte{0x68, 0x66, 0x72, 0x63, 0x70, 0x74, 0x31, 0x00}

// ErrNotProof says that a file is no receipt of a snapshot, or of a version that this
// program does not know; ErrProof that it is one, and was cut off or altered, or never
// was true.
var (
	ErrNotProof = errors.New("not a receipt of a snapshot")
	ErrProof    = errors.New("the receipt does not verify")
)

// Proof is all that it takes to show, offline and without a key, that a quorum of a
// vault's members certified a snapshot, and who promised to hold its shards. Nothing
// in it is secret, and nothing in it can be read without the vault's keys.
type Proof struct {
	V           int64        `cbor:"v"`
	Charter     ident.Signed `cbor:"charter"`               // the first
	Successions []Link       `cbor:"successions,omitempty"` // of the charters after it, with bodies and acks
	Link        Link         `cbor:"link"`                  // the snapshot's, with certificate and body

	// Earlier is every entry of the lanes that the snapshot's reference set names, up to
	// where it counts them, with bodies and without certificates: the snapshot's own
	// binds them by their hashes. Sorted by lane and height. All of them, or none; then
	// the proof is about the snapshot's new segments alone.
	Earlier    []Link      `cbor:"earlier,omitempty"`
	Placements []Placement `cbor:"placements,omitempty"` // later ones, of any of the segments
}

// Encode returns the file of a proof.
func (p Proof) Encode() ([]byte, error) {
	p.V = version
	data, err := wire.Encode(p)
	if err == nil && len(proofMagic)+len(data)+ident.HashSize > MaxProof {
		err = fmt.Errorf("%s: %w: %d bytes of at most %d", labelProof, ErrTooLarge, len(data), MaxProof)
	}
	if err != nil {
		return nil, err
	}
	file := append(bytes.Clone(proofMagic), data...)
	sum := ident.SumRaw(file).Hash()
	return append(file, sum[:]...), nil
}

// ParseProof reads the file of a proof. Nothing in it is verified.
func ParseProof(file []byte) (Proof, error) {
	data, ok := bytes.CutPrefix(file, proofMagic)
	if !ok {
		return Proof{}, ErrNotProof
	}
	if len(file) > MaxProof {
		return Proof{}, fmt.Errorf("%w: %w: %d bytes of at most %d", ErrNotProof, ErrTooLarge, len(file), MaxProof)
	}
	// The checksum is no security: it tells a file that was damaged from one that lies.
	end := len(data) - ident.HashSize
	if end < 0 || ident.SumRaw(file[:len(file)-ident.HashSize]).Hash() != [ident.HashSize]byte(data[end:]) {
		return Proof{}, fmt.Errorf("%w: it was cut off or altered", ErrProof)
	}
	var p Proof
	err := wire.DecodeVersion(data[:end], version, &p)
	switch {
	case errors.Is(err, ErrVersion):
		return Proof{}, fmt.Errorf("%w: %w", ErrNotProof, err)
	case err != nil:
		return Proof{}, fmt.Errorf("%w: %w", ErrProof, err)
	}
	return p, nil
}
