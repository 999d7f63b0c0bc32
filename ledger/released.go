package ledger

import (
	"holdfast/internal/ident"
	"holdfast/internal/wire"
)

// Released is one certified release as a member serves it, in the order in which it
// has taken them in. A release that is taken back comes again, with the certificate
// of that.
type Released struct {
	V    int64 `cbor:"v"`
	Seq  int64 `cbor:"seq"` // from 1 on, ascending; this member's own numbers
	Cert Raw   `cbor:"cert"`
	Undo Raw   `cbor:"undo,omitzero"`
}

// ParseReleased checks the form. The certificates are for
// VerifyReleaseCertificate and VerifyUndoCertificate, under the charters that they
// name.
func ParseReleased(p []byte) (Released, error) {
	const what ident.Label = "released"
	var r Released
	if err := parse(what, p, MaxReleased, &r); err != nil {
		return Released{}, err
	}
	if r.Seq < 1 || r.Cert.IsZero() {
		return Released{}, invalid(what, "number %d", r.Seq)
	}
	return r, nil
}

// Encode returns r's bytes.
func (r Released) Encode() ([]byte, error) {
	r.V = version
	return wire.Encode(r)
}
