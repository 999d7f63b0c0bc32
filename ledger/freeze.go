package ledger

import (
	"cmp"
	"slices"

	"holdfast/internal/ident"
)

// Freeze is a member's word that under a charter it votes for and acknowledges
// nothing more but entries of kind charter in the owner's lane, and of the highest
// certificate of every lane that it held then. It is not tied to one successor.
type Freeze struct {
	V        int64           `cbor:"v"`
	Vault    ident.CID       `cbor:"vault"`
	Charter  ident.CID       `cbor:"charter"` // under which nothing more is signed
	Operator ident.PublicKey `cbor:"operator"`
	Clock    int64           `cbor:"clock"` // ms
	Lanes    []LaneStart     `cbor:"lanes"` // sorted by lane
}

// LaneStart is a certified entry of a lane: the highest that somebody holds, or the
// one after which a charter starts.
type LaneStart struct {
	Lane    ident.PublicKey `cbor:"lane"`
	Height  int64           `cbor:"height"`
	Entry   ident.CID       `cbor:"entry"`
	Attempt int64           `cbor:"attempt"` // of its certificate
}

// SignFreeze signs f with the member's vote key under the charter. It sorts the
// lanes, in a copy.
func SignFreeze(vote ident.PrivateKey, f Freeze) (ident.Signed, error) {
	f.V = version
	f.Lanes = slices.Clone(f.Lanes)
	slices.SortFunc(f.Lanes, func(a, b LaneStart) int { return a.Lane.Compare(b.Lane) })
	if err := f.validate(); err != nil {
		return ident.Signed{}, err
	}
	return sign(vote, LabelFreeze, f.Vault, MaxFreeze, f)
}

// VerifyFreeze checks that a member of ch froze ch. The entries it names are for the
// certificates to prove.
func VerifyFreeze(s ident.Signed, ch Charter) (Freeze, error) {
	var f Freeze
	if err := parse(LabelFreeze, s.Object, MaxFreeze, &f); err != nil {
		return Freeze{}, err
	}
	if f.Vault != ch.ID() || f.Charter != ch.CID() {
		return Freeze{}, mismatch(LabelFreeze, "vault %s, charter %s", f.Vault, f.Charter)
	}
	if err := f.validate(); err != nil {
		return Freeze{}, err
	}
	_, err := ch.voter(s, f.Operator, LabelFreeze)
	return verified(f, err)
}

func (f Freeze) validate() error {
	if !structure(f.Charter) || !validTime(f.Clock) || len(f.Lanes) > MaxLanes {
		return invalid(LabelFreeze, "charter, clock or number of lanes")
	}
	if !ascending(f.Lanes, func(l LaneStart) ident.PublicKey { return l.Lane }) {
		return invalid(LabelFreeze, "lanes are not sorted, or one is there twice")
	}
	for _, l := range f.Lanes {
		if l.Height < 1 || l.Attempt < 0 || !structure(l.Entry) {
			return invalid(LabelFreeze, "height %d of lane %s", l.Height, l.Lane)
		}
	}
	return nil
}

// Starts returns the highest certificate of every lane in verified freezes: where
// the charter after theirs starts. Sorted by lane.
//
// SPEC: start(lane) = the highest (height, then attempt) in these freezes
func Starts(freezes []Freeze) []LaneStart {
	highest := map[ident.PublicKey]LaneStart{}
	for _, f := range freezes {
		for _, l := range f.Lanes {
			if known, ok := highest[l.Lane]; !ok || l.above(known) {
				highest[l.Lane] = l
			}
		}
	}
	starts := make([]LaneStart, 0, len(highest))
	for _, l := range highest {
		starts = append(starts, l)
	}
	slices.SortFunc(starts, func(a, b LaneStart) int { return a.Lane.Compare(b.Lane) })
	return starts
}

// above orders claims about one lane. Two entries at one height and attempt are for
// the certificates to judge; that the answer does not depend on the order of the
// claims, the entries' names decide.
func (l LaneStart) above(o LaneStart) bool {
	return cmp.Or(cmp.Compare(l.Height, o.Height), cmp.Compare(l.Attempt, o.Attempt), l.Entry.Compare(o.Entry)) > 0
}

// startOf returns where a lane starts, among starts sorted by lane; height 0 for a
// lane that has none.
func startOf(starts []LaneStart, lane ident.PublicKey) LaneStart {
	i, ok := slices.BinarySearchFunc(starts, lane, func(l LaneStart, k ident.PublicKey) int { return l.Lane.Compare(k) })
	if !ok {
		return LaneStart{Lane: lane}
	}
	return starts[i]
}
