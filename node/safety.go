package node

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/custody"
	"holdfast/node/audit"
)

// safety says how safe the segments of this node's vaults are, as it knows from its
// ledgers and its audits. A large vault takes a while to count: what was counted is
// said again for many times as long as that took.
type safety struct {
	now clock

	mu      sync.Mutex
	counted map[ident.CID]countedSafety
}

type countedSafety struct {
	custody CustodyStatus
	catalog CatalogStatus
	until   time.Time
}

// Counting takes at most one part in so many of the time.
const countingShare = 20

func newSafety(now clock) *safety { return &safety{now: now, counted: map[ident.CID]countedSafety{}} }

// vaults lists the vaults of which something is here, sorted by ID.
func (s *safety) vaults(p *parts) []VaultStatus {
	usage := p.book.vaultUsage()
	all := []VaultStatus{}
	for _, v := range p.member.All() {
		u := usage[v]
		delete(usage, v)
		one := VaultStatus{Vault: v.String(), Member: true, Bytes: u.Bytes, Shards: u.Shards, Holders: holdersOf(p.board, v)}
		if c, ok := s.of(p, v); ok {
			one.Custody, one.Catalog = &c.custody, &c.catalog
		}
		all = append(all, one)
	}
	for v, u := range usage {
		all = append(all, VaultStatus{Vault: v.String(), Bytes: u.Bytes, Shards: u.Shards})
	}
	slices.SortFunc(all, func(a, b VaultStatus) int { return cmp.Compare(a.Vault, b.Vault) })
	return all
}

// of says it for one vault, unless its ledger says nothing.
func (s *safety) of(p *parts, vault ident.CID) (c countedSafety, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	begun := s.now()
	if c, ok := s.counted[vault]; ok && begun.Before(c.until) {
		return c, true
	}
	m, err := p.member.Custody(vault)
	if err != nil {
		return c, false
	}
	if c.catalog, err = catalogOf(p, vault, begun); err != nil {
		return c, false
	}
	c.custody = countSafety(m, p.board, vault)
	ended := s.now()
	c.until = ended.Add(countingShare * ended.Sub(begun))
	s.counted[vault] = c
	return c, true
}

// countSafety takes away the shards of the holders that do not serve now, and those that
// are missing, and counts what is left.
func countSafety(m *custody.Map, board *audit.Board, vault ident.CID) CustodyStatus {
	loss := m.Loss()
	for _, h := range board.Holders(vault) {
		if h.State != ledger.HolderOK && h.State != ledger.HolderDraining {
			loss.Node(h.Node)
		}
	}
	for s := range board.Missing(vault) {
		if audit.Holds(m, s.Node, s.Shard) {
			loss.Shard(s.Segment, s.Index)
		}
	}
	return custodyOf(m.Judge(loss))
}

// riskMargin is the margin up to which a segment that lacks shards is at risk.
const riskMargin = 2

// custodyOf counts by the code of the worst segment: a vault has mostly one.
func custodyOf(r custody.Report) CustodyStatus {
	c := CustodyStatus{Segments: int64(r.Segments), Below: int64(r.Below), Lost: int64(r.LostCount), AtRisk: int64(r.LostCount)}
	if r.Segments == 0 {
		return c
	}
	c.Worst, c.Target = r.Worst.Margin(), r.Worst.Code.N-r.Worst.Code.K
	c.Margins = make([]int64, c.Target+1)
	for margin, n := range r.Margins {
		for margin >= len(c.Margins) {
			c.Margins = append(c.Margins, 0)
		}
		if margin >= 0 {
			c.Margins[margin] = int64(n)
		}
		if margin >= 0 && margin <= min(riskMargin, c.Target-1) {
			c.AtRisk += int64(n)
		}
	}
	return c
}

// holdersOf lists what audits have found.
func holdersOf(board *audit.Board, vault ident.CID) (all []HolderStatus) {
	for _, h := range board.Holders(vault) {
		all = append(all, HolderStatus{
			Node: h.Node.String(), State: string(h.State), Since: h.Since, Proof: h.Proof, Weight: h.Weight, Why: h.Why,
			Shards: h.Shards, Missing: h.Missing, Passed: h.Passed, Failed: h.Failed, Timeouts: h.Timeouts,
		})
	}
	return all
}
