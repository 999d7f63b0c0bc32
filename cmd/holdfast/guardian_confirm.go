package main

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"holdfast/ledger"
	"holdfast/vault"
)

func guardianConfirm(a *app) *cobra.Command {
	var f placeFlags
	var file string
	c := &cobra.Command{
		Use: "confirm --key FILE", Short: "open your envelope, and tell everybody that your share is right", Args: exactly(0),
		Long: "Fetches the vault's charter, opens your envelope in it, checks the share, and leaves a signed word\n" +
			"with the vault's members: holdfast status then says that you have your share, and since when. The\n" +
			"word tells nothing of the share. Do it when you become a guardian, whenever the guardians change,\n" +
			"and once a year. Works on any machine, with the vault's ID and the address of a node.",
		Example: "  holdfast guardian confirm --key anna.key --vault VAULT --bootstrap ADDR\n  holdfast guardian confirm --key anna.key --vault shop",
		RunE: func(c *cobra.Command, _ []string) error {
			key, err := readGuardian(file)
			if err != nil {
				return err
			}
			v, err := a.visit(c.Context(), f)
			if err != nil {
				return err
			}
			defer v.Close()
			share, kept, err := v.Confirm(c.Context(), key)
			if errors.Is(err, ledger.ErrExpired) || errors.Is(err, ledger.ErrSuperseded) {
				return withHint(err, exitClock, "set this machine's clock: the members compare the time with theirs, and with the last one")
			}
			if err != nil {
				return err
			}
			ch := v.Charter()
			if a.json {
				a.emit(map[string]any{
					"message_type": "confirmation", "vault": ch.ID().String(), "charter": ch.Number, "name": key.Name, "key": key.Public().Key.String(),
					"index": share.Index, "of": share.Of, "threshold": share.Threshold, "kept": kept, "members": len(ch.Members),
				})
				return nil
			}
			a.printf("confirmed: share %d of %d is right; %d of %d members keep your word\n", share.Index, share.Of, kept, len(ch.Members))
			return nil
		},
	}
	f.add(c)
	c.Flags().StringVar(&file, "key", "", "the guardian's key file")
	return c
}

func guardianList(a *app) *cobra.Command {
	var f placeFlags
	c := &cobra.Command{
		Use: "list", Short: "list the vault's guardians, and who has confirmed the share", Args: exactly(0),
		Long:    "Works on any machine, with the vault's ID and the address of a node.",
		Example: "  holdfast guardian list --vault VAULT --bootstrap ADDR",
		RunE: func(c *cobra.Command, _ []string) error {
			v, err := a.visit(c.Context(), f)
			if err != nil {
				return err
			}
			defer v.Close()
			all, err := v.Confirmations(c.Context())
			if err != nil {
				return err
			}
			a.printGuardianList(v.Charter(), all)
			return nil
		},
	}
	f.add(c)
	return c
}

// printGuardianList has a line for each guardian. Those of a charter that gives nobody a
// share have nothing to confirm.
func (a *app) printGuardianList(ch ledger.Charter, all []vault.Confirmed) {
	if len(all) == 0 {
		for _, g := range ch.Guardians {
			all = append(all, vault.Confirmed{Name: g.Name, Key: g.Key})
		}
	}
	now := time.Now()
	if a.json {
		for _, g := range all {
			fields := confirmedJSON(g, now)
			fields["message_type"] = "guardian"
			a.emit(fields)
		}
		return
	}
	a.printf("%s\n", guardedBy(ch))
	for _, g := range all {
		word := "not confirmed"
		if !g.Time.IsZero() {
			word = "confirmed " + age(g.Time, now) + " ago" + mark(g.Old(now), ": ask again")
		}
		a.printf("  guardian %-16s %s   %s\n", g.Name, g.Key.String(), mark(len(ch.Secret) > 0, word))
	}
	if len(ch.Secret) > 0 {
		a.printf("%s\n", shares(ch, all))
	}
}
