package ledger

import "holdfast/internal/ident"

// VaultHint tells in the DHT where a vault's members are. It is a hint: a reader
// verifies what the members then say.
type VaultHint struct {
	V       int64           `cbor:"v"`
	Charter ident.Signed    `cbor:"charter"` // the first
	Members []HintMember    `cbor:"members"`
	Node    ident.PublicKey `cbor:"node"` // who signs; a member of that charter
	Seq     int64           `cbor:"seq"`  // the higher wins

	charter Charter
}

// HintMember is where a member's node may be found.
type HintMember struct {
	Node  ident.PublicKey `cbor:"node"`
	Addrs []string        `cbor:"addrs"`
}

// FirstCharter returns the verified charter of a hint that VerifyVaultHint has
// returned.
func (h VaultHint) FirstCharter() Charter { return h.charter }

// SignVaultHint signs h with the key of a member's node, which is filled in.
func SignVaultHint(node ident.PrivateKey, h VaultHint) (ident.Signed, error) {
	h.V, h.Node = version, node.Public()
	if err := h.validate(h.Charter.CID()); err != nil {
		return ident.Signed{}, err
	}
	return sign(node, LabelVaultHint, h.Charter.CID(), MaxHint, h)
}

// VerifyVaultHint checks a hint that was found under a vault's ID: its form, the
// charter inside, that it is that vault's, and that a member's node signed.
func VerifyVaultHint(s ident.Signed, vault ident.CID) (VaultHint, error) {
	var h VaultHint
	if err := parse(LabelVaultHint, s.Object, MaxHint, &h); err != nil {
		return VaultHint{}, err
	}
	if err := h.validate(vault); err != nil {
		return VaultHint{}, err
	}
	return verified(h, check(s, h.Node, LabelVaultHint, vault))
}

func (h *VaultHint) validate(vault ident.CID) error {
	const what = LabelVaultHint
	if h.Charter.CID() != vault {
		return mismatch(what, "charter %s", h.Charter.CID())
	}
	ch, err := VerifyFirstCharter(h.Charter)
	if err != nil {
		return err
	}
	if _, ok := ch.MemberByNode(h.Node); !ok {
		return invalid(what, "node %s is no member", h.Node)
	}
	if len(h.Members) > MaxMembers || h.Seq < 0 {
		return invalid(what, "%d members, seq %d", len(h.Members), h.Seq)
	}
	seen := make(map[ident.PublicKey]bool, len(h.Members))
	for _, m := range h.Members {
		if seen[m.Node] || !validAddrs(m.Addrs) {
			return invalid(what, "member node %s is there twice, or has too many addresses", m.Node)
		}
		seen[m.Node] = true
	}
	h.charter = ch
	return nil
}
