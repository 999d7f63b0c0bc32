package node

import (
	"fmt"
	"sync"
	"time"

	"holdfast/internal/ident"
	"holdfast/p2p/shardrpc"
)

// This file holds the rule of how much proof may be asked of a node.
//
// SPEC: per peer and vault at most 1,024 groups and 16 pages of inventory a minute;
// what is above gets busy. A page with few shards on it costs less, so that all of an
// inventory's buckets can be listed in a minute where they are small.

const (
	groupsPerMinute = 1024
	pagesPerMinute  = 16
	leastPage       = 1. / 32 // of a page, for one with few shards

	maxAskers = 4096 // peers and vaults that are counted at once
)

// proofAllowances is what each peer may still ask of each vault. What was used comes back
// evenly, in a minute. The zero value is full for everybody.
type proofAllowances struct {
	mu   sync.Mutex
	used map[account]proofAllowance
}

type proofAllowance struct {
	groups, pages float64 // used
	at            time.Time
}

// take takes from a peer's proofAllowance, or returns shardrpc.ErrBusy and takes nothing.
func (a *proofAllowances) take(of account, groups, pages float64, now time.Time) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	u := a.used[of].after(now)
	if u.groups+groups > groupsPerMinute || u.pages+pages > pagesPerMinute {
		return fmt.Errorf("%w: %d groups and %d pages of inventory a minute", shardrpc.ErrBusy, groupsPerMinute, pagesPerMinute)
	}
	if _, known := a.used[of]; !known && !a.room(now) {
		return fmt.Errorf("%w: too many ask for proofs", shardrpc.ErrBusy)
	}
	u.groups, u.pages = u.groups+groups, u.pages+pages
	a.used[of] = u
	return nil
}

// charge takes what has turned out to be the cost of something, also if that is more
// than there is left.
func (a *proofAllowances) charge(of account, pages float64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if u, known := a.used[of]; known {
		u.pages += pages
		a.used[of] = u
	}
}

// after is what is still used later. A clock that was set back gives nothing back.
func (u proofAllowance) after(now time.Time) proofAllowance {
	minutes := max(now.Sub(u.at).Minutes(), 0)
	return proofAllowance{max(u.groups-minutes*groupsPerMinute, 0), max(u.pages-minutes*pagesPerMinute, 0), now}
}

// room makes room for one more asker: who has his whole proofAllowance back is not counted.
func (a *proofAllowances) room(now time.Time) bool {
	if a.used == nil {
		a.used = map[account]proofAllowance{}
	}
	if len(a.used) < maxAskers {
		return true
	}
	for of, u := range a.used {
		if left := u.after(now); left.groups == 0 && left.pages == 0 {
			delete(a.used, of)
		}
	}
	return len(a.used) < maxAskers
}

// asker is the peer of a session, in its vault.
func (s *session) asker() account { return account{s.vault, s.peer} }

// allow takes from the peer's proofAllowance. A node may ask itself as much as it likes.
func (s *session) allow(groups, pages float64) error {
	if s.peer == ident.PublicKey(s.keys.cert.Node) {
		return nil
	}
	return s.asked.take(s.asker(), groups, pages, s.stamp.now())
}
