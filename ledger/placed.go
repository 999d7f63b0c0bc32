package ledger

import (
	"holdfast/erasure"
	"holdfast/internal/ident"
)

// Placed is a member's answer about who holds shards: what counts in its ledger, on its
// disk.
type Placed struct {
	V        int64           `cbor:"v"`
	Vault    ident.CID       `cbor:"vault"`
	Charter  ident.CID       `cbor:"charter"` // the newest it holds
	Nonce    [16]byte        `cbor:"nonce"`   // of who asks
	Operator ident.PublicKey `cbor:"operator"`
	Clock    int64           `cbor:"clock"`  // ms
	Shards   []PlacedShard   `cbor:"shards"` // in the order asked
}

// PlacedShard says who holds one shard: a node, since the time of its later receipt, or
// since the commit if that is 0. No node stands for a shard that nobody holds, and for one
// of a segment that is not certified there, or is released.
type PlacedShard struct {
	Segment ident.CID       `cbor:"s"`
	Index   int64           `cbor:"i"`
	Node    ident.PublicKey `cbor:"node,omitzero"`
	Time    int64           `cbor:"time,omitempty"` // ms
}

// ShardName names a shard of a vault.
type ShardName struct {
	Segment ident.CID
	Index   int64
}

// SignPlaced signs p with the member's vote key.
func SignPlaced(vote ident.PrivateKey, p Placed) (ident.Signed, error) {
	p.V = version
	if err := p.validate(); err != nil {
		return ident.Signed{}, err
	}
	return sign(vote, LabelPlaced, p.Vault, MaxPlaced, p)
}

// VerifyPlaced checks that s is the answer of member m of ch to a question with a nonce
// about exactly the shards asked, in their order.
func VerifyPlaced(s ident.Signed, ch Charter, m Member, nonce [16]byte, asked []ShardName) (Placed, error) {
	var p Placed
	if err := parse(LabelPlaced, s.Object, MaxPlaced, &p); err != nil {
		return Placed{}, err
	}
	if p.Vault != ch.ID() || p.Operator != m.Operator || p.Nonce != nonce || len(p.Shards) != len(asked) {
		return Placed{}, mismatch(LabelPlaced, "answer of operator %s", p.Operator)
	}
	for i, sh := range p.Shards {
		if sh.Segment != asked[i].Segment || sh.Index != asked[i].Index {
			return Placed{}, mismatch(LabelPlaced, "shard %d of segment %s", sh.Index, sh.Segment)
		}
	}
	if err := p.validate(); err != nil {
		return Placed{}, err
	}
	return verified(p, check(s, m.Vote, LabelPlaced, p.Vault))
}

func (p Placed) validate() error {
	if !structure(p.Charter) || !validTime(p.Clock) || len(p.Shards) > MaxNames {
		return invalid(LabelPlaced, "charter, clock or number of shards")
	}
	for _, s := range p.Shards {
		if !structure(s.Segment) || s.Index < 0 || s.Index >= erasure.MaxShards || !validTime(s.Time) || s.Node.IsZero() && s.Time != 0 {
			return invalid(LabelPlaced, "shard %d of segment %s", s.Index, s.Segment)
		}
	}
	return nil
}

// Moved returns the node that holds shard i of the answers now, if so many members of
// ch name it that a holder may believe it. The answers were verified, about the same
// shards, and under ch as the newest charter; of two of one operator the first counts.
//
// SPEC: moved: the new holder's receipt is stored by q members, who signed so
func Moved(ch Charter, answers []Placed, i int) (node ident.PublicKey, ok bool) {
	votes := make(map[ident.PublicKey]int)
	heard := make(map[ident.PublicKey]bool)
	for _, a := range answers {
		if _, member := ch.Member(a.Operator); !member || heard[a.Operator] || a.Charter != ch.CID() || i < 0 || i >= len(a.Shards) {
			continue
		}
		heard[a.Operator] = true
		at := a.Shards[i].Node
		if votes[at]++; !at.IsZero() && votes[at] >= ch.Quorum() {
			return at, true
		}
	}
	return ident.PublicKey{}, false
}
