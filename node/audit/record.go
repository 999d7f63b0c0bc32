package audit

import (
	"time"

	"holdfast/ledger"
)

// record is what audits have found of one holder of one vault. Times are in
// milliseconds, 0 for never.
type record struct {
	Issued    int64 `cbor:"issued"`    // groups that were asked for
	Passed    int64 `cbor:"passed"`    // groups that were proved
	Failed    int64 `cbor:"failed"`    // shards that were found missing, each once
	Timeouts  int64 `cbor:"timeouts"`  // rounds without an answer
	Score     int64 `cbor:"score"`     // audits passed, in millionths, lately
	Lies      int64 `cbor:"lies"`      // shards for which it has sent wrong bytes
	Lied      int64 `cbor:"lied"`      // when it last did
	Round     int64 `cbor:"round"`     // last round of challenges that was answered
	Inventory int64 `cbor:"inventory"` // last inventory that was compared
	Alert     int64 `cbor:"alert"`     // challenges that are due besides the usual ones
	Shards    int64 `cbor:"shards"`    // that the ledger places with it
	Missing   int64 `cbor:"missing"`   // of these
	Hurry     bool  `cbor:"hurry"`     // the next inventory is due at once
	Mute      mute  `cbor:"mute"`      // how long it has answered, and proved nothing
}

func newRecord() record { return record{Score: million} }

// passed counts groups that were proved.
func (v *record) passed(groups int64) {
	v.Passed += groups
	for range min(groups, 10*recent) {
		v.Score = towards(v.Score, true, recent)
	}
}

// failed counts shards that have been found missing, and has an inventory made at once.
func (v *record) failed(shards int64) {
	v.Failed += shards
	for range min(shards, 10*recent) {
		v.Score = towards(v.Score, false, recent)
	}
	v.Hurry = true
}

// lied counts a shard for which wrong bytes were sent again and again: the score is
// halved for it.
func (v *record) lied(now time.Time) {
	v.Lies++
	v.Lied = ledger.Millis(now)
	v.Score /= 2
}

// proof is since when nothing is known to be missing that is not said to be: the older
// of the last round and the last inventory.
func (v *record) proof() int64 { return min(v.Round, v.Inventory) }
