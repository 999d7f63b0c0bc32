package ledger

import "holdfast/internal/ident"

// MemberKey is a node's word that it will sign for a vault under a vote key of its
// own, once a charter names that key. Its certificate's vote key goes on signing
// receipts.
type MemberKey struct {
	V        int64           `cbor:"v"`
	Vault    ident.CID       `cbor:"vault,omitzero"` // none for a vault that is to be created
	Nonce    [16]byte        `cbor:"nonce"`          // of who asks
	Operator ident.PublicKey `cbor:"operator"`
	Node     ident.PublicKey `cbor:"node"`
	Vote     ident.PublicKey `cbor:"vote"`  // new, for this vault alone
	Clock    int64           `cbor:"clock"` // ms
}

// SignMemberKey signs k with the vote key of the node's certificate.
func SignMemberKey(certified ident.PrivateKey, k MemberKey) (ident.Signed, error) {
	k.V = version
	if err := k.validate(); err != nil {
		return ident.Signed{}, err
	}
	return sign(certified, LabelMemberKey, ident.CID{}, MaxSmall, k)
}

// VerifyMemberKey checks the answer of a node to a question with a nonce, by its
// verified certificate. Whether that is valid now is the caller's question.
func VerifyMemberKey(s ident.Signed, c NodeCertificate, vault ident.CID, nonce [16]byte) (MemberKey, error) {
	var k MemberKey
	if err := parse(LabelMemberKey, s.Object, MaxSmall, &k); err != nil {
		return MemberKey{}, err
	}
	if k.Vault != vault || k.Nonce != nonce || k.Operator != c.Operator || k.Node != c.Node {
		return MemberKey{}, mismatch(LabelMemberKey, "answer of node %s", k.Node)
	}
	if err := k.validate(); err != nil {
		return MemberKey{}, err
	}
	return verified(k, check(s, c.Vote, LabelMemberKey, ident.CID{}))
}

func (k MemberKey) validate() error {
	switch {
	case k.Vault.Defined() && !structure(k.Vault):
		return invalid(LabelMemberKey, "vault names no structure")
	// SPEC: operator, node and vote key MUST differ
	case k.Vote.IsZero() || k.Vote == k.Operator || k.Vote == k.Node:
		return invalid(LabelMemberKey, "one key in two places")
	case !validTime(k.Clock):
		return invalid(LabelMemberKey, "clock %d", k.Clock)
	}
	return nil
}
