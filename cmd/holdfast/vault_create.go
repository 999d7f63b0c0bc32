package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/erasure"
	"holdfast/internal/atomicfile"
	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/vault"
)

// createFlags are the flags of `vault create`.
type createFlags struct {
	bootstrap                  []string
	network, code, operators   string
	retention, cooling, rights string
	kit, phraseOut, device     string
	guardians                  []string
	threshold                  int
	trash, expiryAfter         string
	expiryNewer                int64
	yes                        bool
}

func vaultCreate(a *app) *cobra.Command {
	var f createFlags
	c := &cobra.Command{
		Use: "create NAME --bootstrap ADDR", Short: "make a vault, and a recovery kit for it", Args: exactly(1),
		Long: "Finds operators, writes the vault's charter, has its members accept it, and enrols this\n" +
			"machine. The recovery kit is written before anything is published; the words are not kept\n" +
			"on this machine.",
		Example: "  holdfast vault create shop --bootstrap /ip4/192.0.2.1/tcp/4710/p2p/12D3Koo...\n  holdfast vault create shop --bootstrap net/bootstrap --kit kit.txt --yes\n" +
			"  holdfast vault create shop --bootstrap ADDR --guardian anna.pub --guardian ben.pub --guardian cleo.pub --threshold 2",
		RunE: func(c *cobra.Command, args []string) error {
			create, err := a.createConfig(args[0], f)
			if err != nil {
				return err
			}
			return a.create(c.Context(), create, f)
		},
	}
	fl := c.Flags()
	fl.StringSliceVar(&f.bootstrap, "bootstrap", nil, "multiaddr of a node, or a file with one a line")
	fl.StringVar(&f.network, "network", "", "name of the network (default: what the bootstrap node says)")
	fl.StringVar(&f.code, "code", "", "erasure code K/N (default: by the number of operators)")
	fl.StringVar(&f.operators, "operators", "", "file with the operators to choose from, a public key a line")
	fl.StringVar(&f.retention, "retention", "30d", "nothing can be deleted before, by anyone")
	fl.StringVar(&f.cooling, "cooling-off", "14d", "how long every release waits")
	fl.StringVar(&f.trash, "trash", "7d", "how long nodes keep what was released, so that it can be undone")
	fl.StringVar(&f.expiryAfter, "expiry-after", "", "snapshots that are older may be forgotten without guardians (default: none may)")
	fl.Int64Var(&f.expiryNewer, "expiry-newer", 7, "of those, only what has so many newer complete snapshots of the same device and source")
	fl.StringVar(&f.rights, "rights", string(ledger.Full), "what this machine may do: append or full")
	fl.StringVar(&f.kit, "kit", "", "where to write the recovery kit (default: NAME-kit.txt)")
	fl.StringVar(&f.phraseOut, "phrase-out", "", "write the 24 words alone to this file, too")
	fl.StringVar(&f.device, "device", hostname(), "what this machine is called")
	fl.StringSliceVar(&f.guardians, "guardian", nil, "a guardian's public file; at least two")
	fl.IntVar(&f.threshold, "threshold", 0, "how many guardians recover the key together, and approve (default: a majority)")
	fl.BoolVar(&f.yes, "yes", false, "no questions, for scripts")
	return c
}

func (a *app) createConfig(name string, f createFlags) (vault.Create, error) {
	c := vault.Create{Name: name, Network: f.network, Device: f.device, Options: a.options()}
	var err error
	if c.Guardians, err = guardiansOf(f.guardians); err != nil {
		return c, err
	}
	c.Threshold = f.threshold
	if c.Bootstrap, err = addresses(f.bootstrap); err != nil {
		return c, err
	}
	if len(c.Bootstrap) == 0 {
		return c, usagef("--bootstrap is needed")
	}
	if f.code != "" {
		if c.Code, err = erasure.ParseCode(f.code); err != nil {
			return c, usage(err)
		}
	}
	if c.Rights, err = ledger.ParseRights(f.rights); err != nil || !c.Rights.CanAppend() {
		return c, usagef("--rights: %q is neither append nor full", f.rights)
	}
	if c.Retention, err = parseSpan(f.retention); err != nil {
		return c, err
	}
	if c.Cooling, err = parseSpan(f.cooling); err != nil {
		return c, err
	}
	if c.Trash, err = parseSpan(f.trash); err != nil {
		return c, err
	}
	if c.Expiry, err = f.expiry(); err != nil {
		return c, err
	}
	if f.operators != "" {
		if c.Operators, err = readOperators(f.operators); err != nil {
			return c, err
		}
	}
	return c, nil
}

// expiry is the routine expiry that the flags describe; none without --expiry-after.
func (f createFlags) expiry() (ledger.Expiry, error) {
	if f.expiryAfter == "" {
		return ledger.Expiry{}, nil
	}
	after, err := parseSpan(f.expiryAfter)
	if err == nil && (after < time.Second || f.expiryNewer < 0) {
		err = usagef("--expiry-after: at least a second, and --expiry-newer is a count")
	}
	return ledger.Expiry{After: int64(after / time.Second), Newer: f.expiryNewer}, err
}

// readOperators reads public keys, one a line; what stands behind a key is a comment.
func readOperators(path string) ([]ident.PublicKey, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, usage(err)
	}
	defer file.Close()
	var out []ident.PublicKey
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		key, err := ident.ParsePublicKey(fields[0])
		if err != nil {
			return nil, usagef("--operators: %s: %w", path, err)
		}
		out = append(out, key)
	}
	return out, lines.Err()
}

func (a *app) create(ctx context.Context, c vault.Create, f createFlags) error {
	h, err := home()
	if err != nil {
		return err
	}
	if f.kit == "" {
		f.kit = c.Name + "-kit.txt"
	}
	for _, path := range []string{f.kit, f.phraseOut} {
		if _, err := os.Lstat(path); err == nil && path != "" {
			return usagef("%s is already there; name another file", path)
		}
	}
	if !f.yes {
		c.Confirm = a.confirmPlan
	}
	kept := false
	c.KeepKit = func(k vault.Kit) error {
		kept = true
		return a.keepKit(k, f)
	}
	p, plan, err := h.Create(ctx, c)
	if err != nil && kept {
		return errors.Join(err, dropKit(f))
	}
	if err != nil {
		return err
	}
	a.created(p, plan, f)
	return nil
}

func (a *app) keepKit(k vault.Kit, f createFlags) error {
	if err := atomicfile.WriteFile(f.kit, []byte(k.Text()), 0o600); err != nil {
		return err
	}
	if f.phraseOut == "" {
		return nil
	}
	return atomicfile.WriteFile(f.phraseOut, []byte(k.Entropy.Phrase()+"\n"), 0o600)
}

// dropKit removes the kit of a vault that was not made: its words open nothing, and whoever
// prints them would believe otherwise.
func dropKit(f createFlags) (errs error) {
	for _, path := range []string{f.kit, f.phraseOut} {
		if path == "" {
			continue
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = errors.Join(errs, err)
		}
	}
	return errs
}

func (a *app) created(p vault.Profile, plan vault.Plan, f createFlags) {
	if plan.Thin {
		a.warn("%d operators for %v: some hold more than one shard of a segment", len(plan.Members), plan.Code)
	}
	a.sayLaw(plan.Law)
	if a.json {
		a.emit(map[string]any{
			"message_type": "initialized", "law": listOf(plan.Law), "id": p.Vault.String(), "vault": p.Vault.String(), "name": p.Name, "network": plan.Network,
			"code": plan.Code.String(), "members": len(plan.Members), "guardians": len(plan.Guardians), "threshold": plan.Threshold, "kit": f.kit, "device": p.Device.Public().String(),
		})
		return
	}
	a.printf("vault %s %s\ncode %v on %d operators\nkit %s\n", p.Name, p.Vault, plan.Code, len(plan.Members), f.kit)
	a.showGuardians(a.out, plan.Guardians, plan.Threshold)
	if len(plan.Guardians) > 0 {
		a.say("ask each guardian to try it now: holdfast guardian confirm --key FILE --vault %s --bootstrap ADDR", p.Vault)
	}
	a.say("print %s and keep it where no fire takes it together with this machine; next: holdfast backup PATH", f.kit)
}

// confirmPlan shows the operators with their fingerprints, and asks.
func (a *app) confirmPlan(p vault.Plan) error {
	if !terminal(a.in) {
		return usagef("standard input is no terminal to ask on; use --yes")
	}
	fmt.Fprintf(a.err, "network %s, code %v: any %d of %d shards rebuild a segment\n", p.Network, p.Code, p.Code.K, p.Code.N)
	for _, m := range p.Members {
		fmt.Fprintf(a.err, "  operator %-20s %s   zone %s\n", m.Name, m.Operator.Short(), m.Zone)
	}
	for _, line := range p.Law {
		fmt.Fprintf(a.err, "  law: %s\n", line)
	}
	a.showGuardians(a.err, p.Guardians, p.Threshold)
	fmt.Fprint(a.err, "make this vault? [y/N] ")
	line, err := bufio.NewReader(a.in).ReadString('\n')
	if err != nil {
		return vault.ErrDeclined
	}
	if word := strings.ToLower(strings.TrimSpace(line)); word != "y" && word != "yes" {
		return vault.ErrDeclined
	}
	return nil
}
