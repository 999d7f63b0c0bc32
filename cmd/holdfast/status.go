package main

import (
	"time"

	"github.com/spf13/cobra"

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
			h, err := s.Check(c.Context(), vault.CheckOptions{})
			if err != nil {
				return err
			}
			a.printStatus(s, st, h)
			if h.Segments > 0 && h.Margin < 0 {
				return withHint(errReach, exitOutOfReach, "try again when more nodes are up; holdfast check lists what is missing")
			}
			return nil
		},
	}
}

func (a *app) printStatus(s *vault.Session, st vault.Standing, h vault.Health) {
	if a.json {
		a.emit(map[string]any{
			"message_type": "vault_status", "name": s.Name(), "vault": s.Vault().String(), "safe": h.Safe() && h.Present == h.Shards, "segments": h.Segments, "shards": h.Shards, "present": h.Present,
			"worst": h.Worst, "margin": h.Margin, "k": h.K, "n": h.N, "operators_may_be_lost": h.Operators, "nodes_may_be_lost": max(h.Margin, -1),
			"freshness": st.Freshness.String(), "answers": st.Answers, "members": st.Members, "silent": st.Silent, "proof_time": time.Now(),
			"guardians": len(s.Charter().Guardians), "devices": len(s.Devices()),
		})
		return
	}
	a.printf("vault %s   %s\n", s.Name(), s.Vault())
	a.printf("newest head: %s (%d of %d members answered)\n", st.Freshness, st.Answers, st.Members)
	for _, name := range st.Silent {
		a.printf("  silent: %s\n", name)
	}
	if len(s.Charter().Guardians) == 0 {
		a.printf("guardians: none; the phrase alone opens the vault, and nothing can be deleted early\n")
	}
	a.printf("%s\n", safety(h))
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
