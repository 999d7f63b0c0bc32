package audit

import (
	"strings"
	"testing"
	"unicode/utf8"

	"holdfast/ledger"
)

// A reason that is too long is cut between two characters: a report with half a
// character would not verify.
func TestReasonsAreCutBetweenCharacters(t *testing.T) {
	for shift := range 4 {
		why := strings.Repeat("x", shift) + strings.Repeat("名", ledger.MaxReason)
		got := cut(why)
		if !utf8.ValidString(got) || len(got) > ledger.MaxReason || len(got) < ledger.MaxReason-6 {
			t.Errorf("shifted by %d: %d bytes, %q", shift, len(got), got)
		}
	}
	if short := "a disk is full"; cut(short) != short {
		t.Errorf("%q was cut", short)
	}
}
