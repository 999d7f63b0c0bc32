package main

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/spf13/cobra"

	"holdfast/ledger"
	"holdfast/vault"
)

func statusCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "is every byte safe, and what may be lost", GroupID: groupMerchant, Args: exactly(0),
		Long: "Asks every holder, now, for a signed list of what it has and for some of its bytes, and holds\n" +
			"them against the ledger; nothing is said from memory. Members' audits say since when everything\n" +
			"is proved. holdfast check looks at every shard, and with --read-data reads it.",
		Example: "  holdfast status\n  holdfast status --json",
		RunE: func(c *cobra.Command, _ []string) error {
			return a.status(c.Context())
		},
	}
}

func (a *app) status(ctx context.Context) error {
	s, standing, err := a.synced(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	cases, err := s.Cases(ctx)
	if err != nil {
		a.warn("whether somebody asks to delete something cannot be seen: %v", err)
	}
	st, err := s.Status(ctx, vault.StatusSamples)
	if err != nil {
		return err
	}
	a.printStatus(s, standing, st, cases)
	a.printEvidence(s.Evidence(ctx))
	if err := a.printBounds(ctx, s); err != nil {
		return err
	}
	if st.Report.LostCount > 0 {
		return withHint(errReach, exitOutOfReach, "try again when more nodes are up; holdfast check lists what is missing")
	}
	return nil
}

func (a *app) printStatus(s *vault.Session, standing vault.Standing, st vault.Status, cases []vault.Case) {
	open := openCases(cases)
	if a.json {
		fields := statusJSON(st, standing)
		maps.Copy(fields, sharesJSON(s.Charter(), st))
		maps.Copy(fields, map[string]any{
			"message_type": "vault_status", "name": s.Name(), "vault": s.Vault().String(),
			"freshness": standing.Freshness.String(), "answers": standing.Answers, "members": standing.Members, "silent": standing.Silent,
			"guardians": len(s.Charter().Guardians), "threshold": s.Charter().Threshold, "guardians_heard": heardJSON(s.Charter(), cases),
			"devices": len(s.Devices()), "requests": openJSON(open, s.Charter()),
		})
		a.emit(fields)
		return
	}
	a.printf("vault %s   %s\n", s.Name(), s.Vault())
	a.printf("newest head: %s (%d of %d members answered)\n", standing.Freshness, standing.Answers, standing.Members)
	for _, name := range standing.Silent {
		a.printf("  silent: %s\n", name)
	}
	a.printf("%s\n", guardedBy(s.Charter()))
	a.printHeard(s.Charter(), cases)
	a.printShares(s.Charter(), st)
	a.printf("%s\n", deletion(s.Charter()))
	for _, k := range open {
		a.printf("%s\n", alarm(k, s.Charter()))
	}
	a.printHolders(st)
	a.printf("%s\n", safety(st, s.Charter(), standing))
}

func openCases(cases []vault.Case) []vault.Case {
	var out []vault.Case
	for _, k := range cases {
		if k.State.Open() {
			out = append(out, k)
		}
	}
	return out
}

// deletion says what it takes to delete early, and who can say no.
func deletion(ch ledger.Charter) string {
	begin := "deletion: it takes"
	if ch.Retention > 0 {
		begin = fmt.Sprintf("deletion: nothing before %s; then it takes", formatSpan(time.Duration(ch.Retention)*time.Second))
	}
	cooling := formatSpan(time.Duration(ch.Cooling) * time.Second)
	who := fmt.Sprintf("%d of %d guardians, then %s in which any one of them can veto", ch.Threshold, len(ch.Guardians), cooling)
	if len(ch.Guardians) == 0 {
		who = fmt.Sprintf("the phrase, then %s in which the owner and every full device can veto", cooling)
	}
	text := fmt.Sprintf("%s %s, and %d of %d members", begin, who, ch.Quorum(), len(ch.Members))
	if e := ch.Expiry; e != (ledger.Expiry{}) {
		text += fmt.Sprintf("; the members alone suffice after %s with %d newer snapshots", formatSpan(time.Duration(e.After)*time.Second), e.Newer)
	}
	return text
}

// alarm says loudly that somebody asks for what destroys, or could.
func alarm(k vault.Case, ch ledger.Charter) string {
	what := "delete " + plural(len(k.Request.Targets), "snapshot")
	if k.Request.Kind == ledger.RequestCharter {
		what = "lower the vault's protection"
	}
	text := fmt.Sprintf("ATTENTION: %s asks to %s; request %s is %s", asker(k, ch), what, k.ID()[:8], k.State)
	if k.Why != "" {
		text += " (" + k.Why + ")"
	}
	return text + "; " + whoMayVeto(k, ch)
}

func openJSON(open []vault.Case, ch ledger.Charter) []map[string]any {
	out := []map[string]any{}
	for _, k := range open {
		fields := caseJSON(k, ch)
		delete(fields, "message_type")
		out = append(out, fields)
	}
	return out
}
