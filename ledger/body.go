package ledger

import (
	"fmt"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
)

// labelBody names bodies in errors; they are not signed on their own.
const labelBody ident.Label = "body"

// SnapshotBody is the body of an entry of kind snapshot.
type SnapshotBody struct {
	V        int64          `cbor:"v"`
	Nonce    [16]byte       `cbor:"nonce"`    // of the commit
	Segments []NewSegment   `cbor:"segments"` // the last one is the metadata segment
	Holders  []ident.Signed `cbor:"holders"`  // node certificates, no node twice
	Receipts []ident.Signed `cbor:"receipts"` // of the holders, in their order
	Sealed   []byte         `cbor:"sealed"`   // the sealed snapshot
	Refs     Raw            `cbor:"refs"`     // the reference set
	Partial  bool           `cbor:"partial,omitempty"`
}

// NewSegment is one new segment as it stands in a body.
type NewSegment struct {
	Descriptor []byte `cbor:"d"`
	Placement  []byte `cbor:"p"` // for shard i the row of the holders, or Nowhere
}

// Nowhere in a placement says that a shard has no holder.
const Nowhere = 255

// EnrolBody is the body of an entry that makes a key a device of the vault.
type EnrolBody struct {
	V      int64        `cbor:"v"`
	Grant  ident.Signed `cbor:"grant"`
	Sealed []byte       `cbor:"sealed,omitempty"` // the device's keys, sealed to its index recipient
}

// RevokeBody is the body of an entry that takes a device's rights, for ever.
type RevokeBody struct {
	V      int64           `cbor:"v"`
	Device ident.PublicKey `cbor:"device"`
}

// ParseSnapshotBody checks the form of a body, its counts and lengths. What is
// encoded inside is read by ParseSegments, ParseRefSet, VerifyNodeCertificate and
// VerifyReceipt.
func ParseSnapshotBody(p []byte) (SnapshotBody, error) {
	var b SnapshotBody
	if err := parse(labelBody, p, MaxBody, &b); err != nil {
		return SnapshotBody{}, err
	}
	return verified(b, b.validate())
}

// Encode returns b's bytes, which a reader accepts.
func (b SnapshotBody) Encode() ([]byte, error) {
	b.V = version
	if err := b.validate(); err != nil {
		return nil, err
	}
	p, err := wire.Encode(b)
	if err == nil && len(p) > MaxBody {
		err = fmt.Errorf("encode body: %w: %d bytes", ErrTooLarge, len(p))
	}
	return verified(p, err)
}

// RefsCID returns the name of the reference set inside.
func (b SnapshotBody) RefsCID() ident.CID { return ident.SumDagCBOR(b.Refs) }

func (b SnapshotBody) validate() error {
	switch {
	case len(b.Segments) < 1:
		return invalid(labelBody, "no segment")
	case len(b.Holders) < 1 || len(b.Holders) > MaxHolders:
		return invalid(labelBody, "%d holders", len(b.Holders))
	case len(b.Receipts) != len(b.Holders):
		return invalid(labelBody, "%d receipts of %d holders", len(b.Receipts), len(b.Holders))
	case len(b.Sealed) < 1 || len(b.Sealed) > MaxSealed:
		return invalid(labelBody, "sealed snapshot of %d bytes", len(b.Sealed))
	}
	return nil
}

// ParseEnrolBody checks the form of a body. The grant is for VerifyGrant.
func ParseEnrolBody(p []byte) (EnrolBody, error) {
	var b EnrolBody
	if err := parse(labelBody, p, MaxGrant+MaxDeviceKeys+MaxSmall, &b); err != nil {
		return EnrolBody{}, err
	}
	return verified(b, b.validate())
}

// Encode returns b's bytes, which a reader accepts.
func (b EnrolBody) Encode() ([]byte, error) {
	b.V = version
	if err := b.validate(); err != nil {
		return nil, err
	}
	return wire.Encode(b)
}

func (b EnrolBody) validate() error {
	if len(b.Sealed) > MaxDeviceKeys {
		return fmt.Errorf("%s: %w: sealed keys of %d bytes", labelBody, ErrTooLarge, len(b.Sealed))
	}
	return nil
}

// ParseRevokeBody checks the form of a body.
func ParseRevokeBody(p []byte) (RevokeBody, error) {
	var b RevokeBody
	err := parse(labelBody, p, MaxSmall, &b)
	return verified(b, err)
}

// Encode returns b's bytes.
func (b RevokeBody) Encode() ([]byte, error) {
	b.V = version
	return wire.Encode(b)
}
