package node

import (
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// CatalogStatus is how far a member's ledger of a vault is: what was backed up, released
// and decided, in all of its lanes.
type CatalogStatus struct {
	Entries int64     `json:"entries"` // that are certified
	Newest  time.Time `json:"newest"`  // when the newest was made, by its device's clock; zero for none
}

// catalogOf reads the head of every lane. A device's clock decides nothing: what it says
// is later than now was made now.
func catalogOf(p *parts, vault ident.CID, now time.Time) (c CatalogStatus, err error) {
	heads, err := p.member.LaneHeads(vault)
	if err != nil {
		return c, err
	}
	for _, h := range heads {
		c.Entries += h.Height
		if h.Height == 0 {
			continue
		}
		link, err := p.member.Entry(vault, h.Entry)
		if err != nil {
			return c, err
		}
		e, err := ledger.ReadEntry(link.Entry)
		if err != nil {
			return c, err
		}
		if made := ledger.Time(min(e.Clock, ledger.Millis(now))); made.After(c.Newest) {
			c.Newest = made
		}
	}
	return c, nil
}
