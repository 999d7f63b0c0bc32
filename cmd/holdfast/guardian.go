package main

import (
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/vault"
	"holdfast/vault/guardian"
)

func guardianCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use: "guardian", Short: "be a guardian: one of the people who recover a vault and decide together", GroupID: groupGuardian,
		Example: "  holdfast guardian init --key anna.key --name Anna\n  holdfast guardian confirm --key anna.key --vault VAULT --bootstrap ADDR",
	}
	share := &cobra.Command{
		Use: "share", Short: "look at your share of a vault's recovery key",
		Example: "  holdfast guardian share show --key anna.key --vault VAULT --bootstrap ADDR",
	}
	share.AddCommand(guardianShareShow(a))
	c.AddCommand(guardianInit(a), group(share), guardianConfirm(a), guardianList(a), guardianRequests(a), guardianOpine(a, ledger.Approve), guardianOpine(a, ledger.Veto), guardianUndo(a))
	return group(c)
}

func guardianInit(a *app) *cobra.Command {
	var file, name string
	c := &cobra.Command{
		Use: "init --key FILE", Short: "make a guardian's key", Args: exactly(0),
		Long: "Writes FILE, which you keep secret, and FILE.pub, which you give to the owner of the vault.\n" +
			"The key opens your share of the recovery key, and signs what you approve or veto.",
		Example: "  holdfast guardian init --key anna.key --name Anna",
		RunE: func(*cobra.Command, []string) error {
			if file == "" {
				return usagef("--key is needed")
			}
			if name == "" {
				name = strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
			}
			key, err := guardian.Init(file, name)
			if errors.Is(err, fs.ErrExist) {
				return withHint(err, exitUsage, "name another file; a key is never overwritten")
			}
			if err != nil {
				return err
			}
			public := key.Public()
			if a.json {
				a.emit(map[string]any{"message_type": "guardian", "name": name, "key": public.Key.String(), "key_file": file, "public_file": guardian.PublicPath(file)})
				return nil
			}
			a.printf("guardian %s %s\n", name, public.Key)
			a.say("keep %s secret, and keep a copy", file)
			a.say("give %s to the owner of the vault, and read the key above to them by another way", guardian.PublicPath(file))
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&file, "key", "", "where to write the key")
	f.StringVar(&name, "name", "", "what the owner and the other guardians see (default: the file's name)")
	return c
}

func guardianShareShow(a *app) *cobra.Command {
	var file, out, network string
	var bootstrap []string
	c := &cobra.Command{
		Use: "show --key FILE", Short: "open your envelope, and print the share", Args: exactly(0),
		Long: "Fetches the vault's charter, opens your envelope in it, checks the share and prints it, with\n" +
			"what whoever recovers needs to find the vault. On a machine that knows the vault, --vault and\n" +
			"--bootstrap are not needed. Whoever has enough shares can read everything in the vault.",
		Example: "  holdfast guardian share show --key anna.key --vault VAULT --bootstrap ADDR --out anna-share.txt\n  holdfast guardian share show --key anna.key --vault shop",
		RunE: func(c *cobra.Command, _ []string) error {
			key, err := readGuardian(file)
			if err != nil {
				return err
			}
			where, err := a.lookup(bootstrap, network)
			if err != nil {
				return err
			}
			own, err := where.ShareOf(c.Context(), key)
			if err != nil {
				return err
			}
			if own.Charter.Number != own.Newest.Number {
				a.warn("this share is of charter %d of the vault; the one in force, number %d, names other guardians", own.Charter.Number, own.Newest.Number)
			}
			if out != "" {
				return a.keepShare(own.File, out)
			}
			if a.json {
				a.emit(shareFields(own.File, own.Charter.Number))
				return nil
			}
			_, err = io.WriteString(a.out, own.File.Text())
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&file, "key", "", "the guardian's key file")
	f.StringVar(&out, "out", "", "write the share to this file, readable by you alone, instead of printing it")
	f.StringSliceVar(&bootstrap, "bootstrap", nil, "multiaddr of a node, or a file with one a line")
	f.StringVar(&network, "network", "", "name of the network (default: what the bootstrap node says)")
	return c
}

func shareFields(f guardian.ShareFile, charter int64) map[string]any {
	return map[string]any{
		"message_type": "share", "share": f.Share.Code(), "index": f.Share.Index, "threshold": f.Share.Threshold, "of": f.Share.Of,
		"vault": f.Vault.String(), "network": f.Network, "bootstrap": f.Bootstrap, "charter": charter,
	}
}

// keepShare writes the share where nobody else can read it.
func (a *app) keepShare(f guardian.ShareFile, path string) error {
	if err := writeNew(path, f.Text()); err != nil {
		return err
	}
	a.say("wrote share %d of %d to %s; any %d of them open the vault", f.Share.Index, f.Share.Of, path, f.Share.Threshold)
	return nil
}

// readGuardian reads the key that --key names.
func readGuardian(path string) (guardian.Key, error) {
	if path == "" {
		return guardian.Key{}, usagef("--key is needed: the file that holdfast guardian init has written")
	}
	key, err := guardian.ReadKey(path)
	return key, orUsage(err)
}

// lookup says which vault is meant and where to ask for it: by its ID and bootstrap
// addresses, on any machine, or as this machine knows it.
func (a *app) lookup(bootstrap []string, network string) (vault.Lookup, error) {
	l := vault.Lookup{Network: network, Options: a.options()}
	var err error
	if l.Bootstrap, err = addresses(bootstrap); err != nil {
		return l, err
	}
	if id, err := ident.ParseCID(a.vault); err == nil && len(l.Bootstrap) > 0 {
		l.Vault = id
		return l, nil
	}
	h, err := home()
	if err != nil {
		return l, err
	}
	name, err := h.Find(a.vault)
	if errors.Is(err, vault.ErrNoVault) {
		return l, withHint(err, exitNoVault, "on a machine that does not know the vault, give its ID with --vault, and --bootstrap ADDR")
	}
	if err != nil {
		return l, err
	}
	p, err := h.Load(name)
	l.Vault, l.Bootstrap = p.Vault, append(l.Bootstrap, p.Bootstrap...)
	return l, err
}
