package main

import (
	"fmt"
	"strings"

	"holdfast/vault"
)

// printEvidence says loudly who has signed two entries for one place. With --json the
// proof is in it: hexadecimal bytes that anyone verifies with the charter.
func (a *app) printEvidence(all []vault.Accusation) {
	for _, e := range all {
		if a.json {
			a.emit(map[string]any{
				"message_type": "evidence", "lane": e.Place.Lane.String(), "device": e.Device, "height": e.Place.Height, "attempt": e.Place.Attempt,
				"entries": []string{e.Entries[0].Hex(), e.Entries[1].Hex()}, "members": e.Members, "proof": fmt.Sprintf("%x", e.Proof),
			})
			continue
		}
		a.printf("%s\n", accusation(e))
	}
}

func accusation(e vault.Accusation) string {
	if len(e.Members) > 0 {
		return fmt.Sprintf("ATTENTION: %s have voted for two entries at height %d of device %s: they have lied, or restored an older image",
			strings.Join(e.Members, ", "), e.Place.Height, e.Device)
	}
	return fmt.Sprintf("note: device %s has signed two entries for height %d: a run of it was interrupted and lost its draft, or somebody else has its key",
		e.Device, e.Place.Height)
}
