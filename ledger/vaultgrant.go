package ledger

import (
	"fmt"
	"time"

	"holdfast/internal/ident"
)

// VaultGrant is an operator's word to all of his nodes about a vault: that they take
// its shards, and how many bytes of them each.
type VaultGrant struct {
	V        int64           `cbor:"v"`
	Vault    ident.CID       `cbor:"vault"`
	Operator ident.PublicKey `cbor:"operator"`
	Quota    int64           `cbor:"quota,omitempty"`   // bytes on each node, 0 for no limit
	Issued   int64           `cbor:"issued"`            // ms; of two for one vault the later counts
	Expires  int64           `cbor:"expires,omitempty"` // ms; from then on nothing new is taken
}

// SignVaultGrant signs g as the operator, whose key is filled in.
func SignVaultGrant(operator ident.PrivateKey, g VaultGrant) (ident.Signed, error) {
	g.V, g.Operator = version, operator.Public()
	if err := g.validate(); err != nil {
		return ident.Signed{}, err
	}
	return sign(operator, LabelVaultGrant, g.Vault, MaxSmall, g)
}

// VerifyVaultGrant checks a grant by an operator. Expiry is judged by ValidAt.
func VerifyVaultGrant(s ident.Signed, operator ident.PublicKey) (VaultGrant, error) {
	var g VaultGrant
	if err := parse(LabelVaultGrant, s.Object, MaxSmall, &g); err != nil {
		return VaultGrant{}, err
	}
	if g.Operator != operator {
		return VaultGrant{}, mismatch(LabelVaultGrant, "operator %s", g.Operator)
	}
	if err := g.validate(); err != nil {
		return VaultGrant{}, err
	}
	return verified(g, check(s, operator, LabelVaultGrant, g.Vault))
}

// ValidAt returns ErrExpired if g is past its time at t.
func (g VaultGrant) ValidAt(t time.Time) error {
	if g.Expires != 0 && !t.Before(Time(g.Expires)) {
		return fmt.Errorf("grant for vault %s: %w", g.Vault, ErrExpired)
	}
	return nil
}

func (g VaultGrant) validate() error {
	const what = LabelVaultGrant
	switch {
	case !g.Vault.Defined():
		return invalid(what, "no vault")
	case g.Quota < 0:
		return invalid(what, "quota %d", g.Quota)
	case !validTime(g.Issued) || !validTime(g.Expires) || g.Expires != 0 && g.Expires <= g.Issued:
		return invalid(what, "times")
	}
	return nil
}
