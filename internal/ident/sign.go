package ident

import (
	"crypto/ed25519"
	"slices"
)

// Label says what a signature is for. A signature made for one label never
// verifies under another. It is ASCII without zero bytes; the labels in use are
// listed in docs/format.md, section 6.
type Label string

const signaturePrefix = "holdfast signature v1"

// message returns the bytes that are signed.
//
//	SPEC: "holdfast signature v1" || 00 || label || 00 || scope || object CID
//
// What follows the label has 36 or 72 bytes, so no two pairs of scope and object
// give the same message.
func message(label Label, scope, object CID) []byte {
	m := slices.Concat([]byte(signaturePrefix), []byte{0}, []byte(label), []byte{0})
	if scope.Defined() {
		m = scope.append(m)
	}
	return object.append(m)
}

// Signed is an encoded object with one signature over its CID. Object holds the
// bytes exactly as they were signed or received.
type Signed struct {
	Object    []byte    `cbor:"o"`
	Signature Signature `cbor:"s"`
}

// Sign signs an encoded object for a label. Scope is the vault that the object
// belongs to; the zero CID if it belongs to none. It panics if there is no key.
func (k PrivateKey) Sign(label Label, scope CID, object []byte) Signed {
	m := message(label, scope, SumDagCBOR(object))
	return Signed{Object: object, Signature: Signature(ed25519.Sign(k.must(), m))}
}

// CID names the signed object; the signature is no part of the name.
func (s Signed) CID() CID { return SumDagCBOR(s.Object) }

// Verify checks the signature by k. The error is ErrSignature and nothing more.
func (s Signed) Verify(k PublicKey, label Label, scope CID) error {
	if k.weak() || !ed25519.Verify(k[:], message(label, scope, s.CID()), s.Signature[:]) {
		return ErrSignature
	}
	return nil
}

// IsZero lets an encoder leave out an optional signed object.
func (s Signed) IsZero() bool { return len(s.Object) == 0 && s.Signature == Signature{} }
