package ledgertest

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/zeebo/blake3"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/ledger"
)

// Network is the network of every vault built here.
const Network = "test-ledger"

// Recipient returns text with the outer form of a hybrid age recipient. Nothing can
// be sealed to it.
func Recipient() string { return "age1pq1" + strings.Repeat("q", 1952) }

// Key returns the key whose seed is BLAKE3 of "holdfast test key " and the name.
func Key(name string) ident.PrivateKey {
	return ident.NewPrivateKey(blake3.Sum256([]byte("holdfast test key " + name)))
}

// Start is a time at which everything built here is valid.
func Start() time.Time { return time.Date(2027, 1, 1, 12, 0, 0, 0, time.UTC) }

// Member is a member of a vault, or another operator's node, with its keys.
type Member struct {
	Name                 string
	Operator, Node, Vote ident.PrivateKey
	Certificate          ident.Signed
}

// NewMember makes an operator with one node; its certificate is valid for a year
// around Start.
func NewMember(name string) Member {
	m := Member{Name: name, Operator: Key(name + " operator"), Node: Key(name + " node"), Vote: Key(name + " vote")}
	m.Certificate = must(ledger.SignNodeCertificate(m.Operator, m.Describe()))
	return m
}

// Describe returns the certificate that NewMember signs.
func (m Member) Describe() ledger.NodeCertificate {
	return ledger.NodeCertificate{
		Network: Network, Operator: m.Operator.Public(), Name: m.Name, Node: m.Node.Public(), Vote: m.Vote.Public(),
		Zone: "zone of " + m.Name, Serial: 1,
		Issued: ledger.Millis(Start().AddDate(0, -6, 0)), Expires: ledger.Millis(Start().AddDate(0, 6, 0)),
	}
}

// Vault is a vault with the keys of everybody.
type Vault struct {
	Owner   ident.PrivateKey
	Members []Member // in the charter's order
	Others  []Member // who may become members, or the same ones with other vote keys
	Signed  ident.Signed
	Charter ledger.Charter
}

// NewVault makes a vault with so many members, and the code for so many operators.
func NewVault(name string, members int) *Vault {
	ms := make([]Member, members)
	for i := range ms {
		ms[i] = NewMember(name + " " + strconv.Itoa(i))
	}
	slices.SortFunc(ms, func(a, b Member) int { return a.Operator.Public().Compare(b.Operator.Public()) })
	v := &Vault{Owner: Key(name + " owner"), Members: ms}
	v.Signed = must(ledger.SignCharter(v.Owner, v.Draft(name)))
	v.Charter = must(ledger.VerifyFirstCharter(v.Signed))
	return v
}

// Draft returns the charter that NewVault signs.
func (v *Vault) Draft(name string) ledger.Charter {
	code, err := erasure.ForOperators(len(v.Members))
	if err != nil {
		code = erasure.Code{K: 1, N: 2}
	}
	c := ledger.Charter{
		Number: 1, Network: Network, Salt: blake3.Sum256([]byte(name)), Owner: v.Owner.Public(),
		Created: ledger.Millis(Start()), Code: ledger.Code(code),
		Retention: 30 * 24 * 3600, Cooling: 14 * 24 * 3600, Trash: 7 * 24 * 3600, Recipient: Recipient(),
	}
	for _, m := range v.Members {
		d := m.Describe()
		c.Members = append(c.Members, ledger.Member{Operator: d.Operator, Name: d.Name, Node: d.Node, Vote: d.Vote, Zone: d.Zone})
	}
	return c
}

// ID returns the vault's ID.
func (v *Vault) ID() ident.CID { return v.Charter.ID() }

// Grant makes the owner's grant for a device.
func (v *Vault) Grant(device ident.PrivateKey, rights ledger.Rights) ident.Signed {
	return must(ledger.SignGrant(v.Owner, ledger.Grant{
		Vault: v.ID(), Device: device.Public(), Name: "device", Rights: rights, Index: Recipient(), Issued: ledger.Millis(Start()),
	}))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic("ledgertest: " + err.Error())
	}
	return v
}
