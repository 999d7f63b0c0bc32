package main

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/ledger"
	"holdfast/vault"
)

func vaultCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use: "vault", Short: "make, join and look at vaults", GroupID: groupMerchant,
		Example: "  holdfast vault create shop --bootstrap ADDR\n  holdfast vault join VAULT --phrase-file kit.txt\n  holdfast vault show",
	}
	c.AddCommand(vaultCreate(a), vaultJoin(a), vaultShow(a), vaultList(a), vaultDevice(a))
	return group(c)
}

func vaultJoin(a *app) *cobra.Command {
	var phrase, name, rights, device string
	var bootstrap []string
	c := &cobra.Command{
		Use: "join [VAULT] --phrase-file FILE", Short: "enrol this machine as a device", Args: between(0, 1),
		Long:    "Records this machine in the owner's lane, which needs the words once and a quorum of the\nmembers. VAULT is the vault's ID; a kit names it itself.",
		Example: "  holdfast vault join --phrase-file kit.txt\n  holdfast vault join VAULT --phrase-file words.txt --bootstrap ADDR --rights append",
		RunE: func(c *cobra.Command, args []string) error {
			claim, err := a.claim(phrase, args, bootstrap, name, device, rights)
			if err != nil {
				return err
			}
			claim.Enrol = true
			return a.runClaim(c.Context(), claim, "vault_join")
		},
	}
	f := c.Flags()
	f.StringVar(&phrase, "phrase-file", "", "the kit, or the 24 words; - for standard input")
	f.StringVar(&name, "name", "", "what this machine calls the vault")
	f.StringVar(&rights, "rights", string(ledger.Full), "what this machine may do: append, read or full")
	f.StringVar(&device, "device", hostname(), "what this machine is called")
	f.StringSliceVar(&bootstrap, "bootstrap", nil, "multiaddr of a node, or a file with one a line")
	return c
}

func vaultShow(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "show", Short: "say what the vault's charter says", Args: exactly(0), Example: "  holdfast vault show",
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := a.open(c.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			if a.json {
				return a.emitStruct("vault", vaultFields(s))
			}
			a.printVault(s)
			return nil
		},
	}
}

type memberJSON struct {
	Name     string `json:"name"`
	Operator string `json:"operator"`
	Node     string `json:"node"`
	Zone     string `json:"zone"`
}

type vaultJSON struct {
	Name      string       `json:"name"`
	Vault     string       `json:"vault"`
	Network   string       `json:"network"`
	Code      string       `json:"code"`
	Quorum    int          `json:"quorum"`
	Members   []memberJSON `json:"members"`
	Admitted  int          `json:"admitted"`
	Retention int64        `json:"retention_seconds"`
	Cooling   int64        `json:"cooling_seconds"`
	Guardians int          `json:"guardians"`
	Device    string       `json:"device"`
	Rights    string       `json:"rights"`
	Created   time.Time    `json:"created"`
}

func vaultFields(s *vault.Session) vaultJSON {
	c := s.Charter()
	v := vaultJSON{
		Name: s.Name(), Vault: s.Vault().String(), Network: c.Network, Code: c.Coded().String(), Quorum: c.Quorum(),
		Admitted: len(c.Admitted), Retention: c.Retention, Cooling: c.Cooling, Guardians: len(c.Guardians),
		Device: s.Device().String(), Rights: string(s.Rights()), Created: ledger.Time(c.Created),
	}
	for _, m := range c.Members {
		v.Members = append(v.Members, memberJSON{m.Name, m.Operator.String(), m.Node.String(), m.Zone})
	}
	return v
}

func (a *app) printVault(s *vault.Session) {
	v := vaultFields(s)
	a.printf("vault %s   %s\nnetwork %s   created %s\n", v.Name, v.Vault, v.Network, v.Created.Format(time.DateTime))
	a.printf("code %s   %d members, a quorum is %d\n", v.Code, len(v.Members), v.Quorum)
	for _, m := range v.Members {
		a.printf("  member %-16s operator %s   zone %s\n", m.Name, short(m.Operator), m.Zone)
	}
	a.printf("retention %s   cooling-off %s   guardians %d\n", formatSpan(time.Duration(v.Retention)*time.Second), formatSpan(time.Duration(v.Cooling)*time.Second), v.Guardians)
	a.printf("this machine is device %s with rights %s\n", short(v.Device), v.Rights)
}

// short is a fingerprint of a key for people's eyes.
func short(key string) string {
	return strings.TrimPrefix(key, "z6Mk")[:min(10, len(strings.TrimPrefix(key, "z6Mk")))]
}

func vaultList(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "list the vaults that this machine knows", Args: exactly(0), Example: "  holdfast vault list",
		RunE: func(*cobra.Command, []string) error {
			h, err := home()
			if err != nil {
				return err
			}
			names, err := h.Names()
			if err != nil {
				return err
			}
			for _, name := range names {
				p, err := h.Load(name)
				if err != nil {
					a.warn("%v", err)
					continue
				}
				if a.json {
					a.emit(map[string]any{"message_type": "vault", "name": name, "vault": p.Vault.String()})
					continue
				}
				a.printf("%-20s %s\n", name, p.Vault)
			}
			if len(names) == 0 {
				a.say("no vault on this machine; next: holdfast vault create NAME --bootstrap ADDR")
			}
			return nil
		},
	}
}

func vaultDevice(a *app) *cobra.Command {
	c := &cobra.Command{Use: "device", Short: "look at the devices of a vault", Example: "  holdfast vault device list"}
	c.AddCommand(&cobra.Command{
		Use: "list", Short: "list the enrolled devices", Args: exactly(0), Example: "  holdfast vault device list",
		RunE: func(c *cobra.Command, _ []string) error {
			s, _, err := a.synced(c.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			for _, d := range s.Devices() {
				if a.json {
					a.emit(map[string]any{
						"message_type": "device", "name": d.Grant.Name, "device": d.Grant.Device.String(), "rights": d.Grant.Rights,
						"revoked": d.Revoked, "entries": d.Entries, "last": d.Last,
					})
					continue
				}
				a.printf("%-20s %-7s %s   %d entries%s\n", d.Grant.Name, d.Grant.Rights, short(d.Grant.Device.String()), d.Entries, mark(d.Revoked, "   revoked"))
			}
			return nil
		},
	})
	return group(c)
}

func mark(is bool, text string) string {
	if is {
		return text
	}
	return ""
}
