package vault

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p"
	"holdfast/p2p/ledgerrpc"
	"holdfast/vault/index"
)

// The charters of a vault, from the first to the one in force, as this machine has
// verified them: each by the votes and acks of a quorum of the one before. Members
// are asked for more as soon as one of them says that it has gone over to another.
// The files behind it are a cache, and are verified when they are read.

const charterName = "charters"

func charterPath(dir string, number int) string {
	return filepath.Join(dir, charterName, strconv.Itoa(number))
}

// readChain returns the charters that the cache proves, the first at least.
func readChain(dir string, first ident.Signed) (ledger.Chain, error) {
	chain, err := ledger.NewChain(first)
	if err != nil {
		return chain, err
	}
	for {
		p, err := readLimited(charterPath(dir, chain.Len()+1), ledger.MaxLink)
		if err != nil {
			return chain, nil
		}
		next, err := extend(chain, [][]byte{p})
		if err != nil {
			return chain, nil
		}
		chain = next
	}
}

// extend appends encoded links to a chain.
func extend(chain ledger.Chain, links [][]byte) (ledger.Chain, error) {
	for _, p := range links {
		l, err := ledger.ParseLink(p)
		if err != nil {
			return chain, err
		}
		next, err := chain.Append(l)
		if err != nil {
			return chain, err
		}
		chain = next
	}
	return chain, nil
}

// keepChain writes the newest charters to the cache. A failure costs a download later.
func keepChain(dir string, chain ledger.Chain, known int) {
	if os.MkdirAll(filepath.Join(dir, charterName), 0o700) != nil {
		return
	}
	for i, l := range chain.Successions()[known-1:] {
		if p, err := l.Encode(); err == nil {
			writeCache(charterPath(dir, known+1+i), p)
		}
	}
}

// moved reports whether a member's answer may mean that it signs under a charter that
// this machine does not know: the key is another one, or it is no member any more, or
// it is one that is not ready yet.
func moved(err error) bool {
	for _, e := range []error{ident.ErrSignature, ledger.ErrMismatch, ledger.ErrNotMember, ledger.ErrCharter, ledger.ErrBehind, ledger.ErrFrozen} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// after asks one node for the charters after the newest that is known here, all of
// them.
func (s *Session) after(ctx context.Context, node ident.PublicKey) ledger.Chain {
	chain, err := chainAfter(ctx, s.members.Member(node, s.profile.Grant), s.chain)
	if err != nil {
		s.options.Log.Debug("no more charters", "node", node.String(), "error", err)
	}
	return chain
}

// chainAfter asks one node for the charters after a chain's newest, all of them. What
// does not verify ends the list: the chain is what the node has proved.
func chainAfter(ctx context.Context, m *ledgerrpc.Member, chain ledger.Chain) (ledger.Chain, error) {
	for {
		links, err := m.Successions(ctx, chain.ID(), int64(chain.Len()+1))
		if err != nil || len(links) == 0 {
			return chain, err
		}
		if chain, err = extend(chain, links); err != nil {
			return chain, err
		}
	}
}

// longest returns the longest of some chains. Two that differ at one number cannot
// both be verified while no more than f members lie.
func longest(chains ...ledger.Chain) ledger.Chain {
	var best ledger.Chain
	for _, c := range chains {
		if c.Len() > best.Len() {
			best = c
		}
	}
	return best
}

// followAnybody asks every node that can be found for charters: the members that this
// machine knows may all have been replaced.
func (s *Session) followAnybody(ctx context.Context) ledger.Chain {
	nodes, err := s.host.Nodes(ctx)
	if err != nil && len(nodes) == 0 {
		return s.chain
	}
	found := s.chain
	for _, a := range askNodes(ctx, nodes, func(ctx context.Context, node ident.PublicKey) (ledger.Chain, error) {
		return s.after(ctx, node), nil
	}) {
		found = longest(found, a.Value)
	}
	return found
}

// setChain goes over to a longer chain: what stands in the history above the starts of
// its charters is void, and is taken out.
func (s *Session) setChain(ctx context.Context, chain ledger.Chain) error {
	known, before := s.chain.Len(), s.charter
	s.chain, s.charter = chain, chain.Current()
	s.begun, s.proofs = map[ident.PublicKey]begunHeight{}, map[ident.CID][]ident.Signed{}
	keepChain(s.history.dir, chain, known)
	s.stopLooking()
	if err := s.meet(ctx, before); err != nil {
		return err
	}
	for lane := range s.history.lanes {
		if err := s.cutVoid(ctx, lane); err != nil {
			return fmt.Errorf("take void entries out of lane %s: %w", lane.Short(), err)
		}
	}
	return nil
}

// cutVoid takes the entries of a lane out that the chain does not allow.
func (s *Session) cutVoid(ctx context.Context, lane ident.PublicKey) error {
	links := s.history.lanes[lane]
	keep := len(links)
	for i, l := range links {
		if s.chain.Stands(l.Entry, l.CID) != nil {
			keep = i
			break
		}
	}
	if keep == len(links) {
		return nil
	}
	s.warn("%d entries of lane %s were certified and never final; a change of the charter made them void", len(links)-keep, lane.Short())
	return s.cut(ctx, lane, int64(keep))
}

// cut shortens a lane. Of the owner's lane, what is left is read again; the index, which
// may know chunks that nothing refers to any more, is begun anew.
func (s *Session) cut(ctx context.Context, lane ident.PublicKey, keep int64) error {
	s.settle()
	void := s.history.cut(lane, keep)
	if err := s.home.disremember(s.profile.Name, void); err != nil {
		return err
	}
	if lane != s.charter.Owner {
		return s.renewIndex()
	}
	s.history.unenrol()
	for _, l := range s.history.lanes[lane] {
		body, err := s.Body(ctx, l)
		if err == nil {
			err = s.applyBody(l, body)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// renewIndex begins the index anew.
func (s *Session) renewIndex() error {
	if err := s.index.Close(); err != nil {
		return err
	}
	if err := index.Remove(s.indexConfig()); err != nil {
		return err
	}
	var err error
	s.index, err = s.openIndex()
	return err
}

// meet adds the addresses of new members to the profile, as far as the network knows
// them: one day the others may all be gone.
func (s *Session) meet(ctx context.Context, before ledger.Charter) error {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	var nodes []p2p.Node
	for _, m := range s.charter.Members {
		if _, known := before.MemberByNode(m.Node); known {
			continue
		}
		if n, err := s.host.Node(ctx, m.Node); err == nil {
			nodes = append(nodes, n)
		}
	}
	if len(nodes) == 0 {
		return nil
	}
	s.profile.addBootstrap(memberAddrs(s.charter, nodes))
	return s.home.Save(s.profile)
}
