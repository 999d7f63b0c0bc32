package main

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/vault"
)

func vaultCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use: "vault", Short: "make, join and look at vaults", GroupID: groupMerchant,
		Example: "  holdfast vault create shop --bootstrap ADDR\n  holdfast vault join --request join.txt\n  holdfast vault show",
	}
	c.AddCommand(vaultCreate(a), vaultJoin(a), vaultShow(a), vaultList(a), vaultDevice(a), vaultChange(a))
	return group(c)
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
	Trash     int64        `json:"trash_seconds"`

	ExpiryAfter int64 `json:"expiry_after_seconds,omitempty"`
	ExpiryNewer int64 `json:"expiry_newer,omitempty"`

	Guardians int          `json:"guardians"`
	Threshold int64        `json:"threshold,omitempty"`
	People    []personJSON `json:"guardian_list,omitempty"`
	Device    string       `json:"device"`
	Rights    string       `json:"rights"`
	Created   time.Time    `json:"created"`
	Charter   int64        `json:"charter"` // the number of the newest one that is known here
	Others    []string     `json:"admitted_list,omitempty"`
}

type personJSON struct {
	Name string `json:"name"`
	Key  string `json:"key"`
}

func vaultFields(s *vault.Session) vaultJSON {
	c := s.Charter()
	v := vaultJSON{
		Name: s.Name(), Vault: s.Vault().String(), Network: c.Network, Code: c.Coded().String(), Quorum: c.Quorum(),
		Admitted: len(c.Admitted), Retention: c.Retention, Cooling: c.Cooling, Trash: c.Trash,
		ExpiryAfter: c.Expiry.After, ExpiryNewer: c.Expiry.Newer, Guardians: len(c.Guardians), Threshold: c.Threshold,
		Device: s.Device().String(), Rights: string(s.Rights()), Created: s.Created(), Charter: c.Number, Others: s.Admitted(),
	}
	for _, m := range c.Members {
		v.Members = append(v.Members, memberJSON{m.Name, m.Operator.String(), m.Node.String(), m.Zone})
	}
	for _, g := range c.Guardians {
		v.People = append(v.People, personJSON{g.Name, g.Key.String()})
	}
	return v
}

func (a *app) printVault(s *vault.Session) {
	v := vaultFields(s)
	a.printf("vault %s   %s\nnetwork %s   created %s\n", v.Name, v.Vault, v.Network, v.Created.Format(time.DateTime))
	a.printf("charter %d   code %s   %d members, a quorum is %d\n", v.Charter, v.Code, len(v.Members), v.Quorum)
	for _, m := range v.Members {
		a.printf("  member %-16s operator %s   zone %s\n", m.Name, short(m.Operator), m.Zone)
	}
	if len(v.Others) > 0 {
		a.printf("  may hold shards besides: %s\n", strings.Join(v.Others, ", "))
	}
	span := func(seconds int64) string {
		if seconds == 0 {
			return "none"
		}
		return formatSpan(time.Duration(seconds) * time.Second)
	}
	a.printf("retention %s   cooling-off %s   trash %s\n", span(v.Retention), span(v.Cooling), span(v.Trash))
	if v.ExpiryAfter > 0 {
		a.printf("routine expiry after %s, with %s\n", span(v.ExpiryAfter), plural(int(v.ExpiryNewer), "newer snapshot"))
	}
	a.printGuardians(s.Charter())
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

func mark(is bool, text string) string {
	if is {
		return text
	}
	return ""
}
