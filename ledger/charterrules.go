package ledger

import (
	"strings"
	"time"

	"holdfast/internal/ident"
)

// Validate checks every rule that a charter can be judged by alone.
func (c Charter) Validate() error {
	for _, rule := range []func() error{c.checkChain, c.checkMembers, c.checkAdmitted, c.checkGuardians, c.checkTimes} {
		if err := rule(); err != nil {
			return err
		}
	}
	return c.checkData()
}

// SPEC: number 1 for the first; vault and prev absent in the first
func (c Charter) checkChain() error {
	first := c.Number == 1
	switch {
	case c.V != version:
		return invalid(LabelCharter, "version %d", c.V)
	case c.Number < 1:
		return invalid(LabelCharter, "number %d", c.Number)
	case first != c.Vault.IsZero() || first != c.Prev.IsZero():
		return invalid(LabelCharter, "vault and prev do not fit number %d", c.Number)
	case !first && (!structure(c.Vault) || !structure(c.Prev)):
		return invalid(LabelCharter, "vault or prev names no structure")
	case !validNetwork(c.Network):
		return invalid(LabelCharter, "network %q", c.Network)
	case c.Owner.IsZero():
		return invalid(LabelCharter, "no owner")
	}
	return nil
}

// SPEC: 1 to 255, sorted by operator, no operator, node or vote key twice
func (c Charter) checkMembers() error {
	if len(c.Members) < 1 || len(c.Members) > MaxMembers {
		return invalid(LabelCharter, "%d members", len(c.Members))
	}
	if !ascending(c.Members, func(m Member) ident.PublicKey { return m.Operator }) {
		return invalid(LabelCharter, "members are not sorted by operator, or one is there twice")
	}
	seen := make(map[ident.PublicKey]bool, 3*len(c.Members))
	for _, m := range c.Members {
		if !validName(m.Name) || !validName(m.Zone) {
			return invalid(LabelCharter, "name or zone of a member")
		}
		for _, k := range []ident.PublicKey{m.Operator, m.Node, m.Vote} {
			if k.IsZero() || seen[k] {
				return invalid(LabelCharter, "member key %s is missing or there twice", k)
			}
			seen[k] = true
		}
	}
	return nil
}

// SPEC: operators, sorted; a roster instead of admitted
func (c Charter) checkAdmitted() error {
	switch {
	case len(c.Admitted) > MaxAdmitted:
		return invalid(LabelCharter, "%d admitted operators", len(c.Admitted))
	case !ascending(c.Admitted, func(k ident.PublicKey) ident.PublicKey { return k }):
		return invalid(LabelCharter, "admitted operators are not sorted, or one is there twice")
	case !c.Roster.IsZero() && len(c.Admitted) > 0:
		return invalid(LabelCharter, "both a roster and admitted operators")
	case !c.Roster.IsZero() && !structure(c.Roster):
		return invalid(LabelCharter, "roster names no structure")
	}
	return nil
}

// SPEC: threshold: with guardians 2 to their number
func (c Charter) checkGuardians() error {
	switch n := int64(len(c.Guardians)); {
	case n == 0 && c.Threshold != 0:
		return invalid(LabelCharter, "a threshold without guardians")
	case n > MaxGuardians:
		return invalid(LabelCharter, "%d guardians", n)
	case n > 0 && (c.Threshold < 2 || c.Threshold > n):
		return invalid(LabelCharter, "threshold %d of %d guardians", c.Threshold, n)
	// SPEC: secret: only with guardians. Without it they approve, and recover nothing.
	case n == 0 && len(c.Secret) > 0:
		return invalid(LabelCharter, "a secret without guardians")
	case len(c.Secret) > MaxSecret:
		return invalid(LabelCharter, "a secret of %d bytes", len(c.Secret))
	}
	keys := make(map[ident.PublicKey]bool, len(c.Guardians))
	shares := make(map[[32]byte]bool, len(c.Guardians))
	for _, g := range c.Guardians {
		if !validName(g.Name) || len(g.Envelope) == 0 || len(g.Envelope) > MaxEnvelope {
			return invalid(LabelCharter, "name or envelope of a guardian")
		}
		if g.Key.IsZero() || keys[g.Key] || shares[g.Share] {
			return invalid(LabelCharter, "guardian %q has no key, or the key or share of another", g.Name)
		}
		keys[g.Key], shares[g.Share] = true, true
	}
	return nil
}

func (c Charter) checkTimes() error {
	switch {
	case !validTime(c.Created):
		return invalid(LabelCharter, "created %d", c.Created)
	case !validSeconds(c.Retention) || !validSeconds(c.Cooling) || !validSeconds(c.Trash):
		return invalid(LabelCharter, "retention, cooling or trash")
	// SPEC: cooling below 72 h is valid only if network begins with test-
	case c.Cooling < int64(LeastCooling/time.Second) && !strings.HasPrefix(c.Network, "test-"):
		return invalid(LabelCharter, "cooling-off of %d s outside a test network", c.Cooling)
	case c.Expiry != Expiry{} && (c.Expiry.After < 1 || !validSeconds(c.Expiry.After) || c.Expiry.Newer < 0):
		return invalid(LabelCharter, "routine expiry")
	}
	return nil
}

func (c Charter) checkData() error {
	switch {
	case !c.Coded().Valid():
		return invalid(LabelCharter, "code %v", c.Coded())
	case c.Identity < 0:
		return invalid(LabelCharter, "identity %d", c.Identity)
	case !validRecipient(c.Recipient):
		return invalid(LabelCharter, "recipient")
	}
	return nil
}
