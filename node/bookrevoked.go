package node

import (
	"bytes"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
)

// ownerLane is how far a holder that is no member has read an owner's lane, and whom
// it has found revoked there.
type ownerLane struct {
	V       int64             `cbor:"v"`
	Height  int64             `cbor:"height"`
	Entry   ident.CID         `cbor:"entry,omitzero"`
	Revoked []ident.PublicKey `cbor:"revoked"`
}

// revoked reports whether a device was revoked, as far as the book knows.
func (b *book) revoked(vault ident.CID, device ident.PublicKey) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.gone[account{vault, device}]
}

// ownerLane returns how far a vault's owner's lane was read; nothing at first.
func (b *book) ownerLane(vault ident.CID) (o ownerLane, err error) {
	err = b.db.View(func(tx *bbolt.Tx) error {
		if v := tx.Bucket(bucketOwners).Get(vault.Bytes()); v != nil {
			return wire.Decode(v, &o)
		}
		return nil
	})
	return o, err
}

// keepOwnerLane remembers, durably, how far a vault's owner's lane was read. From then
// on the devices in it are revoked, and no others.
func (b *book) keepOwnerLane(vault ident.CID, o ownerLane) error {
	o.V = 1
	p, err := wire.Encode(o)
	if err == nil {
		err = b.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucketOwners).Put(vault.Bytes(), p) })
	}
	if err != nil {
		return fmt.Errorf("keep owner's lane: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for a := range b.gone {
		if a.vault == vault {
			delete(b.gone, a)
		}
	}
	for _, device := range o.Revoked {
		b.gone[account{vault, device}] = true
	}
	return nil
}

// loadOwners reads who is revoked in which vault.
func (b *book) loadOwners(tx *bbolt.Tx) error {
	b.gone = map[account]bool{}
	return tx.Bucket(bucketOwners).ForEach(func(k, v []byte) error {
		vault, err := ident.CIDFromBytes(bytes.Clone(k))
		var o ownerLane
		if err := errors.Join(err, wire.Decode(v, &o)); err != nil {
			return errBook
		}
		for _, device := range o.Revoked {
			b.gone[account{vault, device}] = true
		}
		return nil
	})
}
