package main

import (
	"context"

	"github.com/spf13/cobra"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/vault"
)

// keyFlags are how somebody says who they are: a guardian with a key file, or the owner
// with the words.
type keyFlags struct{ key, phrase string }

func (f *keyFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.key, "key", "", "the guardian's key file")
	c.Flags().StringVar(&f.phrase, "phrase-file", "", "as the owner, with the kit or the 24 words; - for standard input")
}

// keyOf reads the key; the zero key stands for this device.
func (a *app) keyOf(s *vault.Session, f keyFlags) (ident.PrivateKey, error) {
	if f.key != "" && f.phrase != "" {
		return ident.PrivateKey{}, usagef("either --key or --phrase-file")
	}
	if f.key == "" {
		return a.ownerOf(s, f.phrase)
	}
	g, err := readGuardian(f.key)
	return g.Approval, err
}

// speak finds the request and the key, and lets do say something with it.
func (a *app) speak(ctx context.Context, ref string, f keyFlags, do func(*vault.Session, vault.Case, ident.PrivateKey) error) error {
	s, _, err := a.synced(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	key, err := a.keyOf(s, f)
	if err != nil {
		return err
	}
	k, err := s.Case(ctx, ref)
	if err != nil {
		return err
	}
	return do(s, k, key)
}

func releaseOpine(a *app, stance ledger.Stance) *cobra.Command {
	var f keyFlags
	c := &cobra.Command{
		Use: string(stance) + " REQUEST", Short: shortOf(stance), Args: exactly(1),
		Long:    longOf(stance),
		Example: "  holdfast release " + string(stance) + " 1a2b3c4d --key anna.key",
		RunE: func(c *cobra.Command, args []string) error {
			return a.speak(c.Context(), args[0], f, func(s *vault.Session, k vault.Case, key ident.PrivateKey) error {
				kept, err := s.Opine(c.Context(), k, stance, key)
				if err == nil {
					a.printOpinion(k, stance, kept)
				}
				return err
			})
		},
	}
	f.add(c)
	return c
}

func shortOf(stance ledger.Stance) string {
	if stance == ledger.Approve {
		return "agree to a request, as a guardian"
	}
	return "end a request"
}

func longOf(stance ledger.Stance) string {
	if stance == ledger.Approve {
		return "Signs that you agree. When enough guardians do, the cooling-off begins, in which any of them\ncan still veto."
	}
	return "Signs that you do not agree: one veto of a guardian ends a request. In a vault without\nguardians the owner and every device with full rights can veto."
}

func (a *app) printOpinion(k vault.Case, stance ledger.Stance, kept int) {
	if a.json {
		a.emit(map[string]any{"message_type": "opinion", "request": k.ID(), "stance": stance, "members": kept})
		return
	}
	past := map[ledger.Stance]string{ledger.Approve: "approved", ledger.Veto: "vetoed"}[stance]
	a.printf("%s request %s (%s): %d of %d members have it\n", past, k.ID()[:8], subject(k), kept, k.Members)
}

func releaseUndo(a *app) *cobra.Command {
	var f keyFlags
	c := &cobra.Command{
		Use: "undo REQUEST", Short: "take back what was released, while nodes still have it", Args: exactly(1),
		Long: "Asks the members to take a release back, which the owner, a guardian or a device with full\n" +
			"rights can, as long as the trash time is not over. The snapshots are there again when a\n" +
			"quorum has agreed.",
		Example: "  holdfast release undo 1a2b3c4d\n  holdfast release undo 1a2b3c4d --key anna.key",
		RunE: func(c *cobra.Command, args []string) error {
			return a.speak(c.Context(), args[0], f, func(s *vault.Session, k vault.Case, key ident.PrivateKey) error {
				n, err := s.Undo(c.Context(), k, key)
				if err == nil {
					a.printUndone(k, n)
				}
				return err
			})
		},
	}
	f.add(c)
	return c
}

func (a *app) printUndone(k vault.Case, releases int) {
	if a.json {
		a.emit(map[string]any{"message_type": "undone", "request": k.ID(), "releases": releases})
		return
	}
	a.printf("took back %s by request %s; its snapshots are there again\n", plural(releases, "release"), k.ID()[:8])
}
