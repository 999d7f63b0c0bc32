package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/atomicfile"
	"holdfast/ledger"
	"holdfast/vault"
)

func vaultDevice(a *app) *cobra.Command {
	c := &cobra.Command{
		Use: "device", Short: "add, look at and revoke the devices of a vault",
		Example: "  holdfast vault device add web-01.txt --rights append --quota 500GB --phrase-file kit.txt\n  holdfast vault device list\n  holdfast vault device revoke web-01 --phrase-file kit.txt",
	}
	c.AddCommand(deviceAdd(a), deviceList(a), deviceRevoke(a))
	return group(c)
}

// addFlags are the flags of `vault device add`.
type addFlags struct {
	rights, quota, expires string
	phrase, invite         string
}

func deviceAdd(a *app) *cobra.Command {
	var f addFlags
	c := &cobra.Command{
		Use: "add FILE --rights RIGHTS --phrase-file FILE", Short: "enrol a machine that has written a join request", Args: exactly(1),
		Long: "Records the machine in the owner's lane, which needs the words and a quorum of the members, and\n" +
			"writes the invitation that it needs. The quota is for its shards on all operators together:\n" +
			"at a code of 4/8 half of it is data. Adding a machine again replaces what it may do.",
		Example: "  holdfast vault device add web-01.txt --rights append --quota 500GB --phrase-file kit.txt\n  holdfast vault device add laptop.txt --rights read --expires 90d --phrase-file kit.txt --invite laptop-invite.txt",
		RunE: func(c *cobra.Command, args []string) error {
			return a.addDevice(c.Context(), args[0], f)
		},
	}
	fl := c.Flags()
	fl.StringVar(&f.rights, "rights", "", "what it may do: append, read or full")
	fl.StringVar(&f.quota, "quota", "", "how much it may store, in shards, as 500GB (default: no limit)")
	fl.StringVar(&f.expires, "expires", "", "when its rights end, from now on, as 90d (default: never)")
	fl.StringVar(&f.phrase, "phrase-file", "", "the kit, or the 24 words; - for standard input")
	fl.StringVar(&f.invite, "invite", "", "where to write the invitation (default: FILE.invite)")
	return c
}

func (f addFlags) device(path string) (n vault.NewDevice, err error) {
	if f.rights == "" {
		return n, usagef("--rights is needed: append, read or full")
	}
	if n.Rights, err = ledger.ParseRights(f.rights); err != nil {
		return n, usage(err)
	}
	if f.quota != "" {
		if n.Quota, err = parseSize(f.quota); err != nil {
			return n, err
		}
		if n.Quota == 0 || !n.Rights.CanAppend() {
			return n, usagef("--quota is for devices that add, and above 0")
		}
	}
	if f.expires != "" {
		if n.Life, err = parseSpan(f.expires); err != nil {
			return n, err
		}
		if n.Life == 0 {
			return n, usagef("--expires: rights that end at once are none")
		}
	}
	if n.Request, err = vault.ReadRequest(path); err != nil {
		return n, unreadable(err)
	}
	return n, nil
}

func (a *app) addDevice(ctx context.Context, path string, f addFlags) error {
	n, err := f.device(path)
	if err != nil {
		return err
	}
	if f.invite == "" {
		f.invite = path + ".invite"
	}
	if err := absent(f.invite); err != nil {
		return err
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
	invite, _, err := s.AddDevice(ctx, kit.Entropy, n)
	if err != nil {
		return err
	}
	text, err := invite.Text()
	if err == nil {
		err = atomicfile.WriteFile(f.invite, text, 0o644)
	}
	if err != nil {
		return withHint(err, exitFailed, "the device is enrolled; the same command with another --invite writes its invitation")
	}
	key := n.Request.Device.String()
	if a.json {
		a.emit(map[string]any{
			"message_type": "device_added", "name": n.Request.Name, "device": key, "rights": n.Rights, "quota": n.Quota,
			"vault": s.Vault().String(), "invite": f.invite,
		})
		return nil
	}
	a.printf("device %s %s\nrights %s\ninvite %s\n", n.Request.Name, key, n.Rights, f.invite)
	a.say("hand %s to that machine, where the next step is: holdfast vault join %s --invite FILE", f.invite, s.Vault())
	return nil
}

func deviceList(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "list the enrolled devices, and what each may still add", Args: exactly(0), Example: "  holdfast vault device list",
		Long: "Asks every node, now, what each device uses. The bound is what a thief of the device could\n" +
			"still add; a node that does not answer counts as empty. A device that may only add is told\n" +
			"of itself alone: it sees no other device.",
		RunE: func(c *cobra.Command, _ []string) error {
			s, _, err := a.synced(c.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			uses, err := s.DeviceUses(c.Context())
			if err != nil {
				return err
			}
			for _, u := range uses {
				a.printDevice(u)
			}
			return nil
		},
	}
}

func (a *app) printDevice(u vault.DeviceUse) {
	g := u.Grant
	if a.json {
		a.emit(deviceJSON(u))
		return
	}
	a.printf("%-20s %-7s %s   %d entries   %s used%s%s\n", g.Name, g.Rights, short(g.Device.String()), u.Entries, formatSize(u.Used), deviceTerms(u), mark(u.Revoked, "   revoked"))
}

// deviceTerms says within what a device may add, and until when.
func deviceTerms(u vault.DeviceUse) string {
	text := ""
	if bound := boundText(u); bound != "" {
		text = "   can add " + bound
	}
	if u.Grant.Expires != 0 && !u.Revoked {
		text += "   until " + ledger.Time(u.Grant.Expires).Format(time.DateTime)
	}
	return text
}

// boundText says what a thief of the device could still add; empty: nothing.
func boundText(u vault.DeviceUse) string {
	switch {
	case u.Unbounded:
		return "without limit: it has no quota (" + formatSize(u.Bound) + " are free)"
	case u.Bound > 0:
		return "at most " + formatSize(u.Bound) + mark(u.Silent > 0, " ("+plural(u.Silent, "node")+" did not answer)")
	}
	return ""
}

func deviceJSON(u vault.DeviceUse) map[string]any {
	fields := map[string]any{
		"message_type": "device", "name": u.Grant.Name, "device": u.Grant.Device.String(), "rights": u.Grant.Rights, "revoked": u.Revoked,
		"entries": u.Entries, "last": u.Last, "used": u.Used, "quota_per_node": u.Grant.Quota, "nodes": u.Nodes, "silent": u.Silent,
		"may_add": u.Bound, "unbounded": u.Unbounded,
	}
	if u.Grant.Expires != 0 {
		fields["expires"] = ledger.Time(u.Grant.Expires)
	}
	return fields
}

func deviceRevoke(a *app) *cobra.Command {
	var phrase string
	c := &cobra.Command{
		Use: "revoke DEVICE --phrase-file FILE", Short: "take a device's rights, for ever", Args: exactly(1),
		Long: "DEVICE is its name, its key, or the beginning of its key. Records the revocation in the owner's\n" +
			"lane, which needs the words and a quorum of the members; from then on they refuse the device.\n" +
			"What it has added stays, and what it has read it may have kept. After a device that can read,\n" +
			"new data is sealed to the vault's next recipient, and the readers that are left get its key.",
		Example: "  holdfast vault device revoke web-01 --phrase-file kit.txt",
		RunE: func(c *cobra.Command, args []string) error {
			kit, err := a.readKit(phrase)
			if err != nil {
				return err
			}
			s, err := a.open(c.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			r, err := s.RevokeDevice(c.Context(), kit.Entropy, args[0])
			if err != nil {
				return err
			}
			a.printRevoked(r)
			return nil
		},
	}
	c.Flags().StringVar(&phrase, "phrase-file", "", "the kit, or the 24 words; - for standard input")
	return c
}

func (a *app) printRevoked(r vault.Revoked) {
	g := r.Device.Grant
	if a.json {
		a.emit(map[string]any{
			"message_type": "device_revoked", "name": g.Name, "device": g.Device.String(), "rights": g.Rights,
			"acks": r.Final.Acks, "members": r.Final.Members, "recipient_rotated": r.Rotated,
		})
	} else {
		known := "it was revoked before"
		if r.Final.Members > 0 {
			known = fmt.Sprintf("%d of %d members have it", r.Final.Acks, r.Final.Members)
		}
		a.printf("device %s %s is revoked (%s)\n", g.Name, short(g.Device.String()), known)
	}
	if r.Rotated {
		a.say("new data goes to a recipient that this device cannot open; what it could read before it may have kept")
	}
}

// printBounds says what each device that may add and not read could still add: it
// stands on the host that is most likely to be broken into.
func (a *app) printBounds(ctx context.Context, s *vault.Session) error {
	uses, err := s.DeviceUses(ctx)
	if err != nil {
		return err
	}
	for _, u := range uses {
		bound := boundText(u)
		switch {
		case u.Grant.Rights != ledger.Append || bound == "":
		case a.json:
			a.emit(deviceJSON(u))
		default:
			a.printf("if it is stolen, device %s can add %s, and nothing else\n", u.Grant.Name, bound)
		}
	}
	return nil
}
