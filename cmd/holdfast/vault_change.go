package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/vault"
)

// changeFlags are the flags of `vault change`.
type changeFlags struct {
	phrase, reason              string
	replace, add, remove, admit []string
	renew, rotate, requestOnly  bool
	retention, cooling, trash   string
	expiryAfter                 string
	expiryNewer                 int64
	code                        string
	guardians                   []string
	threshold                   int
}

func vaultChange(a *app) *cobra.Command {
	var f changeFlags
	c := &cobra.Command{
		Use: "change [REQUEST] --phrase-file FILE", Short: "change the vault's charter", Args: between(0, 1),
		Long: "Makes a new charter and brings it into force with a quorum of the members. What raises\n" +
			"protection, or replaces few members, takes effect at once. What lowers it is asked for, waits\n" +
			"for the guardians and the cooling-off, and is completed by the same command, or with the\n" +
			"request's name. Every change gives the members new vote keys.",
		Example: "  holdfast vault change --replace alpha=omega --phrase-file kit.txt\n" +
			"  holdfast vault change --guardian anna.pub --guardian ben.pub --guardian cleo.pub --threshold 2 --phrase-file kit.txt\n" +
			"  holdfast vault change --retention 7d --reason \"less space\" --phrase-file kit.txt",
		RunE: func(c *cobra.Command, args []string) error {
			change, err := f.change()
			if err != nil {
				return err
			}
			request := ""
			if len(args) == 1 {
				request = args[0]
			}
			return a.changeVault(c.Context(), change, f, request)
		},
	}
	fl := c.Flags()
	fl.StringVar(&f.phrase, "phrase-file", "", "the kit, or the 24 words; - for standard input")
	fl.StringSliceVar(&f.replace, "replace", nil, "OLD=NEW: an operator takes the place of a member")
	fl.StringSliceVar(&f.add, "add-member", nil, "an operator who becomes a member: his name or public key")
	fl.StringSliceVar(&f.remove, "remove-member", nil, "an operator who is a member no more")
	fl.StringSliceVar(&f.admit, "admit", nil, "an operator whose nodes may hold shards")
	fl.BoolVar(&f.renew, "renew", false, "new vote keys for all members, and nothing else")
	fl.BoolVar(&f.rotate, "rotate", false, "new data goes to the vault's next identity")
	fl.StringVar(&f.retention, "retention", "", "nothing can be deleted before, by anyone")
	fl.StringVar(&f.cooling, "cooling-off", "", "how long every release waits")
	fl.StringVar(&f.trash, "trash", "", "how long a release can be undone")
	fl.StringVar(&f.expiryAfter, "expiry-after", "", "routine expiry: of what age (0 ends it)")
	fl.Int64Var(&f.expiryNewer, "expiry-newer", -1, "routine expiry: with how many newer snapshots of the same source")
	fl.StringVar(&f.code, "code", "", "erasure code K/N for new data")
	fl.StringSliceVar(&f.guardians, "guardian", nil, "the public file of each guardian there is to be, those who stay included")
	fl.IntVar(&f.threshold, "threshold", 0, "how many guardians recover the key together, and approve (default: a majority)")
	fl.BoolVar(&f.requestOnly, "request-only", false, "ask for what has to wait, and do not try it")
	fl.StringVar(&f.reason, "reason", "", "what the guardians are told")
	return c
}

// change reads the flags that need no network. Operators are found later.
func (f changeFlags) change() (vault.Change, error) {
	c := vault.Change{Renew: f.renew, Rotate: f.rotate, RequestOnly: f.requestOnly, Reason: f.reason}
	alter, err := f.times()
	if err != nil {
		return c, err
	}
	var code erasure.Code
	if f.code != "" {
		if code, err = erasure.ParseCode(f.code); err != nil {
			return c, usage(err)
		}
	}
	c.Alter = func(ch *ledger.Charter) error {
		for _, set := range alter {
			set(ch)
		}
		if f.code != "" {
			ch.Code = ledger.Code(code)
		}
		return nil
	}
	return c, nil
}

// times returns what the flags of durations do to a charter.
func (f changeFlags) times() ([]func(*ledger.Charter), error) {
	var out []func(*ledger.Charter)
	for _, t := range []struct {
		text string
		of   func(*ledger.Charter) *int64
	}{
		{f.retention, func(c *ledger.Charter) *int64 { return &c.Retention }},
		{f.cooling, func(c *ledger.Charter) *int64 { return &c.Cooling }},
		{f.trash, func(c *ledger.Charter) *int64 { return &c.Trash }},
		{f.expiryAfter, func(c *ledger.Charter) *int64 { return &c.Expiry.After }},
	} {
		if t.text == "" {
			continue
		}
		d, err := parseSpan(t.text)
		if err != nil {
			return nil, err
		}
		out = append(out, func(c *ledger.Charter) { *t.of(c) = int64(d / time.Second) })
	}
	if f.expiryNewer >= 0 {
		out = append(out, func(c *ledger.Charter) { c.Expiry.Newer = f.expiryNewer })
	}
	out = append(out, func(c *ledger.Charter) {
		if c.Expiry.After == 0 {
			c.Expiry = ledger.Expiry{}
		}
	})
	return out, nil
}

func (a *app) changeVault(ctx context.Context, c vault.Change, f changeFlags, request string) error {
	public, err := guardiansOf(f.guardians)
	if err != nil {
		return err
	}
	if len(public) == 0 && f.threshold != 0 {
		return usagef("--threshold needs the guardians: their envelopes are made anew")
	}
	kit, err := a.readKit(f.phrase)
	if err != nil {
		return err
	}
	s, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	if _, err := s.Sync(ctx); err != nil {
		return err
	}
	if err := f.operators(ctx, s, &c); err != nil {
		return err
	}
	if request != "" {
		k, err := s.Case(ctx, request)
		if err != nil {
			return err
		}
		c.Request = k.Request.CID()
	}
	if len(public) > 0 {
		alter, appoint := c.Alter, vault.AppointGuardians(kit.Entropy, public, f.threshold)
		c.Alter = func(ch *ledger.Charter) error {
			if err := alter(ch); err != nil {
				return err
			}
			return appoint(ch)
		}
	}
	before := s.Charter()
	out, err := s.Change(ctx, kit.Entropy, c)
	if err != nil && !out.Request.Defined() {
		return err
	}
	a.reportChange(out, err)
	if out.Done && len(out.Charter.Secret) > 0 && !ledger.SameShares(before, out.Charter) {
		a.say("all shares are new: ask each guardian to try it now: holdfast guardian confirm --key FILE --vault %s --bootstrap ADDR", s.Vault())
	}
	return err
}

// operators finds out whom the flags mean.
func (f changeFlags) operators(ctx context.Context, s *vault.Session, c *vault.Change) error {
	for _, list := range []struct {
		refs []string
		to   *[]ident.PublicKey
	}{{f.add, &c.Add}, {f.remove, &c.Remove}, {f.admit, &c.Admit}} {
		for _, ref := range list.refs {
			key, err := s.FindOperator(ctx, ref)
			if err != nil {
				return err
			}
			*list.to = append(*list.to, key)
		}
	}
	for _, pair := range f.replace {
		old, other, ok := strings.Cut(pair, "=")
		if !ok {
			return usagef("--replace: %q is not OLD=NEW", pair)
		}
		from, err := s.FindOperator(ctx, old)
		if err != nil {
			return err
		}
		to, err := s.FindOperator(ctx, other)
		if err != nil {
			return err
		}
		if c.Replace == nil {
			c.Replace = map[ident.PublicKey]ident.PublicKey{}
		}
		c.Replace[from] = to
	}
	return nil
}

// reportChange says what has become of a change.
func (a *app) reportChange(out vault.Changed, err error) {
	state := "done"
	switch {
	case err != nil:
		state = "waits"
	case !out.Done:
		state = "requested"
	}
	if a.json {
		fields := map[string]any{
			"message_type": "charter", "state": state, "number": out.Charter.Number, "charter": out.Charter.CID().String(), "lowers": out.Lowers,
		}
		if out.Request.Defined() {
			fields["request"] = out.Request.Hex()
		}
		a.emit(fields)
		return
	}
	if out.Done {
		a.printf("charter %d %s\n", out.Charter.Number, out.Charter.CID())
		return
	}
	a.printf("request %s\n", out.Request.Hex())
	for _, why := range out.Lowers {
		a.say("it waits: %s", why)
	}
}
