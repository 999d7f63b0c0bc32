package ledger

import (
	"fmt"
	"slices"

	"holdfast/erasure"
	"holdfast/internal/ident"
)

// Charter is a vault's constitution.
type Charter struct {
	V         int64             `cbor:"v"`
	Number    int64             `cbor:"number"`         // 1 for the first
	Vault     ident.CID         `cbor:"vault,omitzero"` // the first charter; none in it
	Prev      ident.CID         `cbor:"prev,omitzero"`  // the charter before; none in the first
	Network   string            `cbor:"network"`
	Salt      [32]byte          `cbor:"salt"`
	Owner     ident.PublicKey   `cbor:"owner"`
	Created   int64             `cbor:"created"`            // ms
	Members   []Member          `cbor:"members"`            // sorted by operator
	Admitted  []ident.PublicKey `cbor:"admitted,omitempty"` // operators, sorted, besides the members'
	Roster    ident.CID         `cbor:"roster,omitzero"`    // of a list instead of Admitted
	Code      Code              `cbor:"code"`               // for new data
	Guardians []Guardian        `cbor:"guardians,omitempty"`
	Threshold int64             `cbor:"threshold,omitempty"` // approvals needed
	Secret    []byte            `cbor:"secret,omitempty"`    // the root secret, sealed to what Threshold shares give
	Retention int64             `cbor:"retention"`           // s
	Cooling   int64             `cbor:"cooling"`             // s
	Trash     int64             `cbor:"trash"`               // s
	Expiry    Expiry            `cbor:"expiry,omitzero"`
	Identity  int64             `cbor:"identity"`  // number of the vault identity
	Recipient string            `cbor:"recipient"` // its recipient

	cid ident.CID
}

// Member is an operator's node that votes. Members are counted, not nodes.
type Member struct {
	Operator ident.PublicKey `cbor:"operator"`
	Name     string          `cbor:"name"`
	Node     ident.PublicKey `cbor:"node"`
	Vote     ident.PublicKey `cbor:"vote"`
	Zone     string          `cbor:"zone"`
}

// Code is erasure.Code as it stands in a charter; the two convert into each other.
type Code struct {
	K int `cbor:"k"`
	N int `cbor:"n"`
}

// Guardian is a person with a share of the recovery key and an approval key.
type Guardian struct {
	Name     string          `cbor:"name"`
	Key      ident.PublicKey `cbor:"key"`      // signs approvals and vetoes
	Envelope []byte          `cbor:"envelope"` // the share, sealed to the guardian
	Share    [32]byte        `cbor:"share"`    // BLAKE3 over label, salt and share
}

// Expiry is what may be released without guardians: snapshots that are older than
// After seconds, when there are Newer newer complete ones of the same lane and
// source. The zero value is no routine expiry.
type Expiry struct {
	After int64 `cbor:"after"`
	Newer int64 `cbor:"newer"`
}

// SignCharter signs c as its owner, whose key is filled in. What a reader would
// refuse is an error here.
func SignCharter(owner ident.PrivateKey, c Charter) (ident.Signed, error) {
	c.V, c.Owner = version, owner.Public()
	if err := c.Validate(); err != nil {
		return ident.Signed{}, err
	}
	if c.Number > 1 {
		return sign(owner, LabelCharter, c.Vault, MaxCharter, c)
	}
	// SPEC: the scope of the first charter is its own CID.
	s, err := sign(owner, LabelCharter, ident.CID{}, MaxCharter, c)
	if err != nil {
		return ident.Signed{}, err
	}
	return owner.Sign(LabelCharter, s.CID(), s.Object), nil
}

// VerifyFirstCharter checks form and signature of a vault's first charter. Its CID
// is the vault's ID: that it is the vault asked for is the caller's question.
func VerifyFirstCharter(s ident.Signed) (Charter, error) {
	c, err := parseCharter(s)
	if err == nil && c.Number != 1 {
		err = mismatch(LabelCharter, "number %d is not the first", c.Number)
	}
	if err != nil {
		return Charter{}, err
	}
	return verified(c, check(s, c.Owner, LabelCharter, c.cid))
}

// VerifyNextCharter checks form and signature of a charter that names prev as the
// one before. That it is in force takes votes, and is not decided here.
func VerifyNextCharter(s ident.Signed, prev Charter) (Charter, error) {
	c, err := parseCharter(s)
	switch {
	case err != nil:
		return Charter{}, err
	case c.Number != prev.Number+1 || c.Prev != prev.cid || c.Vault != prev.ID():
		return Charter{}, mismatch(LabelCharter, "does not follow charter %s", prev.cid)
	case c.Owner != prev.Owner || c.Network != prev.Network || c.Salt != prev.Salt:
		return Charter{}, invalid(LabelCharter, "owner, network or salt differs from the charter before")
	// SPEC: the identity's number never goes down, and with the same number the recipient is the same
	case c.Identity < prev.Identity || c.Identity == prev.Identity && c.Recipient != prev.Recipient:
		return Charter{}, invalid(LabelCharter, "identity %d after %d, or another recipient under one number", c.Identity, prev.Identity)
	}
	return verified(c, check(s, c.Owner, LabelCharter, c.Vault))
}

func parseCharter(s ident.Signed) (Charter, error) {
	var c Charter
	if err := parse(LabelCharter, s.Object, MaxCharter, &c); err != nil {
		return Charter{}, err
	}
	if err := c.Validate(); err != nil {
		return Charter{}, err
	}
	c.cid = s.CID()
	return c, nil
}

// CID returns the name of a charter that a verifying function has returned.
func (c Charter) CID() ident.CID { return c.cid }

// ID returns the vault's ID.
func (c Charter) ID() ident.CID {
	if c.Number == 1 {
		return c.cid
	}
	return c.Vault
}

// Quorum returns how many of c's members make a certificate.
func (c Charter) Quorum() int { return Quorum(len(c.Members)) }

// Faults returns how many of c's members may lie.
func (c Charter) Faults() int { return Faults(len(c.Members)) }

// Coded returns the code for new data.
func (c Charter) Coded() erasure.Code { return erasure.Code(c.Code) }

// Member returns the member that belongs to an operator.
func (c Charter) Member(operator ident.PublicKey) (Member, bool) {
	i, ok := slices.BinarySearchFunc(c.Members, operator, func(m Member, k ident.PublicKey) int { return m.Operator.Compare(k) })
	if !ok {
		return Member{}, false
	}
	return c.Members[i], true
}

// MemberByNode returns the member whose node it is.
func (c Charter) MemberByNode(node ident.PublicKey) (Member, bool) {
	return c.member(func(m Member) bool { return m.Node == node })
}

// MemberByVote returns the member whose vote key it is.
func (c Charter) MemberByVote(vote ident.PublicKey) (Member, bool) {
	return c.member(func(m Member) bool { return m.Vote == vote })
}

func (c Charter) member(is func(Member) bool) (Member, bool) {
	i := slices.IndexFunc(c.Members, is)
	if i < 0 {
		return Member{}, false
	}
	return c.Members[i], true
}

// Admits reports whether an operator's nodes may hold shards of the vault. A roster
// is not looked into: this version knows only who stands in the charter itself.
func (c Charter) Admits(operator ident.PublicKey) bool {
	if _, ok := c.Member(operator); ok {
		return true
	}
	_, ok := slices.BinarySearchFunc(c.Admitted, operator, ident.PublicKey.Compare)
	return ok
}

// Operators returns how many operators c admits, members included.
func (c Charter) Operators() int {
	n := len(c.Members)
	for _, k := range c.Admitted {
		if _, ok := c.Member(k); !ok {
			n++
		}
	}
	return n
}

// voter returns the member that signed as operator, if the signature is his.
func (c Charter) voter(s ident.Signed, operator ident.PublicKey, label ident.Label) (Member, error) {
	m, ok := c.Member(operator)
	if !ok {
		return Member{}, fmt.Errorf("%s of operator %s: %w", label, operator, ErrNotMember)
	}
	return verified(m, check(s, m.Vote, label, c.ID()))
}
