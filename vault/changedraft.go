package vault

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"

	"github.com/zeebo/blake3"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
	"holdfast/p2p"
	"holdfast/p2p/ledgerrpc"
	"holdfast/p2p/placement"
	"holdfast/seal"
)

// successor makes the charter that a change asks for, without new vote keys. What is so
// already is left as it is.
func (s *Session) successor(ctx context.Context, e seal.Entropy, c Change) (ledger.Charter, error) {
	next := s.charter
	next.Number, next.Vault, next.Prev = s.charter.Number+1, s.vault, s.charter.CID()
	next.Created = ledger.Millis(s.options.Now())
	next.Members, next.Admitted = slices.Clone(next.Members), slices.Clone(next.Admitted)
	if err := s.changeMembers(ctx, &next, c); err != nil {
		return next, err
	}
	for _, o := range c.Admit {
		if !next.Admits(o) {
			next.Admitted = append(next.Admitted, o)
		}
	}
	slices.SortFunc(next.Admitted, ident.PublicKey.Compare)
	if c.Alter != nil {
		if err := c.Alter(&next); err != nil {
			return next, err
		}
	}
	if c.Rotate {
		if err := rotate(e, &next); err != nil {
			return next, err
		}
	}
	if n, least := next.Operators(), placement.MinOperators(next.Coded()); n < least {
		return next, fmt.Errorf("%w: %d operators, %v needs %d", ErrTooFewNodes, n, next.Coded(), least)
	}
	return next, nil
}

// changeMembers takes members out and brings others in, in the charter's order.
func (s *Session) changeMembers(ctx context.Context, next *ledger.Charter, c Change) error {
	out, in := slices.Clone(c.Remove), slices.Clone(c.Add)
	for old, other := range c.Replace {
		_, has := next.Member(old)
		_, had := next.Member(other)
		if !has && !had {
			return fmt.Errorf("replace operator %s: %w", old.Short(), ErrNoMember)
		}
		out, in = append(out, old), append(in, other)
	}
	next.Members = slices.DeleteFunc(next.Members, func(m ledger.Member) bool { return slices.Contains(out, m.Operator) })
	in = slices.DeleteFunc(in, func(o ident.PublicKey) bool {
		return slices.ContainsFunc(next.Members, func(m ledger.Member) bool { return m.Operator == o })
	})
	if len(in) == 0 {
		return nil
	}
	nodes, err := s.host.Nodes(ctx)
	if err != nil && len(nodes) == 0 {
		return fmt.Errorf("%w: %w", ErrNetwork, err)
	}
	for _, o := range in {
		m, err := nodeOfOperator(nodes, o)
		if err != nil {
			return err
		}
		next.Members = append(next.Members, m)
	}
	slices.SortFunc(next.Members, func(a, b ledger.Member) int { return a.Operator.Compare(b.Operator) })
	return nil
}

// nodeOfOperator chooses the node of an operator that has the most space.
func nodeOfOperator(nodes []p2p.Node, operator ident.PublicKey) (ledger.Member, error) {
	var best p2p.Node
	for _, n := range nodes {
		if n.Certificate.Operator == operator && (best.Signed.IsZero() || n.Space > best.Space) {
			best = n
		}
	}
	if best.Signed.IsZero() {
		return ledger.Member{}, fmt.Errorf("%w: no node of operator %s is up", ErrTooFewNodes, operator.Short())
	}
	c := best.Certificate
	return ledger.Member{Operator: c.Operator, Name: c.Name, Node: c.Node, Vote: c.Vote, Zone: c.Zone}, nil
}

// askKeys asks the members of a successor for vote keys of their own. One that was a
// member before and does not answer keeps its key; of a new one a key is needed.
func (s *Session) askKeys(ctx context.Context, next *ledger.Charter) error {
	nonce := keyNonce(next.Prev)
	wait := quorumWait{Enough: len(next.Members), Limit: askLimit}
	answers := gather(ctx, next.Members, wait, func(ctx context.Context, m ledger.Member) (ident.PublicKey, error) {
		n, err := s.host.Node(ctx, m.Node)
		if err != nil {
			return ident.PublicKey{}, err
		}
		signed, err := s.member(m).Key(ctx, s.vault, nonce)
		if err != nil {
			return ident.PublicKey{}, err
		}
		k, err := ledger.VerifyMemberKey(signed, n.Certificate, s.vault, nonce)
		return k.Vote, err
	})
	for i, a := range answers {
		_, was := s.charter.MemberByNode(a.Member.Node)
		switch {
		case a.Err == nil:
			next.Members[i].Vote = a.Value
		case !was:
			return fmt.Errorf("ask %s for a vote key: %w", a.Member.Name, a.Err)
		default:
			s.warn("%s gives no new vote key and keeps the old one: %v", a.Member.Name, a.Err)
		}
	}
	return nil
}

// keyNonce names the one set of keys that is asked for after a charter: a run that was
// interrupted gets the same ones again.
func keyNonce(prev ident.CID) [16]byte {
	h := blake3.Sum256(append([]byte("holdfast vote keys after "), prev.Bytes()...))
	return [16]byte(h[:16])
}

// alike reports whether two charters of one vault say the same but for their place in
// the chain, the time, the vote keys, and how the secret is split among the same
// guardians.
func alike(a, b ledger.Charter) (bool, error) {
	p, err := substance(a)
	if err != nil {
		return false, err
	}
	q, err := substance(b)
	return bytes.Equal(p, q), err
}

func substance(c ledger.Charter) ([]byte, error) {
	c.V, c.Number, c.Vault, c.Prev, c.Created = 1, 1, ident.CID{}, ident.CID{}, 0
	c.Members = slices.Clone(c.Members)
	for i := range c.Members {
		c.Members[i].Vote = c.Members[i].Node
	}
	c.Guardians, c.Secret = slices.Clone(c.Guardians), nil
	for i := range c.Guardians {
		c.Guardians[i].Envelope, c.Guardians[i].Share = nil, [32]byte{}
	}
	return wire.Encode(c)
}

// admitMembers has the nodes that a charter brings in keep the vault, and hands them its
// lanes as far as they are known here, the owner's first. A member of the first charter
// whose volume was lost, and its ledgers with it, is brought in again; one that does not
// answer, or fails, holds nobody up.
func (s *Session) admitMembers(ctx context.Context, next ledger.Charter) error {
	wait := quorumWait{Enough: len(next.Members), Limit: 2 * writeLimit}
	var failed error
	for _, a := range gather(ctx, next.Members, wait, func(ctx context.Context, m ledger.Member) (was bool, err error) {
		if _, was = s.chain.First().MemberByNode(m.Node); was && !s.forgotten(ctx, m) {
			return was, nil
		}
		return was, s.admit(ctx, m)
	}) {
		switch {
		case a.Err == nil:
		case a.Value:
			s.warn("%s has lost its ledgers, and is not ready to vote again: %v", a.Member.Name, a.Err)
		default:
			failed = errors.Join(failed, fmt.Errorf("%s: %w", a.Member.Name, a.Err))
		}
	}
	return failed
}

// forgotten reports whether a member says that it does not know the vault.
func (s *Session) forgotten(ctx context.Context, m ledger.Member) bool {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	_, err := s.member(m).Heads(ctx, s.vault, [16]byte{})
	return errors.Is(err, ledgerrpc.ErrUnknownVault)
}

func (s *Session) admit(ctx context.Context, m ledger.Member) error {
	// One that is behind has accepted before, and signs when it has everything.
	if _, err := s.member(m).Accept(ctx, s.profile.Charter); err != nil && !errors.Is(err, ledger.ErrBehind) {
		return err
	}
	lanes := []ident.PublicKey{s.charter.Owner}
	for lane := range s.history.lanes {
		if lane != s.charter.Owner {
			lanes = append(lanes, lane)
		}
	}
	for _, lane := range lanes {
		if err := s.handLane(ctx, m, lane); err != nil {
			return err
		}
	}
	return nil
}

// handLane hands a member what it lacks of a lane: it is asked where it stands by being
// given the newest entry.
func (s *Session) handLane(ctx context.Context, m ledger.Member, lane ident.PublicKey) error {
	head, ok := s.history.head(lane)
	if !ok {
		return nil
	}
	err := s.handOver(ctx, m, head)
	if !errors.Is(err, ledger.ErrBehind) && !errors.Is(err, ledger.ErrCharter) {
		return err
	}
	return s.catchUp(ctx, m, lane, headOf(err))
}

// askForChange signs a request for a successor and hands it to all members. It counts
// when so many have it that nobody can make it unseen.
func (s *Session) askForChange(ctx context.Context, owner ident.PrivateKey, successor ident.Signed, reason string) (ident.CID, error) {
	r := ledger.Request{
		Vault: s.vault, Charter: s.charter.CID(), Kind: ledger.RequestCharter, Successor: successor.CID(),
		Reason: reason, Clock: ledger.Millis(s.options.Now()),
	}
	if _, err := rand.Read(r.Nonce[:]); err != nil {
		return ident.CID{}, err
	}
	signed, err := ledger.SignRequest(owner, r)
	if err != nil {
		return ident.CID{}, err
	}
	_, err = s.council().tell(ctx, func(ctx context.Context, m seat) error { return m.Request(ctx, s.vault, signed, successor) })
	return signed.CID(), err
}

// asked finds an open request of the owner for a successor: that with a name, or one
// whose successor says what the wanted one says. None is the zero value.
func (s *Session) asked(ctx context.Context, request ident.CID, want ledger.Charter) (planned, error) {
	cases, err := s.Cases(ctx)
	if err != nil {
		return planned{}, err
	}
	for _, k := range cases {
		r := k.Request
		if r.Kind != ledger.RequestCharter || r.Charter != s.charter.CID() || r.By != s.charter.Owner {
			continue
		}
		next, err := ledger.VerifyNextCharter(k.papers.successor, s.charter)
		if err != nil {
			continue
		}
		same, err := alike(next, want)
		if err != nil {
			return planned{}, err
		}
		if request.Defined() && r.CID() != request || request.IsZero() && (!same || !k.State.Open()) {
			continue
		}
		waits, err := ledger.CheckLowering(s.chain.Base(), s.charter, next)
		return planned{signed: k.papers.successor, next: next, waits: waits, lowers: s.lowers(next), request: r.CID()}, err
	}
	if request.Defined() {
		return planned{}, fmt.Errorf("%w: %.8s asks for no change of the charter in force", ledger.ErrUnknownRequest, request.Hex())
	}
	return planned{}, nil
}
