package ledger

import "holdfast/internal/ident"

// Held is a member's word about one node: how many of the vault's shards it holds, by
// what counts in the member's ledger, on its disk. A node that gives away all that it
// holds collects these words.
type Held struct {
	V        int64           `cbor:"v"`
	Vault    ident.CID       `cbor:"vault"`
	Charter  ident.CID       `cbor:"charter"` // the newest it holds
	Nonce    [16]byte        `cbor:"nonce"`   // of who asks
	Operator ident.PublicKey `cbor:"operator"`
	Clock    int64           `cbor:"clock"` // ms
	Node     ident.PublicKey `cbor:"node"`
	Shards   int64           `cbor:"shards"`
	Bytes    int64           `cbor:"bytes"` // of their payloads
}

// SignHeld signs h with the member's vote key.
func SignHeld(vote ident.PrivateKey, h Held) (ident.Signed, error) {
	h.V = version
	if err := h.validate(); err != nil {
		return ident.Signed{}, err
	}
	return sign(vote, LabelHeld, h.Vault, MaxSmall, h)
}

// VerifyHeld checks that s is a word of member m of ch about a node. The nonce is part of
// what is signed, and returned: whoever has asked compares it.
func VerifyHeld(s ident.Signed, ch Charter, m Member, node ident.PublicKey) (Held, error) {
	var h Held
	if err := parse(LabelHeld, s.Object, MaxSmall, &h); err != nil {
		return Held{}, err
	}
	if h.Vault != ch.ID() || h.Operator != m.Operator || h.Node != node {
		return Held{}, mismatch(LabelHeld, "answer of operator %s about node %s", h.Operator, h.Node)
	}
	if err := h.validate(); err != nil {
		return Held{}, err
	}
	return verified(h, check(s, m.Vote, LabelHeld, h.Vault))
}

func (h Held) validate() error {
	if !structure(h.Charter) || !validTime(h.Clock) || h.Shards < 0 || h.Bytes < 0 || h.Shards == 0 && h.Bytes != 0 {
		return invalid(LabelHeld, "charter, clock or figures")
	}
	return nil
}

// Emptied reports whether so many members of ch say that a node holds nothing of the
// vault that it can be believed: a quorum, who shares an honest member with every other.
// The words were verified, about one node; of two of one operator the first counts, and
// one that names another charter does not.
func Emptied(ch Charter, words []Held) bool {
	heard, votes := make(map[ident.PublicKey]bool), 0
	for _, h := range words {
		if _, member := ch.Member(h.Operator); !member || heard[h.Operator] || h.Charter != ch.CID() {
			continue
		}
		heard[h.Operator] = true
		if h.Shards == 0 {
			votes++
		}
	}
	return votes >= ch.Quorum()
}
