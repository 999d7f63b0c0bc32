package ledger

import "holdfast/internal/ident"

// InventorySize is the length of an inventory's buckets: a BLAKE3 digest for each of the
// 256 first bytes that a segment's digest can have.
const InventorySize = 256 * ident.HashSize

// Inventory is a holder's word about all the shards that it has of a vault. What the
// buckets are digests of stands in package ledger/custody.
type Inventory struct {
	V       int64           `cbor:"v"`
	Vault   ident.CID       `cbor:"vault"`
	Node    ident.PublicKey `cbor:"node"`
	Nonce   [16]byte        `cbor:"nonce"` // of who asks
	Time    int64           `cbor:"time"`  // ms
	Shards  int64           `cbor:"shards"`
	Bytes   int64           `cbor:"bytes"`   // of their payloads
	Buckets []byte          `cbor:"buckets"` // InventorySize of them
}

// SignInventory signs i with the vote key of the holder's certificate.
func SignInventory(vote ident.PrivateKey, i Inventory) (ident.Signed, error) {
	i.V = version
	if err := i.validate(); err != nil {
		return ident.Signed{}, err
	}
	return sign(vote, LabelInventory, i.Vault, MaxInventory, i)
}

// VerifyInventory checks the answer of a holder to a question with a nonce. The
// certificate is the holder's, verified. That the inventory is true is for audits to find
// out.
func VerifyInventory(s ident.Signed, holder NodeCertificate, vault ident.CID, nonce [16]byte) (Inventory, error) {
	var i Inventory
	if err := parse(LabelInventory, s.Object, MaxInventory, &i); err != nil {
		return Inventory{}, err
	}
	if i.Vault != vault || i.Node != holder.Node || i.Nonce != nonce {
		return Inventory{}, mismatch(LabelInventory, "answer of node %s", i.Node)
	}
	if err := i.validate(); err != nil {
		return Inventory{}, err
	}
	return verified(i, check(s, holder.Vote, LabelInventory, vault))
}

func (i Inventory) validate() error {
	switch {
	case !structure(i.Vault) || !validTime(i.Time):
		return invalid(LabelInventory, "vault or time")
	case i.Shards < 0 || i.Bytes < 0:
		return invalid(LabelInventory, "%d shards of %d bytes", i.Shards, i.Bytes)
	case len(i.Buckets) != InventorySize:
		return invalid(LabelInventory, "buckets of %d bytes", len(i.Buckets))
	}
	return nil
}
