package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/custody"
	"holdfast/node/repair"
	"holdfast/p2p"
	"holdfast/p2p/placement"
)

// survey is one look of a steward at its vaults. Who is there is asked for once, and
// only if something is to be repaired.
type survey struct {
	*steward
	asked  bool
	nodes  []p2p.Node // this one too
	failed error
}

// seen is what the survey reads of one vault on this node.
type seen struct {
	chain   ledger.Chain
	custody *custody.Map
	audited audited
	ill     map[ident.CID]bool
}

// vault lists what is to be done for one vault.
func (s *survey) vault(ctx context.Context, vault ident.CID) (jobs []repair.Job, err error) {
	in, err := s.read(ctx, vault)
	if err != nil {
		return nil, err
	}
	charter := in.chain.Current()
	if _, member := charter.MemberByNode(s.keys.cert.Node); !member {
		s.note(vault, repair.Outlook{}, 0)
		return nil, nil
	}
	v := s.view(in)
	if _, out := repair.Plan(v, 0); out.Damaged+out.Leaving == 0 {
		s.note(vault, out, 0)
		return nil, nil
	}
	if err := s.look(ctx); err != nil {
		return nil, err
	}
	s.offer(&v, in)
	alive, err := s.elect(ctx, &v, charter)
	if err != nil {
		return nil, err
	}
	memory := s.remember(vault, &v)
	tasks, out := repair.Plan(v, planTasks)
	memory.end()
	s.note(vault, out, len(tasks))
	site, err := s.site(ctx, in.chain, s.nodes, alive)
	if err != nil {
		return nil, err
	}
	for _, t := range tasks {
		jobs = append(jobs, repair.Job{Vault: site, Task: t})
	}
	return jobs, nil
}

// read reads what this node knows of a vault.
func (s *survey) read(ctx context.Context, vault ident.CID) (in seen, err error) {
	err = s.volume.use(ctx, func(p *parts) (err error) {
		if in.chain, err = p.member.Chain(vault); err != nil {
			return err
		}
		if in.custody, err = p.member.Custody(vault); err != nil {
			return err
		}
		if in.ill, err = p.book.illCoded(vault); err != nil {
			return err
		}
		in.audited = readAudits(p.board, vault)
		return nil
	})
	return in, err
}

// view is what can be said without asking anybody.
func (s *survey) view(in seen) repair.View {
	holders, charter := in.custody.Holders(), in.chain.Current()
	return repair.View{
		Custody: in.custody, Grace: s.rules.after, Turn: s.rules.turn, Me: s.keys.cert.Operator,
		Condition: func(h int) repair.Condition {
			c := in.audited.condition(holders[h].Node, s.rules.after)
			// A holder whom the charter does not admit any more serves what it has, until
			// that is elsewhere.
			c.Leaving = c.Leaving || !charter.Admits(holders[h].Operator)
			return c
		},
		Missing:  func(segment ident.CID) []int { return in.audited.lost(in.custody, segment) },
		IllCoded: func(segment ident.CID) bool { return in.ill[segment] },
	}
}

// look asks who is there. A steward whose own clock is off does nothing: its node would
// sign receipts that others do not take, and take theirs for receipts from the future.
func (s *survey) look(ctx context.Context) error {
	if s.asked {
		return s.failed
	}
	s.asked = true
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	others, err := s.around.nodes(ctx)
	if err != nil && len(others) == 0 {
		s.failed = errors.Join(errSilent, err)
	}
	if skew := medianSkew(others); unusable(skew) {
		s.failed = fmt.Errorf("%w: it is %v from the median of %d other nodes", ledger.ErrClockDoubt, -skew.Round(time.Second), len(others))
	}
	s.nodes = append(others, s.around.self())
	return s.failed
}

// offer adds who may be given shards. Operators that are admitted and do not answer count
// without space.
func (s *survey) offer(v *repair.View, in seen) {
	charter := in.chain.Current()
	there := map[ident.PublicKey]bool{}
	for _, n := range s.nodes {
		c := n.Certificate
		if !charter.Admits(c.Operator) {
			continue
		}
		there[c.Operator] = true
		v.Candidates = append(v.Candidates, placement.Candidate{
			Node: c.Node, Operator: c.Operator, Zone: c.Zone, Space: s.room(charter.ID(), n), Weight: in.audited.weight(c.Node),
		})
	}
	silent := slices.Clone(charter.Admitted)
	for _, m := range charter.Members {
		silent = append(silent, m.Operator)
	}
	for _, o := range silent {
		if !there[o] {
			there[o] = true
			v.Candidates = append(v.Candidates, placement.Candidate{Operator: o})
		}
	}
}

// elect adds the stewards. A member is alive if it answers, now and under its key, for the
// vault's ledger: one whose volume is not there, or has lost its ledgers, greets and
// repairs nothing.
func (s *survey) elect(ctx context.Context, v *repair.View, charter ledger.Charter) (alive int, err error) {
	nonce, err := newNonce()
	if err != nil {
		return 0, err
	}
	there := slices.DeleteFunc(slices.Clone(charter.Members), func(m ledger.Member) bool {
		return m.Node == s.keys.cert.Node || !slices.ContainsFunc(s.nodes, func(n p2p.Node) bool { return n.Certificate.Node == m.Node })
	})
	answers := askAll(ctx, there, func(ctx context.Context, m ledger.Member) (ledger.Heads, error) {
		ctx, cancel := context.WithTimeout(ctx, electLimit)
		defer cancel()
		signed, err := s.witness(m.Node).Heads(ctx, charter.ID(), nonce)
		if err != nil {
			return ledger.Heads{}, err
		}
		return ledger.VerifyHeads(signed, charter, m, nonce)
	})
	up := map[ident.PublicKey]bool{s.keys.cert.Operator: true}
	for _, a := range answers {
		up[a.member.Operator] = true
	}
	for _, m := range charter.Members {
		v.Stewards = append(v.Stewards, repair.Steward{Operator: m.Operator, Alive: up[m.Operator]})
	}
	return len(up), nil
}

// electLimit is how long a member has to show that it is alive.
const electLimit = 5 * time.Second

// room is how much of a vault a node may be given: nothing if it says that it will not
// stay, or has just failed, or if members would not take its receipts because its clock
// is off.
func (s *survey) room(vault ident.CID, n p2p.Node) int64 {
	state := n.StateAt(s.stamp.now())
	if state != p2p.Serving || unusable(n.Skew) || s.isStruck(target{vault, n.Certificate.Node}) {
		return 0
	}
	return n.Space
}

// remember lets a plan know what this node remembers: who has waited, and what is left
// alone.
func (s *survey) remember(vault ident.CID, v *repair.View) *waits {
	s.mu.Lock()
	memory := s.waits[vault]
	if memory == nil {
		memory = newWaits()
		s.waits[vault] = memory
	}
	s.mu.Unlock()
	memory.begin()
	now := s.stamp.now()
	v.Waited = func(segment ident.CID, live int) time.Duration { return memory.waited(segment, live, now) }
	v.Busy = func(segment ident.CID) bool { return s.isGiven(segmentOf{vault, segment}) }
	return memory
}
