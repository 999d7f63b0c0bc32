package main

import (
	"time"

	"github.com/spf13/cobra"

	"holdfast/ledger"
	"holdfast/vault"
)

func releaseCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use: "release", Short: "who asks to delete what, and what has come of it", GroupID: groupMerchant,
		Example: "  holdfast release list\n  holdfast release show 1a2b3c4d\n  holdfast release veto 1a2b3c4d --key anna.key",
	}
	c.AddCommand(releaseList(a), releaseShow(a), releaseRun(a), releaseOpine(a, ledger.Approve), releaseOpine(a, ledger.Veto), releaseUndo(a))
	return group(c)
}

func releaseList(a *app) *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use: "list", Short: "list the requests that are open, and what was released", Args: exactly(0),
		Example: "  holdfast release list\n  holdfast release list --all",
		RunE: func(c *cobra.Command, _ []string) error {
			s, _, err := a.synced(c.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			cases, err := s.Cases(c.Context())
			if err != nil {
				return err
			}
			a.printCases(cases, s.Charter(), all)
			return nil
		},
	}
	c.Flags().BoolVar(&all, "all", false, "also those that came to nothing")
	return c
}

// printCases prints a line for each case; without all only those that matter now.
func (a *app) printCases(cases []vault.Case, ch ledger.Charter, all bool) {
	open := 0
	for _, k := range cases {
		if k.State.Open() {
			open++
		}
		if all || k.State.Open() || k.State == ledger.StateCertified {
			a.printCase(k, ch)
		}
	}
	if open == 0 {
		a.say("nobody asks for anything")
		return
	}
	a.say("%s open; next: holdfast release show REQUEST", plural(open, "request"))
}

func (a *app) printCase(k vault.Case, ch ledger.Charter) {
	if a.json {
		a.emit(caseJSON(k, ch))
		return
	}
	why := ""
	if k.Why != "" {
		why = "  (" + k.Why + ")"
	}
	a.printf("%s  %-9s  %-14s  asked for by %s at %s%s\n", k.ID()[:8], k.State, subject(k), asker(k, ch), ledger.Time(k.Request.Clock).Format(time.DateTime), why)
}

// subject says what a request is about.
func subject(k vault.Case) string {
	if k.Request.Kind == ledger.RequestCharter {
		return "a new charter"
	}
	return plural(len(k.Request.Targets), "snapshot")
}

// asker says who made a request, as far as the charter tells.
func asker(k vault.Case, ch ledger.Charter) string {
	if k.Request.By == ch.Owner {
		return "the owner"
	}
	return "device " + short(k.Request.By.String())
}

func releaseShow(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "show REQUEST", Short: "say who asks for what, who approves, and what is missing", Args: exactly(1),
		Example: "  holdfast release show 1a2b3c4d",
		RunE: func(c *cobra.Command, args []string) error {
			s, _, err := a.synced(c.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			k, err := s.Case(c.Context(), args[0])
			if err != nil {
				return err
			}
			a.showCase(k, s.Charter())
			return nil
		},
	}
}

func (a *app) showCase(k vault.Case, ch ledger.Charter) {
	if a.json {
		a.emit(caseJSON(k, ch))
		return
	}
	a.printf("request %s\n%s, asked for by %s at %s\n", k.ID(), subject(k), asker(k, ch), ledger.Time(k.Request.Clock).Format(time.DateTime))
	if k.Request.Reason != "" {
		a.printf("reason: %s\n", k.Request.Reason)
	}
	for _, t := range k.Request.Targets {
		a.printf("  snapshot %.8s\n", t.Hex())
	}
	a.printf("state: %s", k.State)
	if k.Why != "" {
		a.printf(" (%s)", k.Why)
	}
	a.printf("\n")
	for _, v := range k.Approvals {
		a.printf("approved by %s at %s (%d of %d members have it)\n", v.Name, v.Time.Format(time.DateTime), v.Kept, k.Members)
	}
	for _, v := range k.Vetoes {
		a.printf("vetoed by %s at %s (%d of %d members have it)\n", v.Name, v.Time.Format(time.DateTime), v.Kept, k.Members)
	}
	if until, ok := coolsUntil(k, ch); ok && k.State.Open() {
		a.printf("cooling off until %s\n", until.Format(time.DateTime))
	}
	for _, v := range k.Views {
		a.printf("  member %-16s %s  %s\n", v.Member, v.State, v.Why)
	}
	if k.Segments > 0 {
		a.printf("released: %s\n", plural(k.Segments, "segment"))
	}
	if k.State.Open() {
		a.say("%s", whoMayVeto(k, ch))
	}
}

func coolsUntil(k vault.Case, ch ledger.Charter) (time.Time, bool) {
	return k.CoolsUntil(time.Duration(ch.Cooling)*time.Second, len(ch.Guardians) > 0)
}

// whoMayVeto says what can still be done against a request.
func whoMayVeto(k vault.Case, ch ledger.Charter) string {
	if len(ch.Guardians) > 0 {
		return "any guardian can veto until it is carried out: holdfast guardian veto " + k.ID()[:8] + " --key FILE"
	}
	return "the owner and every device with full rights can veto until it is carried out: holdfast release veto " + k.ID()[:8]
}

func caseJSON(k vault.Case, ch ledger.Charter) map[string]any {
	fields := map[string]any{
		"message_type": "release", "request": k.ID(), "short_id": k.ID()[:8], "kind": k.Request.Kind, "state": k.State, "why": k.Why,
		"by": k.Request.By.String(), "owner": k.Request.By == ch.Owner, "reason": k.Request.Reason, "time": ledger.Time(k.Request.Clock),
		"approvals": voicesJSON(k.Approvals), "vetoes": voicesJSON(k.Vetoes), "threshold": ch.Threshold, "segments": k.Segments,
		"members": k.Members, "members_know": len(k.Views), "quorum": k.Quorum, "open": k.State.Open(),
	}
	snapshots := []string{}
	for _, t := range k.Request.Targets {
		snapshots = append(snapshots, t.Hex())
	}
	fields["snapshots"] = snapshots
	if until, ok := coolsUntil(k, ch); ok {
		fields["cooling_until"] = until
	}
	views := []map[string]any{}
	for _, v := range k.Views {
		views = append(views, map[string]any{"member": v.Member, "state": v.State, "why": v.Why, "first": v.First})
	}
	fields["views"] = views
	return fields
}

func voicesJSON(voices []vault.Voice) []map[string]any {
	out := []map[string]any{}
	for _, v := range voices {
		out = append(out, map[string]any{"name": v.Name, "key": v.Key.String(), "time": v.Time, "members": v.Kept})
	}
	return out
}
