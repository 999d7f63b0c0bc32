package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/vault"
)

// recoverLife is how long a recovered machine may read before it has to show the
// words again.
const recoverLife = 30 * 24 * time.Hour

func recoverCommand(a *app) *cobra.Command {
	var phrase, name string
	var bootstrap, shares []string
	c := &cobra.Command{
		Use: "recover [VAULT] --phrase-file FILE | --share FILE --share FILE", Short: "get at a vault from an empty machine, with the words or with guardians", GroupID: groupRecovery, Args: between(0, 1),
		Long: "Finds the vault, verifies everything from its charter on, says how sure it is of the newest\n" +
			"snapshot, and makes this machine one that can read. With --phrase-file, FILE is the recovery\n" +
			"kit, or a file with the 24 words alone. With --share, each FILE comes from a guardian: what\n" +
			"holdfast guardian share show has printed, or the guardian's own key file. After it: holdfast\n" +
			"snapshots, holdfast restore.",
		Example: "  holdfast recover --phrase-file kit.txt\n  holdfast recover --phrase-file words.txt --bootstrap /ip4/192.0.2.1/tcp/4710/p2p/12D3Koo...\n" +
			"  holdfast recover --share anna.txt --share ben.txt\n  holdfast recover VAULT --share anna.key --share ben.txt --bootstrap ADDR",
		RunE: func(c *cobra.Command, args []string) error {
			claim, err := a.claimFrom(c.Context(), phrase, shares, args, bootstrap, name)
			if err != nil {
				return err
			}
			claim.Life = recoverLife
			return a.runClaim(c.Context(), claim, "recover")
		},
	}
	f := c.Flags()
	f.StringVar(&phrase, "phrase-file", "", "the kit, or the 24 words; - for standard input")
	f.StringArrayVar(&shares, "share", nil, "a guardian's share, or key file; once for each; - for standard input")
	f.StringVar(&name, "name", "", "what this machine calls the vault")
	f.StringSliceVar(&bootstrap, "bootstrap", nil, "multiaddr of a node, or a file with one a line")
	return c
}

// claim reads what `join` and `recover` share.
func (a *app) claim(phrase string, args, bootstrap []string, name, device, rights string) (vault.Claim, error) {
	r, err := ledger.ParseRights(rights)
	if err != nil {
		return vault.Claim{}, usage(err)
	}
	kit, err := a.readKit(phrase)
	if err != nil {
		return vault.Claim{}, err
	}
	return a.claimWith(kit, r, args, bootstrap, name, device)
}

// claimWith is a claim with a kit, wherever it came from.
func (a *app) claimWith(kit vault.Kit, rights ledger.Rights, args, bootstrap []string, name, device string) (vault.Claim, error) {
	c := vault.Claim{Kit: kit, Rights: rights, Name: name, Device: device, Options: a.options()}
	var err error
	if len(args) == 1 {
		if c.Vault, err = ident.ParseCID(args[0]); err != nil {
			return c, usagef("VAULT: %w", err)
		}
	}
	if c.Bootstrap, err = addresses(bootstrap); err != nil {
		return c, err
	}
	if len(c.Bootstrap)+len(c.Kit.Bootstrap) == 0 {
		return c, usagef("--bootstrap is needed: the file holds no bootstrap line")
	}
	return c, nil
}

func (a *app) runClaim(ctx context.Context, c vault.Claim, messageType string) error {
	h, err := home()
	if err != nil {
		return err
	}
	got, err := h.Claim(ctx, c)
	if err != nil {
		return err
	}
	return a.claimed(ctx, h, got, c.Rights, messageType)
}

// claimed says what a machine has come to, and how sure it is of the newest head.
func (a *app) claimed(ctx context.Context, h vault.Home, got vault.Claimed, rights ledger.Rights, messageType string) error {
	snapshots, err := a.countSnapshots(ctx, h, got.Profile.Name)
	if err != nil {
		return err
	}
	st := got.Standing
	if a.json {
		a.emit(map[string]any{
			"message_type": messageType, "name": got.Profile.Name, "vault": got.Profile.Vault.String(), "network": got.Charter.Network,
			"freshness": st.Freshness.String(), "answers": st.Answers, "members": st.Members, "snapshots": snapshots, "rights": rights,
		})
		return nil
	}
	a.printf("vault %s %s\n", got.Profile.Name, got.Profile.Vault)
	a.printf("newest head: %s (%d of %d members answered)\n", st.Freshness, st.Answers, st.Members)
	a.printf("%s\n", plural(snapshots, "snapshot"))
	a.warnStanding(st)
	next := "holdfast snapshots, holdfast restore latest --target DIR"
	if !rights.CanRead() {
		next = "holdfast backup PATH"
	}
	a.say("this machine has rights %q; next: %s", rights, next)
	return nil
}

func (a *app) countSnapshots(ctx context.Context, h vault.Home, name string) (int, error) {
	s, err := h.Open(ctx, name, a.options())
	if err != nil {
		return 0, err
	}
	defer s.Close()
	all, err := s.Snapshots(ctx, vault.Filter{})
	return len(all), err
}
