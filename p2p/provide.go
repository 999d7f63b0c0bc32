package p2p

import (
	"context"
	"fmt"

	"github.com/ipfs/go-cid"

	"holdfast/internal/ident"
)

// rendezvous is the CID under which a network's nodes announce themselves: the raw
// CID of "holdfast network v1", a zero byte, and the network's name.
func rendezvous(network string) ident.CID {
	return ident.SumRaw([]byte("holdfast network v1\x00" + network))
}

// ownerKey is the CID under which the members of an owner's vaults announce
// themselves: the raw CID with the owner ID as its digest.
func ownerKey(owner [ident.HashSize]byte) ident.CID { return ident.NewCID(ident.Raw, owner) }

// foreign returns the form of a CID that the DHT takes.
func foreign(key ident.CID) (cid.Cid, error) {
	if !key.Defined() {
		return cid.Undef, ident.ErrCID
	}
	return cid.Cast(key.Bytes())
}

// ProvideVault announces that this node is a member of a vault, now and, until
// Withdraw or Close, again before others forget it. It returns ErrUnreachable while
// there is no other node; the announcement then follows when there is one.
func (h *Host) ProvideVault(ctx context.Context, vault ident.CID) error {
	return h.provide(ctx, vault)
}

// ProvideOwner announces, as ProvideVault does, that this node is a member of a
// vault of an owner.
func (h *Host) ProvideOwner(ctx context.Context, owner [ident.HashSize]byte) error {
	return h.provide(ctx, ownerKey(owner))
}

// Withdraw ends what ProvideVault, ProvideOwner and PutHint began. Others forget it
// within a day.
func (h *Host) Withdraw(vault ident.CID, owner [ident.HashSize]byte) {
	h.memory.withdraw(vault, ownerKey(owner))
}

func (h *Host) provide(ctx context.Context, key ident.CID) error {
	if !h.isNode() {
		return ErrNotNode
	}
	if !key.Defined() {
		return fmt.Errorf("announce vault: %w", ident.ErrCID)
	}
	h.memory.provide(key)
	d, err := h.company()
	if err == nil {
		err = h.announce(ctx, d, key)
	}
	if err != nil {
		return fmt.Errorf("announce vault: %w", err)
	}
	return nil
}

// FindVault returns the live nodes that announce themselves as members of a vault.
// That is a hint: who is a member, the charter says. ErrNotFound if there is none,
// ErrUnreachable if nobody could be asked.
func (h *Host) FindVault(ctx context.Context, vault ident.CID) ([]Node, error) {
	return h.find(ctx, vault)
}

// FindOwner returns, as FindVault does, nodes that announce themselves as members
// of a vault of an owner.
func (h *Host) FindOwner(ctx context.Context, owner [ident.HashSize]byte) ([]Node, error) {
	return h.find(ctx, ownerKey(owner))
}

func (h *Host) find(ctx context.Context, key ident.CID) ([]Node, error) {
	if !key.Defined() {
		return nil, fmt.Errorf("find members: %w", ident.ErrCID)
	}
	if _, err := h.ready(ctx); err != nil {
		return nil, fmt.Errorf("find members: %w", err)
	}
	nodes, err := h.survey(ctx, key, nil)
	if err == nil && len(nodes) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return nodes, fmt.Errorf("find members: %w", err)
	}
	return nodes, nil
}
