package ledger

import "holdfast/internal/ident"

// NodeRecord is what a node publishes about itself in the DHT.
type NodeRecord struct {
	V     int64        `cbor:"v"`
	Cert  ident.Signed `cbor:"cert"`            // node certificate
	Addrs []string     `cbor:"addrs"`           // multiaddrs
	Space int64        `cbor:"space"`           // log2 of the free bytes, 0 for none
	Seq   int64        `cbor:"seq"`             // the higher wins
	State string       `cbor:"state,omitempty"` // what the node announces; unknown words are none
	Until int64        `cbor:"until,omitempty"` // ms, with a state that ends

	certificate NodeCertificate
}

// Certificate returns the verified certificate of a record that VerifyNodeRecord
// has returned.
func (r NodeRecord) Certificate() NodeCertificate { return r.certificate }

// SignNodeRecord signs r with the node's key.
func SignNodeRecord(node ident.PrivateKey, r NodeRecord) (ident.Signed, error) {
	r.V = version
	if err := r.validate(node.Public()); err != nil {
		return ident.Signed{}, err
	}
	return sign(node, LabelNodeRecord, ident.CID{}, MaxRecord, r)
}

// VerifyNodeRecord checks a record that was found under a node's key: its form, the
// certificate inside, that it is that node's, and its signature.
func VerifyNodeRecord(s ident.Signed, node ident.PublicKey) (NodeRecord, error) {
	var r NodeRecord
	if err := parse(LabelNodeRecord, s.Object, MaxRecord, &r); err != nil {
		return NodeRecord{}, err
	}
	if err := r.validate(node); err != nil {
		return NodeRecord{}, err
	}
	return verified(r, check(s, node, LabelNodeRecord, ident.CID{}))
}

func (r *NodeRecord) validate(node ident.PublicKey) error {
	const what = LabelNodeRecord
	c, err := VerifyNodeCertificate(r.Cert)
	switch {
	case err != nil:
		return err
	case c.Node != node:
		return mismatch(what, "certificate of node %s", c.Node)
	case !validAddrs(r.Addrs):
		return invalid(what, "addresses")
	case len(r.State) > MaxName || !validTime(r.Until):
		return invalid(what, "state")
	case r.Space < 0 || r.Space > 63 || r.Seq < 0:
		return invalid(what, "space %d, seq %d", r.Space, r.Seq)
	}
	r.certificate = c
	return nil
}
