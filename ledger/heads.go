package ledger

import (
	"slices"

	"holdfast/internal/ident"
)

// Heads is a member's word about the newest that it holds of a vault.
type Heads struct {
	V        int64           `cbor:"v"`
	Vault    ident.CID       `cbor:"vault"`
	Charter  ident.CID       `cbor:"charter"` // the newest it holds
	Nonce    [16]byte        `cbor:"nonce"`   // of who asks
	Operator ident.PublicKey `cbor:"operator"`
	Clock    int64           `cbor:"clock"` // ms
	Lanes    []LaneHead      `cbor:"lanes"` // sorted by lane
}

// LaneHead is the highest certified entry of a lane, and the lock above it.
type LaneHead struct {
	Lane   ident.PublicKey `cbor:"lane"`
	Height int64           `cbor:"height"`         // 0 for none
	Entry  ident.CID       `cbor:"entry,omitzero"` // none at height 0
	Lock   Lock            `cbor:"lock,omitzero"`
	Floor  int64           `cbor:"floor,omitempty"` // attempt below which it signs nothing above the head
}

// Lock says for which entry a member has voted. The zero value is no lock.
type Lock struct {
	Height  int64     `cbor:"height"`
	Attempt int64     `cbor:"attempt"`
	Entry   ident.CID `cbor:"entry"`
}

// SignHeads signs h with the member's vote key. It sorts the lanes, in a copy.
func SignHeads(vote ident.PrivateKey, h Heads) (ident.Signed, error) {
	h.V = version
	h.Lanes = slices.Clone(h.Lanes)
	slices.SortFunc(h.Lanes, func(a, b LaneHead) int { return a.Lane.Compare(b.Lane) })
	if err := h.validate(); err != nil {
		return ident.Signed{}, err
	}
	return sign(vote, LabelHeads, h.Vault, MaxHeads, h)
}

// VerifyHeads checks the answer of member m of ch to a question with a nonce. The
// entries it names are for the certificates to prove. The charter it names may be
// newer than ch.
func VerifyHeads(s ident.Signed, ch Charter, m Member, nonce [16]byte) (Heads, error) {
	var h Heads
	if err := parse(LabelHeads, s.Object, MaxHeads, &h); err != nil {
		return Heads{}, err
	}
	if h.Vault != ch.ID() || h.Operator != m.Operator || h.Nonce != nonce {
		return Heads{}, mismatch(LabelHeads, "answer of operator %s", h.Operator)
	}
	if err := h.validate(); err != nil {
		return Heads{}, err
	}
	return verified(h, check(s, m.Vote, LabelHeads, h.Vault))
}

// Lane returns what h says about a lane; height 0 for one that it does not name.
func (h Heads) Lane(lane ident.PublicKey) LaneHead {
	i, ok := slices.BinarySearchFunc(h.Lanes, lane, func(l LaneHead, k ident.PublicKey) int { return l.Lane.Compare(k) })
	if !ok {
		return LaneHead{Lane: lane}
	}
	return h.Lanes[i]
}

func (h Heads) validate() error {
	if !structure(h.Charter) || !validTime(h.Clock) || len(h.Lanes) > MaxLanes {
		return invalid(LabelHeads, "charter, clock or number of lanes")
	}
	if !ascending(h.Lanes, func(l LaneHead) ident.PublicKey { return l.Lane }) {
		return invalid(LabelHeads, "lanes are not sorted, or one is there twice")
	}
	for _, l := range h.Lanes {
		if l.Height < 0 || (l.Height == 0) != l.Entry.IsZero() || !l.Entry.IsZero() && !structure(l.Entry) {
			return invalid(LabelHeads, "height %d of lane %s", l.Height, l.Lane)
		}
		if l.Floor < 0 {
			return invalid(LabelHeads, "floor %d of lane %s", l.Floor, l.Lane)
		}
		if l.Lock != (Lock{}) && (l.Lock.Height < 1 || l.Lock.Attempt < 0 || !structure(l.Lock.Entry)) {
			return invalid(LabelHeads, "lock of lane %s", l.Lane)
		}
	}
	return nil
}
