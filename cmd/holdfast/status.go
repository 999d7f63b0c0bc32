package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"holdfast/ledger"
	"holdfast/vault"
)

func statusCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "is every byte safe, and what may be lost", GroupID: groupMerchant, Args: exactly(0),
		Long:    "Asks every holder, now, whether it has its shards; nothing is said from memory.",
		Example: "  holdfast status",
		RunE: func(c *cobra.Command, _ []string) error {
			s, st, err := a.synced(c.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			open, err := s.OpenCases(c.Context())
			if err != nil {
				a.warn("whether somebody asks to delete something cannot be seen: %v", err)
			}
			h, err := s.Check(c.Context(), vault.CheckOptions{})
			if err != nil {
				return err
			}
			a.printStatus(s, st, h, open)
			a.printEvidence(s.Evidence(c.Context()))
			if err := a.printBounds(c.Context(), s); err != nil {
				return err
			}
			if h.Segments > 0 && h.Margin < 0 {
				return withHint(errReach, exitOutOfReach, "try again when more nodes are up; holdfast check lists what is missing")
			}
			return nil
		},
	}
}

func (a *app) printStatus(s *vault.Session, st vault.Standing, h vault.Health, open []vault.Case) {
	if a.json {
		a.emit(map[string]any{
			"message_type": "vault_status", "name": s.Name(), "vault": s.Vault().String(), "safe": h.Safe() && h.Present == h.Shards, "segments": h.Segments, "shards": h.Shards, "present": h.Present,
			"worst": h.Worst, "margin": h.Margin, "k": h.K, "n": h.N, "operators_may_be_lost": h.Operators, "nodes_may_be_lost": max(h.Margin, -1),
			"freshness": st.Freshness.String(), "answers": st.Answers, "members": st.Members, "silent": st.Silent, "proof_time": time.Now(),
			"guardians": len(s.Charter().Guardians), "threshold": s.Charter().Threshold, "devices": len(s.Devices()),
			"requests": openJSON(open, s.Charter()),
		})
		return
	}
	a.printf("vault %s   %s\n", s.Name(), s.Vault())
	a.printf("newest head: %s (%d of %d members answered)\n", st.Freshness, st.Answers, st.Members)
	for _, name := range st.Silent {
		a.printf("  silent: %s\n", name)
	}
	a.printf("%s\n", guardedBy(s.Charter()))
	a.printf("%s\n", deletion(s.Charter()))
	for _, k := range open {
		a.printf("%s\n", alarm(k, s.Charter()))
	}
	a.printf("%s\n", safety(h))
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

// safety answers the one question.
func safety(h vault.Health) string {
	switch {
	case h.Segments == 0:
		return "nothing is stored yet; next: holdfast backup PATH"
	case h.Margin < 0:
		return "not safe: " + plural(len(h.Lost), "segment") + " cannot be rebuilt from what answers now"
	case h.Present == h.Shards:
		return "every byte is safe: all " + plural(h.Shards, "shard") + " are there (asked just now); any " + plural(h.Operators, "operator") + " may be lost"
	}
	more := "any " + plural(h.Operators, "more operator") + " may be lost"
	if h.Operators <= 0 {
		more = "no further operator may be lost"
	}
	return "every byte can be read, but shards are missing: the worst segment has " + plural(h.Worst, "shard") + " and needs " +
		plural(h.K, "shard") + "; " + more + "; next: holdfast check"
}
