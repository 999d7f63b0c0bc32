package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/seal"
)

// NewDevice is what the owner lets a machine do that has asked.
type NewDevice struct {
	Request ledger.JoinRequest
	Rights  ledger.Rights
	Quota   int64         // bytes of shards, on all operators together; 0 for no limit
	Life    time.Duration // 0 for ever
}

// What can be wrong when a device is named.
var (
	ErrNoDevice    = errors.New("no such device")
	ErrManyDevices = errors.New("several devices are meant by that")
)

// AddDevice enrols a machine that has asked: it records its grant in the owner's lane,
// with the keys that go with the rights sealed to it. The invitation that it returns
// is what the machine needs besides. To add a device again replaces what it may do.
func (s *Session) AddDevice(ctx context.Context, e seal.Entropy, n NewDevice) (Invite, Final, error) {
	if err := s.beginOwner(ctx, e); err != nil {
		return Invite{}, Final{}, err
	}
	if s.history.gone[n.Request.Device] {
		return Invite{}, Final{}, fmt.Errorf("add device %s: %w and cannot come back under the same key", n.Request.Name, ledger.ErrRevoked)
	}
	now := s.options.Now()
	g := ledger.Grant{
		Vault: s.vault, Device: n.Request.Device, Name: shorten(n.Request.Name), Rights: n.Rights,
		Quota: quotaOfNode(n.Quota, s.charter), Index: n.Request.Index, Issued: ledger.Millis(now),
	}
	if n.Life > 0 {
		g.Expires = ledger.Millis(now.Add(n.Life))
	}
	signed, err := ledger.SignGrant(e.OwnerKey(), g)
	if err != nil {
		return Invite{}, Final{}, fmt.Errorf("add device: %w", err)
	}
	final, err := s.enrolSealed(ctx, e, signed, g)
	if err != nil {
		return Invite{}, Final{}, fmt.Errorf("add device: %w", err)
	}
	i := Invite{V: inviteVersion, Name: s.profile.Name, Charter: s.profile.Charter, Grant: signed, Bootstrap: s.profile.Bootstrap, charter: s.charter, grant: g}
	return i, final, nil
}

// quotaOfNode is what each node takes at most, so that all operators together take
// the quota: a node knows only what it has itself.
func quotaOfNode(total int64, c ledger.Charter) int64 {
	n := int64(max(c.Operators(), 1))
	return (total + n - 1) / n
}

// enrolSealed records a grant in the owner's lane, with the device's keys.
func (s *Session) enrolSealed(ctx context.Context, e seal.Entropy, signed ident.Signed, g ledger.Grant) (Final, error) {
	sealed, err := sealKeys(e, s.charter, g.Rights, g.Index)
	if err != nil {
		return Final{}, err
	}
	body, err := ledger.EnrolBody{Grant: signed, Sealed: sealed}.Encode()
	if err != nil {
		return Final{}, err
	}
	final, err := s.append(ctx, e.OwnerKey(), ledger.Entry{Kind: ledger.KindEnrol}, body)
	s.settle()
	return final, err
}

// beginOwner makes the session one that may write to the owner's lane: the words are
// the vault's, nobody else on this machine writes, the view is new, and what an
// interrupted run has begun is finished.
func (s *Session) beginOwner(ctx context.Context, e seal.Entropy) error {
	if err := s.Words(e); err != nil {
		return err
	}
	if s.unlock == nil {
		unlock, err := s.home.lock(s.profile.Name)
		if err != nil {
			return err
		}
		s.unlock = unlock
	}
	if _, err := s.Sync(ctx); err != nil {
		return err
	}
	// Under a frozen charter a snapshot waits for the next one, which only the owner can
	// bring: that must not wait for the snapshot.
	if err := s.resume(ctx); err != nil && !errors.Is(err, ledger.ErrFrozen) {
		return err
	}
	return s.resumeLocked(ctx, e.OwnerKey())
}

// FindDevice finds an enrolled device by its key, the beginning of its key, or its
// name. Of several with one name those that were revoked do not count.
func (s *Session) FindDevice(ref string) (Device, error) {
	all := s.Devices()
	var found []Device
	for _, d := range all {
		key := d.Grant.Device.String()
		if key == ref {
			return d, nil
		}
		if d.Grant.Name == ref || len(ref) >= minKeyPrefix && (strings.HasPrefix(key, ref) || strings.HasPrefix(d.Grant.Device.Short(), ref)) {
			found = append(found, d)
		}
	}
	if len(found) > 1 {
		found = slices.DeleteFunc(found, func(d Device) bool { return d.Revoked })
	}
	switch len(found) {
	case 0:
		return Device{}, fmt.Errorf("%w: %s", ErrNoDevice, ref)
	case 1:
		return found[0], nil
	}
	return Device{}, fmt.Errorf("%w: %s", ErrManyDevices, ref)
}

// minKeyPrefix is the shortest beginning of a key that names somebody.
const minKeyPrefix = 6

// Revoked is what came of a revocation.
type Revoked struct {
	Device  Device
	Final   Final // of the entry; zero if it was there before
	Rotated bool  // new data goes to a recipient that the device cannot open
}

// ErrNotRotated says that a reader was revoked, and that what is added from now on can
// still be opened with what it has. The same call goes on.
var ErrNotRotated = errors.New("the device is revoked, but the vault's recipient is not changed yet")

// RevokeDevice takes a device's rights, for ever. When it returns, a quorum knows; a
// member that is away learns of it when it is back. After a reader new data goes to the
// vault's next identity, and the readers that are left are given it.
func (s *Session) RevokeDevice(ctx context.Context, e seal.Entropy, ref string) (Revoked, error) {
	if err := s.beginOwner(ctx, e); err != nil {
		return Revoked{}, err
	}
	d, err := s.FindDevice(ref)
	if err != nil {
		return Revoked{}, err
	}
	r := Revoked{Device: d}
	if !d.Revoked {
		if r.Final, err = s.revoke(ctx, e, d.Grant.Device); err != nil {
			return Revoked{}, fmt.Errorf("revoke device %s: %w", d.Grant.Name, err)
		}
	}
	did := !d.Revoked
	if d.Grant.Rights.CanRead() {
		rotated, err := s.rotateAfter(ctx, e, d.Grant.Device)
		if err != nil {
			return r, fmt.Errorf("revoke device %s: %w: %w", d.Grant.Name, ErrNotRotated, err)
		}
		r.Rotated, did = true, did || rotated
	}
	if !did {
		return Revoked{}, fmt.Errorf("revoke device %s: %w before", d.Grant.Name, ledger.ErrRevoked)
	}
	return r, nil
}

// revoke records a revocation in the owner's lane.
func (s *Session) revoke(ctx context.Context, e seal.Entropy, device ident.PublicKey) (Final, error) {
	body, err := ledger.RevokeBody{Device: device}.Encode()
	if err != nil {
		return Final{}, err
	}
	final, err := s.append(ctx, e.OwnerKey(), ledger.Entry{Kind: ledger.KindRevoke}, body)
	s.settle()
	return final, err
}
