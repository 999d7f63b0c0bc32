package main

import (
	"context"

	"github.com/spf13/cobra"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/vault"
)

// placeFlags say where a guardian, on any machine, finds the vault.
type placeFlags struct {
	bootstrap []string
	network   string
}

func (f *placeFlags) add(c *cobra.Command) {
	c.Flags().StringSliceVar(&f.bootstrap, "bootstrap", nil, "multiaddr of a node, or a file with one a line")
	c.Flags().StringVar(&f.network, "network", "", "name of the network (default: what the bootstrap node says)")
}

// visit finds the vault that --vault names.
func (a *app) visit(ctx context.Context, f placeFlags) (*vault.Visit, error) {
	where, err := a.lookup(f.bootstrap, f.network)
	if err != nil {
		return nil, err
	}
	return where.Visit(ctx)
}

func guardianRequests(a *app) *cobra.Command {
	var f placeFlags
	var all bool
	c := &cobra.Command{
		Use: "requests", Short: "list what is asked of the guardians", Args: exactly(0),
		Example: "  holdfast guardian requests --vault VAULT --bootstrap ADDR",
		RunE: func(c *cobra.Command, _ []string) error {
			v, err := a.visit(c.Context(), f)
			if err != nil {
				return err
			}
			defer v.Close()
			cases, err := v.Cases(c.Context())
			if err != nil {
				return err
			}
			a.printCases(cases, v.Charter(), all)
			return nil
		},
	}
	f.add(c)
	c.Flags().BoolVar(&all, "all", false, "also those that came to nothing")
	return c
}

// speakAsGuardian visits the vault with a guardian's key, finds the request, and lets do
// say something about it.
func (a *app) speakAsGuardian(ctx context.Context, ref, file string, f placeFlags, do func(*vault.Visit, vault.Case, ident.PrivateKey) error) error {
	key, err := readGuardian(file)
	if err != nil {
		return err
	}
	v, err := a.visit(ctx, f)
	if err != nil {
		return err
	}
	defer v.Close()
	k, err := v.Case(ctx, ref)
	if err != nil {
		return err
	}
	return do(v, k, key.Approval)
}

func guardianOpine(a *app, stance ledger.Stance) *cobra.Command {
	var f placeFlags
	var file string
	c := &cobra.Command{
		Use: string(stance) + " REQUEST --key FILE", Short: shortOf(stance), Args: exactly(1),
		Long:    longOf(stance) + "\nWorks on any machine, with the vault's ID and the address of a node.",
		Example: "  holdfast guardian " + string(stance) + " 1a2b3c4d --key anna.key --vault VAULT --bootstrap ADDR",
		RunE: func(c *cobra.Command, args []string) error {
			return a.speakAsGuardian(c.Context(), args[0], file, f, func(v *vault.Visit, k vault.Case, key ident.PrivateKey) error {
				kept, err := v.Opine(c.Context(), k, stance, key)
				if err == nil {
					a.printOpinion(k, stance, kept)
				}
				return err
			})
		},
	}
	f.add(c)
	c.Flags().StringVar(&file, "key", "", "the guardian's key file")
	return c
}

func guardianUndo(a *app) *cobra.Command {
	var f placeFlags
	var file string
	c := &cobra.Command{
		Use: "undo REQUEST --key FILE", Short: "take back what was released, while nodes still have it", Args: exactly(1),
		Long:    "Asks the members to take a release back. One guardian is enough, as long as the trash time is\nnot over. Works on any machine, with the vault's ID and the address of a node.",
		Example: "  holdfast guardian undo 1a2b3c4d --key anna.key --vault VAULT --bootstrap ADDR",
		RunE: func(c *cobra.Command, args []string) error {
			return a.speakAsGuardian(c.Context(), args[0], file, f, func(v *vault.Visit, k vault.Case, key ident.PrivateKey) error {
				n, err := v.Undo(c.Context(), k, key)
				if err == nil {
					a.printUndone(k, n)
				}
				return err
			})
		},
	}
	f.add(c)
	c.Flags().StringVar(&file, "key", "", "the guardian's key file")
	return c
}
