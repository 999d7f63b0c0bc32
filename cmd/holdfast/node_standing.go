package main

import (
	"time"

	"holdfast/ledger"
	"holdfast/node"
)

// printStanding says what the members of each vault say of this node, the worst first
// in words, and how far the node has read its own volumes through.
func (a *app) printStanding(s node.Status) {
	full := 0
	for _, v := range s.Standing {
		if v.Weight == ledger.FullWeight && v.State == string(ledger.HolderOK) && v.Missing == 0 {
			full++
		}
	}
	switch {
	case len(s.Standing) == 0:
		a.printf("standing nothing is known yet: no member of a vault has been asked, or none has audited this node\n")
	case full == len(s.Standing):
		a.printf("standing full weight in %s\n", plural(full, "vault"))
	default:
		a.printf("standing full weight in %d of %s\n", full, plural(len(s.Standing), "vault"))
	}
	for _, v := range s.Standing {
		if v.Why != "" {
			a.printf("  vault %s: %s, weight %d of %d: %s\n", v.Vault, v.State, v.Weight, ledger.FullWeight, v.Why)
		}
	}
	if t := s.Audits; t.Holders > 0 {
		a.printf("audits   %d holders, %d do not serve, %d gone; %d groups proved, %d shards missing now\n", t.Holders, t.Suspect, t.Gone, t.Passed, t.Missing)
	}
	a.printScrub(s.Scrub)
}

func (a *app) printScrub(s node.ScrubStatus) {
	switch {
	case s.Running:
		a.printf("scrub    %.0f %% since %s, %d shards, %d bad, %d not read\n", 100*s.Progress, s.Started.Format(time.DateOnly), s.Shards, s.Bad, s.Skipped)
	case s.Finished.IsZero():
		a.printf("scrub    the volumes have not been read through yet\n")
	default:
		a.printf("scrub    everything read by %s: %d shards, %s, %d bad, %d not read\n", s.Finished.Format(time.DateOnly), s.Shards, formatSize(s.Bytes), s.Bad, s.Skipped)
	}
}
