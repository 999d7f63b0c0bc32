package ledger

import (
	"fmt"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
)

// NodeRequest is what a node hands to its operator, whose key is kept offline, in
// order to be certified. Nothing in it is secret. Zone is what the node proposes: the
// operator certifies the one that he wants.
type NodeRequest struct {
	V       int64           `cbor:"v"`
	Network string          `cbor:"network"`
	Zone    string          `cbor:"zone"`
	Node    ident.PublicKey `cbor:"node"`
	Vote    ident.PublicKey `cbor:"vote"`
	Proof   ident.Signature `cbor:"proof"`   // by the vote key: it is this node's
	Serial  int64           `cbor:"serial"`  // of the certificate that the node has, 0 for none
	Created int64           `cbor:"created"` // ms, the node's clock; decides nothing
}

// votePossession is what a vote key signs to show that it belongs to a node.
type votePossession struct {
	V    int64           `cbor:"v"`
	Node ident.PublicKey `cbor:"node"`
}

// SignNodeRequest signs r with the node's key and the vote key, both of which are
// filled in: nobody can have another one's key certified.
func SignNodeRequest(node, vote ident.PrivateKey, r NodeRequest) (ident.Signed, error) {
	r.V, r.Node, r.Vote = version, node.Public(), vote.Public()
	p, err := wire.Encode(votePossession{V: version, Node: r.Node})
	if err != nil {
		return ident.Signed{}, fmt.Errorf("sign %s: %w", LabelNodeVote, err)
	}
	r.Proof = vote.Sign(LabelNodeVote, ident.CID{}, p).Signature
	if err := r.validate(); err != nil {
		return ident.Signed{}, err
	}
	return sign(node, LabelNodeRequest, ident.CID{}, MaxSmall, r)
}

// VerifyNodeRequest checks form and both signatures, by the keys inside.
func VerifyNodeRequest(s ident.Signed) (NodeRequest, error) {
	var r NodeRequest
	if err := parse(LabelNodeRequest, s.Object, MaxSmall, &r); err != nil {
		return NodeRequest{}, err
	}
	if err := r.validate(); err != nil {
		return NodeRequest{}, err
	}
	if err := check(s, r.Node, LabelNodeRequest, ident.CID{}); err != nil {
		return NodeRequest{}, err
	}
	p, err := wire.Encode(votePossession{V: version, Node: r.Node})
	if err != nil {
		return NodeRequest{}, fmt.Errorf("verify %s: %w", LabelNodeVote, err)
	}
	return verified(r, check(ident.Signed{Object: p, Signature: r.Proof}, r.Vote, LabelNodeVote, ident.CID{}))
}

func (r NodeRequest) validate() error {
	const what = LabelNodeRequest
	switch {
	case !validNetwork(r.Network):
		return invalid(what, "network %q", r.Network)
	case !validName(r.Zone):
		return invalid(what, "zone")
	case r.Node == r.Vote:
		return invalid(what, "one key in two places")
	case r.Serial < 0:
		return invalid(what, "serial %d", r.Serial)
	case !validTime(r.Created):
		return invalid(what, "created %d", r.Created)
	}
	return nil
}
