package node

import (
	"context"
	"fmt"
	"slices"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p/shardrpc"
)

// This file holds the one rule of who may use a shelf.
//
// SPEC: shards are served to the charter's devices, and to the nodes of its members and
// of the operators that it admits, who audit each other;
// a device is whoever's key stands in a grant that the vault's owner has signed. So
// whoever holds the owner key is let in as well: he signs himself a grant.
//
// SPEC: a member's node is a steward: it may put, and ask for a receipt, with the zero
// nonce, of segments that are certified and of no others. What it puts is the vault's,
// and no device's.

// shelf is what this node offers to devices and members: the backend of the shard
// protocol.
type shelf struct {
	keys      keyring
	volume    *volume
	certifier *certifier
	orders    *orders
	throttle  *throttle
	stamp     stamp
	operator  func(ctx context.Context, peer ident.PublicKey) ident.PublicKey // whose node a peer is; zero for none
	asked     proofAllowances
}

// stamp is what goes with every piece of work: the time, and the counters.
type stamp struct {
	now    clock
	meters *meters
}

var _ shardrpc.Backend = (*shelf)(nil)

// Open implements shardrpc.Backend.
func (s *shelf) Open(ctx context.Context, peer ident.PublicKey, vault ident.CID, c shardrpc.Credential) (shardrpc.Session, error) {
	v := &session{shelf: s, vault: vault, peer: peer, signed: c.Charter}
	err := s.volume.use(ctx, func(p *parts) (err error) {
		if v.signed.IsZero() {
			if v.signed, err = p.knownCharter(vault); err != nil {
				return err
			}
		}
		if v.charter, v.admitted, err = s.admit(p, vault, v.signed, c.Successors); err != nil {
			return err
		}
		v.grant, err = s.granted(ctx, v.charter, peer, c.Grant)
		if err != nil {
			return err
		}
		return v.allowed(p)
	})
	if err != nil {
		return nil, err
	}
	return v, nil
}

// knownCharter finds the charter for a peer that has not shown it.
func (p *parts) knownCharter(vault ident.CID) (ident.Signed, error) {
	if all, err := p.member.Charters(vault); err == nil && len(all) > 0 {
		return all[0], nil
	}
	charter, known, err := p.book.charter(vault)
	if err == nil && !known {
		err = shardrpc.ErrUnknownVault
	}
	return charter, err
}

// admit verifies that charters are the vault's, and that this node may hold for it. It
// returns the newest that is known, and whether that admits this node's operator: one
// that only an earlier charter admits keeps what it has, and serves it.
//
// That a successor is in force is not asked here: what it lets a device do, the owner
// could let it do by a grant. Members judge receipts, and nothing that is certified is
// let go of by it.
func (s *shelf) admit(p *parts, vault ident.CID, signed ident.Signed, successors []ident.Signed) (newest ledger.Charter, admitted bool, err error) {
	first, err := ledger.VerifyFirstCharter(signed)
	switch {
	case err != nil:
		return first, false, fmt.Errorf("%w: the charter does not verify", shardrpc.ErrForbidden)
	case first.ID() != vault:
		return first, false, fmt.Errorf("%w: the charter is another vault's", shardrpc.ErrForbidden)
	case first.Network != s.keys.cert.Network:
		return first, false, fmt.Errorf("%w: the vault belongs to network %s", shardrpc.ErrForbidden, first.Network)
	}
	charters, err := following(first, successors)
	if err != nil {
		return first, false, err
	}
	if chain, err := p.member.Chain(vault); err == nil && chain.Len() > len(charters) {
		charters = chain.Since(chain.ID())
	}
	ever := slices.ContainsFunc(charters, func(ch ledger.Charter) bool { return ch.Admits(s.keys.cert.Operator) })
	if !ever {
		return first, false, fmt.Errorf("%w: the charter does not admit this operator", shardrpc.ErrForbidden)
	}
	newest = charters[len(charters)-1]
	return newest, newest.Admits(s.keys.cert.Operator), nil
}

// following verifies that each successor follows the charter before it.
func following(first ledger.Charter, successors []ident.Signed) ([]ledger.Charter, error) {
	charters := []ledger.Charter{first}
	for i, signed := range successors {
		next, err := ledger.VerifyNextCharter(signed, charters[i])
		if err != nil {
			return nil, fmt.Errorf("%w: charter %d does not verify", shardrpc.ErrForbidden, i+2)
		}
		charters = append(charters, next)
	}
	return charters, nil
}

// granted verifies the grant that a peer shows. A member's node needs none, nor does
// one of an operator that the charter admits, and gets the zero one.
func (s *shelf) granted(ctx context.Context, charter ledger.Charter, peer ident.PublicKey, signed ident.Signed) (ledger.Grant, error) {
	if signed.IsZero() {
		if _, ok := charter.MemberByNode(peer); ok {
			return ledger.Grant{}, nil
		}
		if o := s.operator(ctx, peer); !o.IsZero() && charter.Admits(o) {
			return ledger.Grant{}, nil
		}
		return ledger.Grant{}, fmt.Errorf("%w: no grant", shardrpc.ErrForbidden)
	}
	grant, err := ledger.VerifyGrant(signed, charter.Owner, charter.ID())
	switch {
	case err != nil:
		return grant, fmt.Errorf("%w: the grant does not verify", shardrpc.ErrForbidden)
	case grant.Device != peer:
		return grant, fmt.Errorf("%w: the grant is another device's", shardrpc.ErrForbidden)
	}
	return grant, nil
}

// session is one device, or one holder's node, in one vault.
type session struct {
	*shelf
	vault    ident.CID
	charter  ledger.Charter // the newest that is known
	admitted bool           // this node, by that charter
	signed   ident.Signed   // the first charter
	peer     ident.PublicKey
	grant    ledger.Grant // zero for a node
	local    bool         // the peer is this node itself: nothing goes over the network
}

// steward reports whether the peer has come as a node, not as a device. It is charged
// with nothing: what it puts is put in the name of the zero device.
func (s *session) steward() bool { return s.grant.Device.IsZero() }

// device is in whose name the peer puts.
func (s *session) device() ident.PublicKey { return s.grant.Device }

// allowed judges what can have ended since the session began.
func (s *session) allowed(p *parts) error {
	switch {
	case s.steward():
		return nil
	case s.grant.ValidAt(s.stamp.now()) != nil:
		return fmt.Errorf("%w: the grant has expired", shardrpc.ErrForbidden)
	case p.member.Revoked(s.vault, s.peer) || p.book.revoked(s.vault, s.peer):
		return shardrpc.ErrRevoked
	}
	return nil
}

// writer judges, besides, whether the peer may add with a nonce.
func (s *session) writer(nonce shardrpc.Nonce) error {
	switch {
	case !s.admitted:
		return fmt.Errorf("%w: the charter does not admit this operator any more", shardrpc.ErrForbidden)
	case s.steward() && nonce != shardrpc.Nonce{}:
		return fmt.Errorf("%w: members make no commits", shardrpc.ErrForbidden)
	case !s.steward() && !s.grant.Rights.CanAppend():
		return fmt.Errorf("%w: the device may not add", shardrpc.ErrForbidden)
	}
	return nil
}

// repairs judges whether a steward may add shards of these segments: a member's node, by
// the newest charter that this node knows now. Of a device it asks nothing.
func (s *session) repairs(ctx context.Context, p *parts, segments ...ident.CID) error {
	if !s.steward() {
		return nil
	}
	charter := s.charter
	if chain, err := p.member.Chain(s.vault); err == nil && chain.Current().Number >= charter.Number {
		charter = chain.Current()
	}
	if _, member := charter.MemberByNode(s.peer); !member {
		return fmt.Errorf("%w: only members' nodes repair", shardrpc.ErrForbidden)
	}
	return s.certifier.certified(ctx, p, charter, segments)
}

// use is volume.use for as long as the peer is allowed.
func (s *session) use(ctx context.Context, f func(p *parts) error) error {
	return s.volume.use(ctx, func(p *parts) error {
		if err := s.allowed(p); err != nil {
			return err
		}
		return f(p)
	})
}
