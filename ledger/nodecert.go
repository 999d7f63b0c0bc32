package ledger

import (
	"fmt"
	"time"

	"holdfast/internal/ident"
)

// NodeCertificate is an operator's word that a node is his, in which network, and
// under which vote key it signs.
type NodeCertificate struct {
	V        int64           `cbor:"v"`
	Network  string          `cbor:"network"`
	Operator ident.PublicKey `cbor:"operator"`
	Name     string          `cbor:"name"` // the operator's
	Node     ident.PublicKey `cbor:"node"`
	Vote     ident.PublicKey `cbor:"vote"`
	Zone     string          `cbor:"zone"`
	Serial   int64           `cbor:"serial"`  // of two for one node the higher counts
	Issued   int64           `cbor:"issued"`  // ms
	Expires  int64           `cbor:"expires"` // ms
}

// SignNodeCertificate signs c as its operator, whose key is filled in. What
// VerifyNodeCertificate would refuse is an error here.
func SignNodeCertificate(operator ident.PrivateKey, c NodeCertificate) (ident.Signed, error) {
	c.V, c.Operator = version, operator.Public()
	if err := c.validate(); err != nil {
		return ident.Signed{}, err
	}
	return sign(operator, LabelNodeCertificate, ident.CID{}, MaxSmall, c)
}

// VerifyNodeCertificate checks form and signature, the latter by the operator key
// inside. Whether that operator is wanted, and whether the certificate is valid
// now, is the caller's question: see ValidAt.
func VerifyNodeCertificate(s ident.Signed) (NodeCertificate, error) {
	var c NodeCertificate
	if err := parse(LabelNodeCertificate, s.Object, MaxSmall, &c); err != nil {
		return NodeCertificate{}, err
	}
	if err := c.validate(); err != nil {
		return NodeCertificate{}, err
	}
	return verified(c, check(s, c.Operator, LabelNodeCertificate, ident.CID{}))
}

// ValidAt returns ErrExpired if c is not valid at t. An issuer's clock may be
// ClockSkew ahead.
func (c NodeCertificate) ValidAt(t time.Time) error {
	if t.Add(ClockSkew).Before(Time(c.Issued)) || !t.Before(Time(c.Expires)) {
		return fmt.Errorf("certificate of node %s: %w", c.Node, ErrExpired)
	}
	return nil
}

func (c NodeCertificate) validate() error {
	const what = LabelNodeCertificate
	switch {
	case !validNetwork(c.Network):
		return invalid(what, "network %q", c.Network)
	case !validName(c.Name) || !validName(c.Zone):
		return invalid(what, "name or zone")
	// SPEC: Operator, node and vote key MUST differ.
	case c.Operator == c.Node || c.Operator == c.Vote || c.Node == c.Vote:
		return invalid(what, "one key in two places")
	case c.Serial < 0:
		return invalid(what, "serial %d", c.Serial)
	case !validTime(c.Issued) || !validTime(c.Expires) || c.Issued >= c.Expires:
		return invalid(what, "times")
	}
	return nil
}
