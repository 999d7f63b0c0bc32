package member

import (
	"fmt"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// LaneHeads returns where every lane of a vault stands here, unsigned: what a member
// that was away compares with the heads of others. It is for a member that may not
// sign, too.
func (s *Store) LaneHeads(vault ident.CID) (heads []ledger.LaneHead, err error) {
	ch, err := s.Charter(vault)
	if err != nil {
		return nil, err
	}
	v, err := s.vault(vault)
	if err != nil {
		return nil, err
	}
	err = v.read(func(x index) error {
		lanes, err := x.lanes(ch.CID())
		if err != nil {
			return err
		}
		for _, lane := range lanes {
			h, err := x.laneHead(ch.CID(), lane)
			if err != nil {
				return err
			}
			heads = append(heads, h)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read heads: %w", err)
	}
	return heads, nil
}
