package main

import (
	"context"
	"fmt"
	"time"

	"holdfast/ledger"
	"holdfast/vault"
)

// audit has every holder prove what it holds, as members do, and says what came of it.
func (a *app) audit(ctx context.Context) error {
	start := time.Now()
	s, standing, err := a.synced(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	st, err := s.Status(ctx, vault.AuditSamples)
	if err != nil {
		return err
	}
	a.printAudit(st, s.Charter(), standing, time.Since(start))
	switch {
	case st.Lied() > 0:
		return withHint(errBadData, exitIntegrity, "the holders that are named have sent wrong bytes; members' audits and repair see to it")
	case st.Report.LostCount > 0:
		return withHint(errReach, exitOutOfReach, "try again when more nodes are up")
	case !st.Safe():
		return withHint(errBadShards, exitBelow, "the members repair what stays away; holdfast status says how far they are")
	}
	return nil
}

func (a *app) printAudit(st vault.Status, ch ledger.Charter, standing vault.Standing, took time.Duration) {
	if a.json {
		fields := statusJSON(st, standing)
		fields["message_type"], fields["freshness"], fields["seconds_elapsed"] = "audit", standing.Freshness.String(), took.Seconds()
		a.emit(fields)
		return
	}
	for _, h := range st.Holders {
		what := fmt.Sprintf("lists all of %s", plural(int(h.Shards), "shard"))
		if line := trouble(h); line != "" {
			what = line
		}
		a.printf("operator %s, node %s: %s; %d of %s proved\n", h.Name, h.Node.Short(), what, h.Proved, plural(h.Asked, "sample"))
	}
	a.printf("%s; took %s\n", safety(st, ch, standing), formatSpan(took))
}
