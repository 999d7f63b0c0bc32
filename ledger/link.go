package ledger

import (
	"fmt"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
)

// labelLink names links in errors; they are not signed on their own.
const labelLink ident.Label = "link"

// Link is what members keep and serve for an entry.
type Link struct {
	V     int64          `cbor:"v"`
	Entry ident.Signed   `cbor:"entry"`
	Cert  Raw            `cbor:"cert,omitzero"`
	Body  []byte         `cbor:"body,omitempty"`
	Acks  []ident.Signed `cbor:"acks,omitempty"` // of a charter in force: of a quorum, sorted by operator
}

// ParseLink checks the form of a link. Nothing in it is verified.
func ParseLink(p []byte) (Link, error) {
	var l Link
	if err := parse(labelLink, p, MaxLink, &l); err != nil {
		return Link{}, err
	}
	if len(l.Body) > MaxBody || len(l.Cert) > MaxCertificate || len(l.Acks) > MaxMembers {
		return Link{}, fmt.Errorf("parse link: %w", ErrTooLarge)
	}
	return l, nil
}

// Encode returns l's bytes, which are what stands in a member's file.
func (l Link) Encode() ([]byte, error) {
	l.V = version
	return wire.Encode(l)
}

// Verify checks everything that is in l: the entry's signature and that it is of
// ch's vault, the certificate if there is one, the acks if there are any, and that
// the body, if there is one, is the entry's. What is absent is the caller's question.
func (l Link) Verify(ch Charter) (Entry, Certificate, error) {
	e, err := VerifyEntry(l.Entry)
	if err != nil {
		return Entry{}, Certificate{}, err
	}
	if e.Vault != ch.ID() {
		return Entry{}, Certificate{}, mismatch(labelLink, "vault %s", e.Vault)
	}
	if l.Body != nil && ident.SumDagCBOR(l.Body) != e.Body {
		return Entry{}, Certificate{}, fmt.Errorf("entry %s: %w", e.CID(), ErrBody)
	}
	if l.Cert.IsZero() && len(l.Acks) == 0 {
		return e, Certificate{}, nil
	}
	c, err := VerifyCertificate(l.Cert, ch)
	if err == nil {
		err = c.Certifies(e)
	}
	if err == nil {
		err = l.verifyAcks(ch, e, c)
	}
	if err != nil {
		return Entry{}, Certificate{}, err
	}
	return e, c, nil
}

// verifyAcks checks that acks, where there are any, make a charter final.
func (l Link) verifyAcks(ch Charter, e Entry, c Certificate) error {
	if len(l.Acks) == 0 {
		return nil
	}
	// SPEC: only for kind charter
	if e.Kind != KindCharter {
		return invalid(labelLink, "acks of an entry of kind %s", e.Kind)
	}
	if len(l.Acks) < ch.Quorum() {
		return fmt.Errorf("acks of entry %s: %w: %d of %d", e.CID(), ErrNoQuorum, len(l.Acks), ch.Quorum())
	}
	var last ident.PublicKey
	for i, s := range l.Acks {
		a, err := VerifyAck(s, ch)
		switch {
		case err != nil:
			return fmt.Errorf("ack %d: %w", i, err)
		// SPEC: at the certificate's own place
		case a.Place != c.place || a.Entry != c.Entry:
			return mismatch(labelLink, "ack %d is of entry %s at %v", i, a.Entry, a.Place)
		case i > 0 && last.Compare(a.Operator) >= 0:
			return invalid(labelLink, "acks are not sorted by operator, or one is there twice")
		}
		last = a.Operator
	}
	return nil
}
