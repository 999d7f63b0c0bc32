package vault

import (
	"context"
	"errors"
	"fmt"
	"os"

	"holdfast/internal/ident"
)

// Join says how a machine that has asked becomes a device.
type Join struct {
	Invite    Invite
	Vault     ident.CID // the vault that it must be; undefined: the invitation's
	Name      string    // on this machine; what was asked with, or the invitation's, if empty
	Bootstrap []string
	Options   Options
}

// ErrNotEnrolled says that the owner's lane does not hold the keys for this machine.
var ErrNotEnrolled = errors.New("the vault's ledger has no keys for this machine")

// Join makes a profile of an invitation: it fetches this machine's enrolment from the
// vault's ledger, verified from the charter on, and opens what is sealed in it. It
// may be repeated until it succeeds; the keys of the request are kept until then.
func (h Home) Join(ctx context.Context, j Join) (Claimed, error) {
	i := j.Invite
	if j.Vault.Defined() && j.Vault != i.Vault() {
		return Claimed{}, fmt.Errorf("join vault: %w: it is for vault %s", ErrMismatch, i.Vault())
	}
	asked, p, err := h.takePending(i.Device())
	if err != nil {
		return Claimed{}, fmt.Errorf("join vault: %w", err)
	}
	for _, name := range []string{i.Name, asked, j.Name} {
		if name != "" {
			p.Name = name
		}
	}
	if _, err := h.freeName(p.Name); err != nil {
		return Claimed{}, err
	}
	p.Vault, p.Charter, p.Grant = i.Vault(), i.Charter, i.Grant
	p.Bootstrap = append(j.Bootstrap, i.Bootstrap...)
	out, err := h.join(ctx, p, j.Options)
	if err != nil {
		return out, fmt.Errorf("join vault: %w", err)
	}
	return out, nil
}

// ErrMismatch says that a file is about another vault than the one that was named.
var ErrMismatch = errors.New("the file is about another vault")

func (h Home) join(ctx context.Context, p Profile, o Options) (out Claimed, err error) {
	if err := h.reserve(p.Name); err != nil {
		return Claimed{}, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(h.vaultDir(p.Name)))
		}
	}()
	s, err := h.connect(ctx, p, o)
	if err != nil {
		return Claimed{}, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	st, err := s.Sync(ctx)
	if err != nil {
		return Claimed{}, err
	}
	if s.profile.Keys == p.Keys { // Sync has found no enrolment with keys
		return Claimed{}, ErrNotEnrolled
	}
	if err := h.Save(s.profile); err != nil {
		return Claimed{}, err
	}
	// A crash before this leaves the request's keys behind; they are of no use any more.
	if err := os.Remove(h.pendingPath(p.Device.Public())); err != nil && !errors.Is(err, os.ErrNotExist) {
		return Claimed{}, err
	}
	return Claimed{Profile: s.profile, Charter: s.charter, Standing: st}, nil
}
