package vault

import (
	"context"
	"errors"
	"fmt"

	"holdfast/ledger"
	"holdfast/seal"
	"holdfast/vault/guardian"
)

// ErrUnnamed says that shares do not tell which vault they belong to.
var ErrUnnamed = errors.New("nothing names the vault")

// checkGuardians fills in the threshold, before anybody is asked anything.
func (c *Create) checkGuardians() error {
	if len(c.Guardians) == 0 {
		if c.Threshold != 0 {
			return fmt.Errorf("%w: there are no guardians", guardian.ErrThreshold)
		}
		return nil
	}
	if c.Threshold == 0 {
		c.Threshold = guardian.Majority(len(c.Guardians))
	}
	return guardian.Check(c.Guardians, c.Threshold)
}

// AppointGuardians returns a change of a charter that puts these people in the place of
// all guardians that there are; none at all is no guardians. The root secret is split
// once, however often the change is applied.
func AppointGuardians(e seal.Entropy, people []guardian.Public, threshold int) func(*ledger.Charter) error {
	var made *guardian.Sharing
	return func(c *ledger.Charter) error {
		if made == nil {
			s, err := sharing(e, c.Salt, people, threshold)
			if err != nil {
				return err
			}
			made = &s
		}
		c.Guardians, c.Threshold, c.Secret = made.Guardians, made.Threshold, made.Secret
		return nil
	}
}

func sharing(e seal.Entropy, salt [32]byte, people []guardian.Public, threshold int) (guardian.Sharing, error) {
	if len(people) == 0 && threshold == 0 {
		return guardian.Sharing{}, nil
	}
	return guardian.Split(e, salt, people, threshold)
}

// Recovery is what guardians bring to an empty machine.
type Recovery struct {
	Lookup        // Vault may be zero if a share names it
	Contributions []guardian.Contribution
}

// Kit opens the vault's root secret with what the guardians have brought, and returns
// it as the kit that the owner had. What can be said about the shares without a
// network is said before one is asked.
func (r Recovery) Kit(ctx context.Context) (Kit, error) {
	named, err := guardian.Agree(r.Contributions)
	if err != nil {
		return Kit{}, err
	}
	switch {
	case !r.Vault.Defined() && !named.Defined():
		return Kit{}, ErrUnnamed
	case !r.Vault.Defined():
		r.Vault = named
	case named.Defined() && named != r.Vault:
		return Kit{}, fmt.Errorf("%w: they name %s", guardian.ErrForeign, named)
	}
	for _, c := range r.Contributions {
		r.Bootstrap = append(r.Bootstrap, c.File.Bootstrap...)
		if r.Network == "" {
			r.Network = c.File.Network
		}
	}
	charters, err := r.Charters(ctx)
	if err != nil {
		return Kit{}, fmt.Errorf("find vault: %w", err)
	}
	e, err := guardian.Recover(charters, r.Contributions)
	if err != nil {
		return Kit{}, err
	}
	return Kit{Entropy: e, Vault: r.Vault, Network: charters[0].Network, Bootstrap: r.Bootstrap}, nil
}

// OwnShare is what a guardian finds in a vault's charters.
type OwnShare struct {
	File    guardian.ShareFile
	Charter ledger.Charter // with the envelope
	Newest  ledger.Charter // another one if it has no envelope for this guardian
}

// ShareOf takes a guardian's share out of the newest charter that has an envelope
// for the key, as a file that names the vault and addresses of its members. The
// error is guardian.ErrWrongKey if there is none.
func (l Lookup) ShareOf(ctx context.Context, key guardian.Key) (_ OwnShare, err error) {
	f, nodes, err := l.join(ctx)
	if err != nil {
		return OwnShare{}, err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	charters, err := f.charters(ctx, l.Vault, nodes)
	if err != nil {
		return OwnShare{}, fmt.Errorf("find vault: %w", err)
	}
	own := OwnShare{Newest: charters[len(charters)-1]}
	for i := len(charters) - 1; ; i-- {
		own.Charter = charters[i]
		share, err := key.Open(own.Charter)
		if err == nil {
			known := Profile{Bootstrap: l.Bootstrap}
			known.addBootstrap(memberAddrs(own.Newest, nodes))
			own.File = guardian.ShareFile{Share: share, Vault: l.Vault, Network: own.Newest.Network, Bootstrap: known.Bootstrap}
			return own, nil
		}
		if i == 0 || !errors.Is(err, guardian.ErrWrongKey) && !errors.Is(err, guardian.ErrNoSecret) {
			return OwnShare{}, err
		}
	}
}
