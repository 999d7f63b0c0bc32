package ledger

import (
	"cmp"
	"slices"
	"time"

	"holdfast/erasure"
	"holdfast/internal/ident"
)

// Receipt is a holder's promise that shards are on its disk and stay there until a
// time, whatever becomes of the commit.
type Receipt struct {
	V       int64           `cbor:"v"`
	Vault   ident.CID       `cbor:"vault"`
	Charter ident.CID       `cbor:"charter"`
	Device  ident.PublicKey `cbor:"device"`
	Node    ident.PublicKey `cbor:"node"`
	Nonce   [16]byte        `cbor:"nonce"`  // of the commit; zero for a later placement
	Shards  []ReceiptShard  `cbor:"shards"` // sorted by segment and index
	Time    int64           `cbor:"time"`   // ms
	Until   int64           `cbor:"until"`  // ms
}

// ReceiptShard names one shard and its payload.
type ReceiptShard struct {
	Segment ident.CID `cbor:"s"`
	Index   int64     `cbor:"i"`
	Shard   ident.CID `cbor:"c"`
}

func (s ReceiptShard) compare(t ReceiptShard) int {
	return cmp.Or(s.Segment.Compare(t.Segment), cmp.Compare(s.Index, t.Index))
}

// SignReceipt signs r with the holder's vote key. It sorts the shards, in a copy.
func SignReceipt(vote ident.PrivateKey, r Receipt) (ident.Signed, error) {
	r.V = version
	r.Shards = slices.Clone(r.Shards)
	slices.SortFunc(r.Shards, ReceiptShard.compare)
	if err := r.validate(); err != nil {
		return ident.Signed{}, err
	}
	return sign(vote, LabelReceipt, r.Vault, MaxReceipt, r)
}

// VerifyReceipt checks form and signature of a receipt for a vault. The vote key is
// from the holder's certificate. Whether the receipt is for what the caller wants,
// and holds for long enough, is not decided here.
func VerifyReceipt(s ident.Signed, vote ident.PublicKey, vault ident.CID) (Receipt, error) {
	var r Receipt
	if err := parse(LabelReceipt, s.Object, MaxReceipt, &r); err != nil {
		return Receipt{}, err
	}
	if r.Vault != vault {
		return Receipt{}, mismatch(LabelReceipt, "vault %s", r.Vault)
	}
	if err := r.validate(); err != nil {
		return Receipt{}, err
	}
	return verified(r, check(s, vote, LabelReceipt, vault))
}

// Later reports whether r belongs to no commit: completion, or repair.
func (r Receipt) Later() bool { return r.Nonce == [16]byte{} }

func (r Receipt) validate() error {
	const what = LabelReceipt
	if len(r.Shards) < 1 || len(r.Shards) > MaxShards {
		return invalid(what, "%d shards", len(r.Shards))
	}
	for i, s := range r.Shards {
		switch {
		case !structure(s.Segment) || s.Shard.Codec() != ident.Raw:
			return invalid(what, "shard %d has CIDs of another kind", i)
		case s.Index < 0 || s.Index >= erasure.MaxShards:
			return invalid(what, "index %d", s.Index)
		// SPEC: sorted by (s, i), none twice
		case i > 0 && r.Shards[i-1].compare(s) >= 0:
			return invalid(what, "shards are not sorted, or one is there twice")
		}
	}
	// SPEC: until: at least 7 days after time
	if !validTime(r.Time) || !validTime(r.Until) || r.Until-r.Time < int64(LeastHold/time.Millisecond) {
		return invalid(what, "times")
	}
	return nil
}
