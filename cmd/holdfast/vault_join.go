package main

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"holdfast/internal/atomicfile"
	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/vault"
)

// joinFlags are the flags of `vault join`.
type joinFlags struct {
	phrase, request, invite string
	name, rights, device    string
	bootstrap               []string
}

func vaultJoin(a *app) *cobra.Command {
	var f joinFlags
	c := &cobra.Command{
		Use: "join [VAULT] --request FILE | --invite FILE | --phrase-file FILE", Short: "make this machine a device of a vault", Args: between(0, 1),
		Long: "Without the words, in three steps: this machine writes a request, the owner answers it with\n" +
			"an invitation (holdfast vault device add), and this machine takes that. None of the two files\n" +
			"is secret; the invitation must come from the owner, and VAULT makes sure of it.\n\n" +
			"With the words, at once: records this machine in the owner's lane, which needs a quorum of\n" +
			"the members. VAULT is the vault's ID; a kit and an invitation name it themselves.",
		Example: "  holdfast vault join --request web-01.txt --name shop\n  holdfast vault join VAULT --invite web-01.txt.invite\n  holdfast vault join --phrase-file kit.txt --rights append",
		RunE: func(c *cobra.Command, args []string) error {
			return a.join(c.Context(), args, f)
		},
	}
	fl := c.Flags()
	fl.StringVar(&f.request, "request", "", "write a request for the owner to this file")
	fl.StringVar(&f.invite, "invite", "", "the owner's answer to a request")
	fl.StringVar(&f.phrase, "phrase-file", "", "the kit, or the 24 words; - for standard input")
	fl.StringVar(&f.name, "name", "", "what this machine calls the vault")
	fl.StringVar(&f.rights, "rights", string(ledger.Full), "with the words: what this machine may do: append, read or full")
	fl.StringVar(&f.device, "device", hostname(), "what this machine is called")
	fl.StringSliceVar(&f.bootstrap, "bootstrap", nil, "multiaddr of a node, or a file with one a line")
	return c
}

func (a *app) join(ctx context.Context, args []string, f joinFlags) error {
	switch {
	case f.request != "" && f.invite+f.phrase != "", f.invite != "" && f.phrase != "":
		return usagef("--request, --invite and --phrase-file exclude each other")
	case f.request != "":
		if len(args) > 0 {
			return usagef("a request names no vault: the owner's answer does")
		}
		return a.writeRequest(f)
	case f.invite != "":
		return a.takeInvite(ctx, args, f)
	}
	claim, err := a.claim(f.phrase, args, f.bootstrap, f.name, f.device, f.rights)
	if err != nil {
		return err
	}
	claim.Enrol = true
	return a.runClaim(ctx, claim, "vault_join")
}

func (a *app) writeRequest(f joinFlags) error {
	h, err := home()
	if err != nil {
		return err
	}
	if err := absent(f.request); err != nil {
		return err
	}
	text, key, err := h.Request(f.name, f.device, a.options())
	if err != nil {
		return err
	}
	if err := atomicfile.WriteFile(f.request, text, 0o644); err != nil {
		return err
	}
	if a.json {
		a.emit(map[string]any{"message_type": "join_request", "device": key.String(), "name": f.device, "file": f.request})
		return nil
	}
	a.printf("device %s %s\nrequest %s\n", f.device, key, f.request)
	a.say("hand %s to the vault's owner, who answers with holdfast vault device add; next here: holdfast vault join --invite FILE", f.request)
	return nil
}

// absent fails if there is something at a path that is to be written.
func absent(path string) error {
	if _, err := os.Lstat(path); err == nil {
		return usagef("%s is already there; name another file", path)
	}
	return nil
}

func (a *app) takeInvite(ctx context.Context, args []string, f joinFlags) error {
	h, err := home()
	if err != nil {
		return err
	}
	j := vault.Join{Name: f.name, Options: a.options()}
	if j.Invite, err = vault.ReadInvite(f.invite); err != nil {
		return unreadable(err)
	}
	if len(args) == 1 {
		if j.Vault, err = ident.ParseCID(args[0]); err != nil {
			return usagef("VAULT: %w", err)
		}
	}
	if j.Bootstrap, err = addresses(f.bootstrap); err != nil {
		return err
	}
	got, err := h.Join(ctx, j)
	if err != nil {
		return err
	}
	return a.claimed(ctx, h, got, j.Invite.Rights(), "vault_join")
}

// unreadable makes a file that is not there a mistake in the command line.
func unreadable(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return usage(err)
	}
	return err
}
