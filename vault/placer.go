package vault

import (
	"errors"
	"slices"

	"github.com/zeebo/blake3"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p"
	"holdfast/p2p/placement"
)

// ErrTooFewNodes says that a commit cannot be placed: more operators are needed.
var ErrTooFewNodes = errors.New("too few nodes")

// placer says which node is to hold which shard, by the rule of p2p/placement, for
// one commit.
type placer struct {
	seed       [32]byte
	code       erasure.Code
	candidates []placement.Candidate
	placed     map[int][]int // segment -> shard -> index of the candidate
}

// newPlacer takes the nodes that are up and that the charter admits, each with the weight
// that the members' audits give it. Operators who are down count all the same: a vault of
// eight operators does not become one of four because four are out of reach. Who moves
// away what he holds, or has said that he will be away, gets nothing more.
func (s *Session) newPlacer(nonce [16]byte, nodes []p2p.Node) *placer {
	p := &placer{code: s.charter.Coded(), placed: map[int][]int{}}
	p.seed = blake3.Sum256(append(s.vault.Bytes(), nonce[:]...))
	for _, n := range nodes {
		c := n.Certificate
		if s.charter.Admits(c.Operator) {
			candidate := placement.Candidate{Node: c.Node, Operator: c.Operator, Zone: c.Zone, Space: n.Space, Weight: s.weights.of(c.Node)}
			if n.StateAt(s.options.Now()) != p2p.Serving {
				candidate.Space = 0
			}
			p.candidates = append(p.candidates, candidate)
		}
	}
	p.addSilent(s.charter)
	return p
}

func (p *placer) addSilent(c ledger.Charter) {
	for _, m := range c.Members {
		if !slices.ContainsFunc(p.candidates, func(c placement.Candidate) bool { return c.Operator == m.Operator }) {
			p.candidates = append(p.candidates, placement.Candidate{Node: m.Node, Operator: m.Operator, Zone: m.Zone})
		}
	}
}

// takers counts the operators who take shards now.
func (p *placer) takers() int {
	takes := map[ident.PublicKey]bool{}
	for _, c := range p.candidates {
		if c.Space > 0 {
			takes[c.Operator] = true
		}
	}
	return len(takes)
}

// Place implements object.Placer. Shards for which there is no operator stay with
// nobody; whether the others are enough is not decided here.
func (p *placer) Place(segment int) ([]ident.PublicKey, error) {
	chosen, err := placement.Choose(p.seed, segment, p.code, p.candidates)
	var few placement.ErrTooFew
	if err != nil && !errors.As(err, &few) {
		return nil, err
	}
	p.placed[segment] = chosen
	nodes := make([]ident.PublicKey, len(chosen))
	for shard, i := range chosen {
		if i != placement.None {
			nodes[shard] = p.candidates[i].Node
		}
	}
	return nodes, nil
}

// Spare implements object.Placer.
func (p *placer) Spare(segment, shard int, failed map[ident.PublicKey]bool) (ident.PublicKey, bool) {
	placed := p.placed[segment]
	if placed == nil {
		return ident.PublicKey{}, false
	}
	left := slices.Clone(p.candidates)
	for i, c := range left {
		if failed[c.Node] {
			left[i].Space = 0
		}
	}
	for _, i := range placement.Spares(p.seed, segment, p.code, left, placed, shard) {
		placed[shard] = i
		return p.candidates[i].Node, true
	}
	placed[shard] = placement.None
	return ident.PublicKey{}, false
}

// enough returns how many shards of a segment a commit needs so that k are left
// after any max(f, 1) operators are gone. It is what members ask for.
func (s *Session) enough() int {
	code, share := s.charter.Coded(), s.share()
	return min(code.N, code.K+share*max(s.charter.Faults(), 1))
}

// share is how many shards of one segment one operator holds at most.
func (s *Session) share() int {
	code := s.charter.Coded()
	n := max(1, s.charter.Operators())
	return min((code.N+n-1)/n, code.N-code.K)
}

// leastOperators is how many operators have to be there to hold enough shards.
func (s *Session) leastOperators() int {
	return (s.enough() + s.share() - 1) / s.share()
}
