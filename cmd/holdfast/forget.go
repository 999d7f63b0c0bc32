package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/vault"
	"holdfast/vault/keep"
)

// forgetFlags are the flags of `forget`.
type forgetFlags struct {
	filter         vault.Filter
	policy         keep.Policy
	within         string
	tags           []string
	apply          bool
	reason, phrase string
}

func forgetCommand(a *app) *cobra.Command {
	var f forgetFlags
	c := &cobra.Command{
		Use: "forget [SNAP...]", Short: "say which snapshots are no longer wanted", GroupID: groupMerchant,
		Long: "Names snapshots, or says with --keep-* which stay: for each host and set of paths by itself,\n" +
			"and always the newest complete one. Without --apply nothing happens but a list. With it the\n" +
			"members are asked, and what they let go of at once goes: what the charter's routine expiry\n" +
			"covers. The rest waits for approvals of guardians and for the cooling-off, and any guardian\n" +
			"can veto; the same command, or holdfast release run, carries it out when its time has come.\n" +
			"What was vetoed or taken back is asked for again by name only. Exit code 14 says that something\n" +
			"is waiting.",
		Example: "  holdfast forget --keep-daily 7 --keep-weekly 4 --keep-monthly 12\n  holdfast forget --keep-last 30 --apply\n  holdfast forget 9e07c1aa --apply --reason \"wrong folder\"",
		RunE: func(c *cobra.Command, args []string) error {
			if err := f.finish(args); err != nil {
				return err
			}
			return a.forget(c.Context(), args, f)
		},
	}
	fl := c.Flags()
	fl.IntVar(&f.policy.Last, "keep-last", 0, "keep the last N; -1 keeps all, here and below")
	fl.IntVar(&f.policy.Hourly, "keep-hourly", 0, "keep the newest of each of the last N hours that have one")
	fl.IntVar(&f.policy.Daily, "keep-daily", 0, "keep the newest of each of the last N days that have one")
	fl.IntVar(&f.policy.Weekly, "keep-weekly", 0, "keep the newest of each of the last N weeks that have one")
	fl.IntVar(&f.policy.Monthly, "keep-monthly", 0, "keep the newest of each of the last N months that have one")
	fl.IntVar(&f.policy.Yearly, "keep-yearly", 0, "keep the newest of each of the last N years that have one")
	fl.StringVar(&f.within, "keep-within", "", "keep what is not older than this, counted back from the newest")
	fl.StringArrayVar(&f.tags, "keep-tag", nil, "keep what has this tag, or all of a,b")
	fl.BoolVar(&f.apply, "apply", false, "ask the members, and let go of what may go")
	fl.StringVar(&f.reason, "reason", "", "what the guardians are told")
	fl.StringVar(&f.phrase, "phrase-file", "", "ask as the owner, with the kit or the 24 words; - for standard input")
	filterFlags(c, &f.filter)
	return c
}

// finish checks the flags and completes the policy.
func (f *forgetFlags) finish(args []string) error {
	var err error
	if f.within != "" {
		if f.policy.Within, err = parseSpan(f.within); err != nil {
			return err
		}
	}
	for _, list := range f.tags {
		f.policy.Tags = append(f.policy.Tags, strings.Split(list, ","))
	}
	for _, n := range []int{f.policy.Last, f.policy.Hourly, f.policy.Daily, f.policy.Weekly, f.policy.Monthly, f.policy.Yearly} {
		if n < keep.All {
			return usagef("--keep-...: %d is no count; -1 keeps all", n)
		}
	}
	filtered := len(f.filter.Hosts)+len(f.filter.Paths)+len(f.filter.Tags) > 0
	switch {
	case len(args) == 0 && f.policy.Empty():
		return usagef("name snapshots, or say with --keep-... what stays")
	case len(args) > 0 && (!f.policy.Empty() || filtered):
		return usagef("either named snapshots, or --keep-... with --host, --path and --tag")
	case len(f.reason) > ledger.MaxReason:
		return usagef("--reason has at most %d bytes", ledger.MaxReason)
	}
	return nil
}

func (a *app) forget(ctx context.Context, args []string, f forgetFlags) error {
	s, _, err := a.synced(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	choice, err := s.Choose(ctx, vault.Forget{Refs: args, Filter: f.filter, Policy: f.policy})
	if err != nil {
		return err
	}
	a.printChoice(choice)
	if !f.apply {
		a.say("%s would be asked for; nothing was changed; next: the same with --apply", plural(len(choice.Unasked()), "snapshot"))
		return nil
	}
	if err := a.askFor(ctx, s, choice.Unasked(), f); err != nil {
		return err
	}
	return a.runAll(ctx, s, concerns(choice))
}

// concerns selects the requests that name one of the snapshots of a choice.
func concerns(c vault.Choice) func(vault.Case) bool {
	leaving := map[ident.CID]bool{}
	for _, snap := range c.Leave {
		leaving[snap.Link.CID] = true
	}
	return func(k vault.Case) bool {
		for _, t := range k.Request.Targets {
			if leaving[t] {
				return true
			}
		}
		return false
	}
}

// askFor makes the requests for what nobody has asked for yet.
func (a *app) askFor(ctx context.Context, s *vault.Session, leave []vault.Snapshot, f forgetFlags) error {
	if len(leave) == 0 {
		return nil
	}
	owner, err := a.ownerOf(s, f.phrase)
	if err != nil {
		return err
	}
	asked, err := s.Request(ctx, leave, f.reason, owner)
	for _, one := range asked {
		if a.json {
			a.emit(map[string]any{"message_type": "release_request", "request": one.Request.Hex(), "kind": one.Kind, "snapshots": one.Targets, "members": one.Kept})
			continue
		}
		a.say("asked for %s: request %.8s, which %s keep", plural(one.Targets, "snapshot"), one.Request.Hex(), plural(one.Kept, "member"))
	}
	if errors.Is(err, vault.ErrNeedsOwner) {
		return withHint(err, exitNoRight, "the same with --phrase-file: the owner asks, and everybody has the cooling-off to veto")
	}
	return err
}

// ownerOf reads the owner's key from a file with the words; the zero key without one.
func (a *app) ownerOf(s *vault.Session, phrase string) (ident.PrivateKey, error) {
	if phrase == "" {
		return ident.PrivateKey{}, nil
	}
	kit, err := a.readKit(phrase)
	if err != nil {
		return ident.PrivateKey{}, err
	}
	if err := s.Words(kit.Entropy); err != nil {
		return ident.PrivateKey{}, err
	}
	return kit.Entropy.OwnerKey(), nil
}

func (a *app) printChoice(c vault.Choice) {
	for _, g := range c.Groups {
		if !a.json {
			a.printf("host %s  paths %s\n", g.Host, strings.Join(g.Paths, " "))
		}
		for _, d := range g.Decisions {
			if d.Stays() {
				a.printDecision(d.ID, d.Time, "keep", strings.Join(d.Reasons, ", "), "")
			}
		}
	}
	for _, snap := range c.Leave {
		action, request := "forget", ""
		if id, refused := c.Refused[snap.Link.CID]; refused {
			action, request = "refused", id.Hex()
		}
		if id, asked := c.Asked[snap.Link.CID]; asked {
			action, request = "asked", id.Hex()
		}
		a.printDecision(snap.ID(), snap.Link.Time, action, "", request)
	}
}

// printDecision prints what becomes of one snapshot: keep, forget, asked for already, or
// refused before, which a policy does not ask for again.
func (a *app) printDecision(id string, at time.Time, action, why, request string) {
	if a.json {
		fields := map[string]any{"message_type": "forget", "id": id, "short_id": id[:8], "time": at, "action": action}
		if why != "" {
			fields["reasons"] = strings.Split(why, ", ")
		}
		if request != "" {
			fields["request"] = request
		}
		a.emit(fields)
		return
	}
	if request != "" {
		why = "request " + request[:8]
	}
	a.printf("  %-7s  %s  %s  %s\n", action, id[:8], at.Format(time.DateTime), why)
}
