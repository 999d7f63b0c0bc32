package node

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"go.etcd.io/bbolt"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// addIllCoded remembers durably that a segment is ill-coded, and whose lane brought it.
func (b *book) addIllCoded(at segmentOf, lane ident.PublicKey) error {
	err := b.db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketIllCoded).Put(pairKey(at.vault, at.segment.Bytes()), lane.Bytes())
	})
	if err != nil {
		return fmt.Errorf("remember segment %v: %w", at.segment, err)
	}
	return nil
}

// illCoded returns the segments of a vault that are ill-coded.
func (b *book) illCoded(vault ident.CID) (map[ident.CID]bool, error) {
	lanes, err := b.illCodedBy(vault)
	all := make(map[ident.CID]bool, len(lanes))
	for s := range lanes {
		all[s] = true
	}
	return all, err
}

// maxIllCoded is how many ill-coded segments are listed: a device can make any number.
const maxIllCoded = 1000

// illCoded lists the segments of all vaults that are ill-coded, as far as that can be
// read, the first ones if there are many. One that was released is nobody's concern any
// more.
func (p *parts) illCoded() (all []IllCodedStatus) {
	for _, vault := range p.member.All() {
		lanes, _ := p.book.illCodedBy(vault)
		for _, s := range slices.SortedFunc(maps.Keys(lanes), ident.CID.Compare) {
			in, err := p.member.Introduced(vault, s)
			if err != nil || in.State != ledger.SegmentCertified {
				continue
			}
			if all = append(all, IllCodedStatus{vault.String(), s.String(), lanes[s].String()}); len(all) == maxIllCoded {
				return all
			}
		}
	}
	return all
}

// illCodedBy returns them with the lanes that brought them.
func (b *book) illCodedBy(vault ident.CID) (map[ident.CID]ident.PublicKey, error) {
	all := map[ident.CID]ident.PublicKey{}
	prefix := vault.Bytes()
	err := b.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketIllCoded).Cursor()
		for k, v := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, v = c.Next() {
			segment, err := ident.CIDFromBytes(k[len(prefix):])
			if err != nil {
				return errBook
			}
			lane, err := ident.PublicKeyFromBytes(v)
			if err != nil {
				return errBook
			}
			all[segment] = lane
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read ill-coded segments: %w", err)
	}
	return all, nil
}
