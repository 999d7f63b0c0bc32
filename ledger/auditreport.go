package ledger

import (
	"cmp"
	"slices"
	"unicode/utf8"

	"holdfast/internal/ident"
)

// HolderState says how a holder is, in the words of the protocol. A reader that does
// not know a word takes it for HolderSuspect.
type HolderState string

// The states of a holder, from the best to the worst.
const (
	HolderOK       HolderState = "ok"
	HolderDraining HolderState = "draining" // it serves, and moves away what it holds
	HolderPaused   HolderState = "paused"   // it answers, and its volume is not there
	HolderAway     HolderState = "away"     // it has said that it would be, until a time
	HolderSuspect  HolderState = "suspect"  // it does not answer
	HolderGone     HolderState = "gone"     // it has been paused, or has not answered, for too long: what it held is repaired
)

// holderStates are all of them, in their order.
var holderStates = [...]HolderState{HolderOK, HolderDraining, HolderPaused, HolderAway, HolderSuspect, HolderGone}

// HolderStates are all of them, in their order.
func HolderStates() []HolderState { return slices.Clone(holderStates[:]) }

// severity is the state's place in the order.
func (s HolderState) severity() int {
	if i := slices.Index(holderStates[:], s); i >= 0 {
		return i
	}
	return HolderSuspect.severity()
}

// FullWeight is the weight of a holder that gets its whole share of new shards.
const FullWeight = 1000

// AuditReport is a member's word about the holders of a vault: what its own audits
// have found. It is an opinion, and readers take the median of several members'.
type AuditReport struct {
	V        int64           `cbor:"v"`
	Vault    ident.CID       `cbor:"vault"`
	Charter  ident.CID       `cbor:"charter"` // the newest it holds
	Nonce    [16]byte        `cbor:"nonce"`   // of who asks
	Operator ident.PublicKey `cbor:"operator"`
	Clock    int64           `cbor:"clock"`   // ms
	Holders  []HolderReport  `cbor:"holders"` // sorted by node, at most MaxReported
}

// HolderReport is what a member's audits have found about one holder.
type HolderReport struct {
	Node    ident.PublicKey `cbor:"node"`
	State   HolderState     `cbor:"state"`
	Since   int64           `cbor:"since"`         // ms; of the state, 0 if that is not known
	Proof   int64           `cbor:"proof"`         // ms; it has held all it was asked about, and all it lists, since before then; 0 for never
	Weight  int64           `cbor:"weight"`        // 0 to FullWeight
	Shards  int64           `cbor:"shards"`        // that the vault's ledger places with it
	Missing int64           `cbor:"missing"`       // of these, that it does not have
	Why     string          `cbor:"why,omitempty"` // what keeps the weight, or the state, from being the best
}

// SignAuditReport signs r with the member's vote key. It sorts the holders, in a copy.
func SignAuditReport(vote ident.PrivateKey, r AuditReport) (ident.Signed, error) {
	r.V = version
	r.Holders = slices.Clone(r.Holders)
	slices.SortFunc(r.Holders, func(a, b HolderReport) int { return a.Node.Compare(b.Node) })
	if err := r.validate(); err != nil {
		return ident.Signed{}, err
	}
	return sign(vote, LabelAuditReport, r.Vault, MaxAuditReport, r)
}

// VerifyAuditReport checks that s is the answer of member m of ch to a question with a
// nonce. The charter that it names may be newer than ch.
func VerifyAuditReport(s ident.Signed, ch Charter, m Member, nonce [16]byte) (AuditReport, error) {
	var r AuditReport
	if err := parse(LabelAuditReport, s.Object, MaxAuditReport, &r); err != nil {
		return AuditReport{}, err
	}
	if r.Vault != ch.ID() || r.Operator != m.Operator || r.Nonce != nonce {
		return AuditReport{}, mismatch(LabelAuditReport, "answer of operator %s", r.Operator)
	}
	if err := r.validate(); err != nil {
		return AuditReport{}, err
	}
	return verified(r, check(s, m.Vote, LabelAuditReport, r.Vault))
}

// Holder returns what r says about a node; false if it says nothing.
func (r AuditReport) Holder(node ident.PublicKey) (HolderReport, bool) {
	i, ok := slices.BinarySearchFunc(r.Holders, node, func(h HolderReport, k ident.PublicKey) int { return h.Node.Compare(k) })
	if !ok {
		return HolderReport{}, false
	}
	return r.Holders[i], true
}

func (r AuditReport) validate() error {
	if !structure(r.Charter) || !validTime(r.Clock) || len(r.Holders) > MaxReported {
		return invalid(LabelAuditReport, "charter, clock or number of holders")
	}
	if !ascending(r.Holders, func(h HolderReport) ident.PublicKey { return h.Node }) {
		return invalid(LabelAuditReport, "holders are not sorted, or one is there twice")
	}
	for _, h := range r.Holders {
		if !validTime(h.Since) || !validTime(h.Proof) || h.Weight < 0 || h.Weight > FullWeight || h.Missing < 0 || h.Missing > h.Shards ||
			h.State == "" || len(h.State) > maxState || len(h.Why) > MaxReason || !utf8.ValidString(h.Why) {
			return invalid(LabelAuditReport, "holder %s", h.Node)
		}
	}
	return nil
}

// maxState is the length of a holder's state, in bytes.
const maxState = 16

// Judged puts together what several members say about a node: the median of each
// figure, so that f members among 2f+1 who lie do not move it beyond what an honest one
// has said. The reason is that of a report whose weight is the median. The number of
// reports that name the node comes with it; for 0 the result is zero.
func Judged(reports []AuditReport, node ident.PublicKey) (h HolderReport, members int) {
	var all []HolderReport
	for _, r := range reports {
		if one, ok := r.Holder(node); ok {
			all = append(all, one)
		}
	}
	if len(all) == 0 {
		return h, 0
	}
	h = HolderReport{Node: node,
		Proof:   median(all, func(h HolderReport) int64 { return h.Proof }).Proof,
		Shards:  median(all, func(h HolderReport) int64 { return h.Shards }).Shards,
		Missing: median(all, func(h HolderReport) int64 { return h.Missing }).Missing,
	}
	state := median(all, func(h HolderReport) int64 { return -int64(h.State.severity()) })
	h.State, h.Since = holderStates[state.State.severity()], state.Since
	weight := median(all, func(h HolderReport) int64 { return h.Weight })
	h.Weight, h.Why = weight.Weight, weight.Why
	return h, len(all)
}

// median returns the report in the middle by one figure; of two in the middle the
// lower one.
func median(all []HolderReport, by func(HolderReport) int64) HolderReport {
	sorted := slices.Clone(all)
	slices.SortStableFunc(sorted, func(a, b HolderReport) int { return cmp.Compare(by(a), by(b)) })
	return sorted[(len(sorted)-1)/2]
}
