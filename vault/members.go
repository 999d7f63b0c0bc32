package vault

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p/ledgerrpc"
)

// How long members are waited for.
const (
	askLimit   = 10 * time.Second // for a small answer
	askGrace   = 300 * time.Millisecond
	writeLimit = 60 * time.Second // for a vote or an ack
	writeGrace = 5 * time.Second  // exit 0 wants all members; this long the late ones may take
)

// What can go wrong between a device and the members.
var (
	ErrNetwork  = errors.New("network out of reach")
	ErrNoQuorum = errors.New("too few members answered")
	ErrFork     = errors.New("a member showed something that contradicts the vault's history")
)

// Standing says how sure a reader can be of the newest heads.
type Standing struct {
	Freshness ledger.Freshness
	Answers   int // members that answered
	Members   int
	Silent    []string // names of those that did not
	Older     []string // lanes of which an older head was seen than this machine remembers
}

// askHeads asks all members of the newest charter for their heads with a fresh nonce.
// One who signs under another charter is asked for that as well.
func (s *Session) askHeads(ctx context.Context) ([]answer[ledger.Heads], Standing, error) {
	for {
		answers, newest, err := s.askHeadsOnce(ctx)
		if err != nil {
			return nil, Standing{}, err
		}
		if newest.Len() <= s.chain.Len() && succeeded(answers) == 0 {
			newest = s.followAnybody(ctx)
		}
		if newest.Len() <= s.chain.Len() {
			return s.weigh(answers)
		}
		if err := s.setChain(ctx, newest); err != nil {
			return nil, Standing{}, err
		}
	}
}

// askHeadsOnce asks the members of the charter that this machine knows, and returns the
// longest chain of charters that they have shown.
func (s *Session) askHeadsOnce(ctx context.Context) ([]answer[ledger.Heads], ledger.Chain, error) {
	var nonce [16]byte
	if _, err := rand.Read(nonce[:]); err != nil {
		return nil, ledger.Chain{}, err
	}
	var mu sync.Mutex
	newest := s.chain
	wait := quorumWait{Enough: len(s.charter.Members), Grace: askGrace, Limit: askLimit}
	answers := gather(ctx, s.charter.Members, wait, func(ctx context.Context, m ledger.Member) (ledger.Heads, error) {
		h, err := s.headsOf(ctx, m, nonce)
		if err == nil && h.Charter != s.charter.CID() {
			err = fmt.Errorf("heads of %s: %w", m.Name, ledger.ErrCharter)
		}
		if err != nil && moved(err) {
			chain := s.after(ctx, m.Node)
			mu.Lock()
			defer mu.Unlock()
			newest = longest(newest, chain)
		}
		return h, err
	})
	return answers, newest, nil
}

func (s *Session) headsOf(ctx context.Context, m ledger.Member, nonce [16]byte) (ledger.Heads, error) {
	signed, err := s.member(m).Heads(ctx, s.vault, nonce)
	if err != nil {
		return ledger.Heads{}, err
	}
	return ledger.VerifyHeads(signed, s.charter, m, nonce)
}

// weigh says how much the answers of members are worth.
func (s *Session) weigh(answers []answer[ledger.Heads]) ([]answer[ledger.Heads], Standing, error) {
	n := len(s.charter.Members)
	st := Standing{Answers: succeeded(answers), Members: n}
	st.Freshness = ledger.Judge(n, st.Answers)
	for _, a := range answers {
		if a.Err != nil {
			st.Silent = append(st.Silent, a.Member.Name)
		}
	}
	if st.Answers == 0 {
		return nil, st, fmt.Errorf("ask members for their heads: %w: %w", ErrNetwork, noneAnswers(answers))
	}
	return answers, st, nil
}

// noneAnswers says so, and the first member's error.
func noneAnswers[T any](answers []answer[T]) error {
	return fmt.Errorf("none of %d members answers; the first: %w", len(answers), firstError(answers))
}

func firstError[T any](answers []answer[T]) error {
	for _, a := range answers {
		if a.Err != nil {
			return a.Err
		}
	}
	return nil
}

// claim is a head that members say they have.
type claim struct {
	height int64
	entry  ident.CID
	by     []ledger.Member
}

// highest returns, for each lane, the greatest height that a member claims, and who
// claims it.
func highest(answers []answer[ledger.Heads]) map[ident.PublicKey]claim {
	out := map[ident.PublicKey]claim{}
	for _, a := range answers {
		if a.Err != nil {
			continue
		}
		for _, l := range a.Value.Lanes {
			c := out[l.Lane]
			switch {
			case l.Height > c.height:
				out[l.Lane] = claim{l.Height, l.Entry, []ledger.Member{a.Member}}
			case l.Height == c.height && l.Height > 0:
				c.by = append(c.by, a.Member)
				out[l.Lane] = c
			}
		}
	}
	return out
}

// Sync brings this machine's view of the vault up to what the members answer, and
// says how sure that is. Every link is verified from the charter on; the DHT and the
// cache decide nothing.
func (s *Session) Sync(ctx context.Context) (Standing, error) {
	if !s.joined {
		s.joined = true
		if err := s.host.Start(ctx); err != nil { // it keeps trying; the answers decide
			s.options.Log.Debug("no bootstrap node answers yet", "error", err)
		}
	}
	released := s.council().askReleased(ctx, s.releases)
	moved := s.askMoves(ctx)
	answers, st, err := s.askHeads(ctx)
	shown, moves := released(), moved()
	if err != nil {
		return st, err
	}
	if err := s.follow(ctx, answers); err != nil {
		return st, err
	}
	claims := highest(answers)
	// The owner's lane says whose the other lanes are.
	if err := s.pullLane(ctx, s.charter.Owner, claims[s.charter.Owner]); err != nil {
		return st, err
	}
	for lane, c := range claims {
		if lane != s.charter.Owner {
			if err := s.pullLane(ctx, lane, c); err != nil {
				return st, err
			}
		}
	}
	done, err := s.completeCharter(ctx)
	if err != nil {
		s.warn("a change of the charter is under way and could not be completed: %v", err)
	}
	if done {
		return s.Sync(ctx)
	}
	if err := s.takeEnrolment(); err != nil {
		return st, err
	}
	s.takeReleased(ctx, shown)
	s.takeMoves(ctx, moves)
	s.complete(ctx, answers)
	s.settle()
	st.Older, err = s.home.remember(s.profile.Name, s.history.heads())
	s.heard = answers
	return st, err
}

// pullLane fetches the links of a lane that are not here yet, from whoever claims to
// have them. A claim that nobody can prove counts for nothing.
func (s *Session) pullLane(ctx context.Context, lane ident.PublicKey, c claim) error {
	var failed error
	revoked := 0
	for _, m := range c.by {
		if s.history.height(lane) >= c.height {
			return nil
		}
		err := s.pullFrom(ctx, m, lane, c.height)
		if err != nil && ctx.Err() != nil {
			return err
		}
		if errors.Is(err, ledger.ErrRevoked) {
			revoked++
		}
		failed = errors.Join(failed, err)
	}
	if s.history.height(lane) >= c.height || failed == nil {
		return nil
	}
	if err := s.revokedBy(revoked); err != nil {
		return err
	}
	s.warn("a head that %d members claim could not be proved: %v", len(c.by), failed)
	return nil
}

func (s *Session) pullFrom(ctx context.Context, m ledger.Member, lane ident.PublicKey, to int64) error {
	for s.history.height(lane) < to {
		from := s.history.height(lane) + 1
		links, err := s.member(m).Links(ctx, s.vault, lane, from, ledgerrpc.MaxLinks)
		if err != nil {
			return fmt.Errorf("fetch entries from %s: %w", m.Name, err)
		}
		if len(links) == 0 {
			return fmt.Errorf("fetch entries from %s: %w: none above %d", m.Name, ErrFork, from-1)
		}
		if l, err := s.verifyLink(links[0]); err == nil && s.history.next(l.Entry) != nil {
			if err := s.replaceHead(ctx, m, lane); err != nil {
				return fmt.Errorf("fetch entries from %s: %w", m.Name, err)
			}
		}
		if err := s.takePage(ctx, lane, links, &m); err != nil {
			return fmt.Errorf("verify entry from %s: %w", m.Name, err)
		}
	}
	return nil
}

// complete hands what a quorum may not have to the members that lack it, so that
// what this reader acts on is final.
func (s *Session) complete(ctx context.Context, answers []answer[ledger.Heads]) {
	for lane, height := range s.history.heights() {
		have := 0
		var behind []answer[ledger.Heads]
		for _, a := range answers {
			if a.Err != nil {
				continue
			}
			if s.agrees(a.Value.Lane(lane)) && laneHeight(a.Value, lane) >= height {
				have++
			} else {
				behind = append(behind, a)
			}
		}
		if have >= ledger.Quorum(len(s.charter.Members)) {
			continue
		}
		for _, a := range behind {
			if err := s.catchUp(ctx, a.Member, lane, s.below(a.Value.Lane(lane))); err != nil {
				s.warn("%s could not be brought up to date: %v", a.Member.Name, err)
			}
		}
	}
}

func laneHeight(h ledger.Heads, lane ident.PublicKey) int64 { return h.Lane(lane).Height }

// below returns the height up to which a member needs nothing of a lane.
func (s *Session) below(l ledger.LaneHead) int64 {
	if s.agrees(l) {
		return l.Height
	}
	return l.Height - 1
}

// catchUp sends a member the links of a lane above a height, with their bodies.
func (s *Session) catchUp(ctx context.Context, m ledger.Member, lane ident.PublicKey, above int64) error {
	for _, l := range s.history.above(lane, above) {
		if err := s.handOver(ctx, m, l); err != nil {
			return err
		}
	}
	return nil
}

// handOver sends a member one link with its body.
func (s *Session) handOver(ctx context.Context, m ledger.Member, l Link) error {
	if link, ok := s.succession(l.CID); ok {
		return s.adopt(ctx, m, link)
	}
	body, err := s.Body(ctx, l)
	if err != nil {
		return err
	}
	link, err := s.encodedLink(ctx, l)
	if err != nil {
		return err
	}
	return s.member(m).Adopt(ctx, s.vault, link, body)
}

// headOf returns the height at which a member that is behind says that its lane ends.
func headOf(err error) int64 {
	var at *ledgerrpc.HeadError
	if errors.As(err, &at) {
		return at.Height
	}
	return 0
}

// encodedLink returns an entry with its certificate as it came, from the cache or
// from a member.
func (s *Session) encodedLink(ctx context.Context, l Link) ([]byte, error) {
	is := func(p []byte) bool {
		got, err := s.verifyLink(p)
		return err == nil && got.CID == l.CID
	}
	if p := s.history.cached(l.Entry.Lane, l.Entry.Height); p != nil && is(p) {
		return p, nil
	}
	var failed error
	for _, m := range s.charter.Members {
		links, err := s.member(m).Links(ctx, s.vault, l.Entry.Lane, l.Entry.Height, 1)
		if err == nil && len(links) == 1 && is(links[0]) {
			return links[0], nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		failed = errors.Join(failed, err)
	}
	return nil, fmt.Errorf("fetch entry %.8s: %w: %w", l.CID.Hex(), ErrNetwork, failed)
}

// Body returns an entry's body, from the cache or from a member, checked by its CID.
func (s *Session) Body(ctx context.Context, l Link) ([]byte, error) {
	if p, ok := s.history.body(l); ok {
		return p, nil
	}
	var failed error
	revoked := 0
	for _, m := range s.readiest() {
		p, err := s.member(m).Body(ctx, s.vault, l.Entry.Body)
		if err == nil && ident.SumDagCBOR(p) != l.Entry.Body {
			err = fmt.Errorf("%s: %w", m.Name, ErrFork)
		}
		if err == nil {
			s.history.keepBody(l, p)
			return p, nil
		}
		if ctx.Err() != nil {
			return nil, err
		}
		if errors.Is(err, ledger.ErrRevoked) {
			revoked++
		}
		failed = errors.Join(failed, err)
	}
	if err := s.revokedBy(revoked); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("fetch body of entry %.8s: %w: %w", l.CID.Hex(), ErrNetwork, failed)
}

// readiest returns the members, those first that have answered the last Sync: one
// that is held costs as long as its deadlines are.
func (s *Session) readiest() []ledger.Member {
	silent := map[ident.PublicKey]bool{}
	for _, a := range s.heard {
		silent[a.Member.Node] = a.Err != nil
	}
	members := slices.Clone(s.charter.Members)
	slices.SortStableFunc(members, func(a, b ledger.Member) int {
		switch {
		case silent[a.Node] == silent[b.Node]:
			return 0
		case silent[a.Node]:
			return 1
		}
		return -1
	})
	return members
}

// member is one member's ledger as this device sees it.
func (s *Session) member(m ledger.Member) *ledgerrpc.Member {
	return s.members.Member(m.Node, s.profile.Grant)
}
