package vault

import (
	"context"
	"errors"
	"fmt"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/custody"
	"holdfast/vault/index"
)

// maxMovePages bounds what one member is asked for in one Sync.
const maxMovePages = 4096

// movesPage is what a member shows at once of where shards have moved.
type movesPage struct {
	list []ledger.Placement
	next ledger.MovesCursor
}

// askMoves begins to ask every member where shards have moved since it was asked last.
// What it returns waits for the answers, and must be called.
func (s *Session) askMoves(ctx context.Context) func() []answer[movesPage] {
	from := map[ident.PublicKey]ledger.MovesCursor{}
	for _, m := range s.charter.Members {
		from[m.Node] = s.movesKnown(m)
	}
	answers := make(chan []answer[movesPage], 1)
	members := s.charter.Members
	go func() {
		wait := quorumWait{Enough: len(members), Grace: askGrace, Limit: askLimit}
		answers <- gather(ctx, members, wait, func(ctx context.Context, m ledger.Member) (movesPage, error) {
			return s.movesOf(ctx, m, from[m.Node])
		})
	}()
	return func() []answer[movesPage] { return <-answers }
}

// movesKnown returns how far a member's moves are known. Without an index they are asked
// for from the beginning.
func (s *Session) movesKnown(m ledger.Member) ledger.MovesCursor {
	c, err := s.index.Cursor(m.Node)
	if err != nil {
		return ledger.MovesCursor{}
	}
	return ledger.MovesCursor(c)
}

func (s *Session) movesOf(ctx context.Context, m ledger.Member, from ledger.MovesCursor) (movesPage, error) {
	list, next, err := s.member(m).Moves(ctx, s.vault, from)
	page := movesPage{next: next}
	for _, p := range list {
		page.list = append(page.list, ledger.Placement{V: 1, Receipt: p.Receipt, Cert: p.Certificate})
	}
	return page, err
}

// takeMoves takes in what the members have shown, and what they have behind it. A member
// that cannot be asked costs nothing but what it alone knows: the place that an entry
// names is tried then.
func (s *Session) takeMoves(ctx context.Context, shown []answer[movesPage]) {
	news := false
	for _, a := range shown {
		page, err := a.Value, a.Err
		for range maxMovePages {
			if err != nil || len(page.list) == 0 {
				break
			}
			news = true
			if err = s.takePageOfMoves(a.Member, page); err == nil {
				page, err = s.movesOf(ctx, a.Member, page.next)
			}
		}
		if err != nil {
			s.options.Log.Debug("where shards have moved is not known from a member", "member", a.Member.Name, "error", err)
		}
	}
	if news {
		s.learnHolders()
	}
}

// errMoves says that a member has shown nothing that verifies: it is asked for no more of it
// in this Sync.
var errMoves = errors.New("no later placement of a page verifies")

// takePageOfMoves verifies a page and writes it down with the place where it ends. What
// does not verify is left out: a member can hide a move, and cannot invent one. What is
// from the future by this machine's clock may be from now by everybody else's: then the
// page is asked for again, next time.
func (s *Session) takePageOfMoves(m ledger.Member, page movesPage) error {
	var moves []index.Move
	var holders []index.Holder
	var bad, early error
	for _, l := range page.list {
		r, c, err := s.chain.VerifyPlacement(l)
		switch {
		case err != nil:
			bad = err
			continue
		case r.CheckTime(s.options.Now()) != nil:
			early = r.CheckTime(s.options.Now())
			continue
		}
		holders = append(holders, index.Holder{Node: c.Node, Operator: c.Operator, Zone: c.Zone, Name: c.Name, Serial: c.Serial})
		for _, sh := range r.Shards {
			moves = append(moves, index.Move{
				Segment: sh.Segment, Shard: int(sh.Index), Node: c.Node, Operator: c.Operator, Time: r.Time, Receipt: l.Receipt.CID(),
			})
		}
	}
	if bad != nil {
		s.warn("%s shows a later placement that does not verify: %v", m.Name, bad)
	}
	at := index.Cursor(page.next)
	if early != nil {
		at = index.Cursor(s.movesKnown(m))
	}
	if err := s.index.AddMoves(m.Node, at, moves, holders); err != nil {
		return err
	}
	if bad != nil && len(moves) == 0 {
		return errMoves
	}
	return early
}

// moveTo brings segments, as their entries place them, up to where their shards are now.
func (s *Session) moveTo(segs []index.Segment) error {
	at := make(map[ident.CID]int, len(segs))
	moved := map[int][]index.Move{}
	for m, err := range s.index.Moves() {
		if err != nil {
			return fmt.Errorf("look up where shards are now: %w", err)
		}
		if len(at) == 0 { // most vaults have no moves
			for i, seg := range segs {
				at[seg.CID] = i
			}
		}
		if i, ok := at[m.Segment]; ok {
			moved[i] = append(moved[i], m)
		}
	}
	for i, moves := range moved {
		segs[i].Nodes = s.placedNow(segs[i].Nodes, moves, s.dataRows(segs[i]))
	}
	return nil
}

// dataRows returns the k of a segment, which may come without its descriptor.
func (s *Session) dataRows(seg index.Segment) int {
	if known, ok, err := s.index.Segment(seg.CID); len(seg.Descriptor) == 0 && ok && err == nil {
		seg = known
	}
	if d, err := erasure.ParseDescriptor(seg.Descriptor); err == nil {
		return int(d.K)
	}
	return s.charter.Coded().K
}

// placedNow returns who holds the shards of a segment that its entry gave to nodes, by
// what was moved since. Which moves count is custody's rule, the members' as well as ours:
// nobody draws all shards of a segment to himself by signing that he has them.
func (s *Session) placedNow(nodes []ident.PublicKey, moves []index.Move, k int) []ident.PublicKey {
	m := custody.New()
	held := make([]int, len(nodes))
	for shard, node := range nodes {
		if held[shard] = custody.Nowhere; !node.IsZero() {
			held[shard] = m.Holder(custodian(s.holderOf(node)))
		}
	}
	s.settleMoves(m, held, moves, k)
	out := make([]ident.PublicKey, len(held))
	for shard, h := range held {
		if h != custody.Nowhere {
			out[shard] = m.Holders()[h].Node
		}
	}
	return out
}

// settleMoves brings the holders of a segment, by their numbers in a map, up to what was
// moved.
func (s *Session) settleMoves(m *custody.Map, held []int, moves []index.Move, k int) {
	claims := make([]custody.Claim, len(moves))
	for i, move := range moves {
		by := custody.Holder{Node: move.Node, Operator: move.Operator, Zone: s.holderOf(move.Node).Zone}
		claims[i] = custody.Claim{Index: move.Shard, Holder: m.Holder(by), Time: move.Time, Receipt: move.Receipt}
	}
	m.Settle(held, claims, ledger.MostShards(erasure.Code{K: k, N: len(held)}, s.charter.Operators()))
}
