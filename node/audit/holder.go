package audit

import (
	"strings"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// Holder is what is known of one holder of one vault. Times that are not known are
// zero.
type Holder struct {
	Node, Operator ident.PublicKey

	State ledger.HolderState
	Since time.Time // of the state
	Until time.Time // announced end, of one that is away

	Down    time.Duration // in which it was seen not to serve, since it last did, and was not announced to be away
	Excused time.Duration // the same, while it was announced to be

	Proof  time.Time // the older of its last answered round and its last inventory
	Weight int       // 0 to ledger.FullWeight
	Why    string    // what keeps state and weight from the best, in words

	Shards, Missing int64 // that the ledger places with it; of these

	Passed, Failed, Timeouts int64 // groups proved, shards found missing, rounds without an answer
}

// Report is what a member says of the holder in its audit report.
func (h Holder) Report() ledger.HolderReport {
	return ledger.HolderReport{
		Node: h.Node, State: h.State, Since: millis(h.Since), Proof: millis(h.Proof), Weight: int64(h.Weight),
		Shards: h.Shards, Missing: min(h.Missing, h.Shards), Why: cut(h.Why),
	}
}

// cut keeps a reason within what a report has room for.
func cut(why string) string {
	if len(why) <= ledger.MaxReason {
		return why
	}
	return strings.ToValidUTF8(why[:ledger.MaxReason-3], "") + "..."
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return ledger.Millis(t)
}

func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return ledger.Time(ms)
}
