package schedule

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
	"holdfast/ledger/member"
)

// shop is a vault of four members: three real stores, and a liar's keys. Its schedules
// are those of a forger, each in a lane of its own; what is signed there is really signed,
// and what a member promises is really on a disk.
type shop struct {
	t      *testing.T
	vault  *ledgertest.Vault
	owner  *ledgertest.Lane
	stores []*member.Store
	dirs   []string
}

const liar = 3 // the member that has no store

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{t: t, vault: ledgertest.NewVault("schedule", 4)}
	s.owner = s.vault.OwnerLane()
	for i := range liar {
		s.dirs = append(s.dirs, t.TempDir())
		s.stores = append(s.stores, nil)
		s.open(i)
		if _, err := s.stores[i].Accept(s.vault.Signed); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		for _, store := range s.stores {
			store.Close()
		}
	})
	return s
}

func (s *shop) open(i int) {
	s.t.Helper()
	m := s.vault.Members[i]
	store, err := member.Open(member.Config{Dir: s.dirs[i], Operator: m.Operator.Public(), Node: m.Node.Public(), Vote: m.Vote, Now: ledgertest.Start})
	if err != nil {
		s.t.Fatal(err)
	}
	s.stores[i] = store
}

// crash opens what a killed process would have left: the files as they are now.
func (s *shop) crash(i int) {
	s.t.Helper()
	dir := s.t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(s.dirs[i])); err != nil {
		s.t.Fatal(err)
	}
	if err := errors.Join(s.stores[i].Close(), os.RemoveAll(s.dirs[i])); err != nil {
		s.t.Fatal(err)
	}
	s.dirs[i] = dir
	s.open(i)
}

// device enrols a device, and returns its lane.
func (s *shop) device(name string) *ledgertest.Lane {
	s.t.Helper()
	lane := s.vault.Lane(ledgertest.Key(name))
	step := s.owner.Enrol(s.vault.Grant(lane.Key, ledger.Append))
	var votes []ident.Signed
	for _, store := range s.stores {
		votes = append(votes, must(store.Propose(s.vault.ID(), step.Proposal, step.Signed, step.Body)))
	}
	cert := must(ledger.NewCertificate(votes, s.vault.Charter))
	for _, store := range s.stores {
		must(store.Certify(s.vault.ID(), cert))
	}
	s.owner.Advance(step)
	return lane
}

// papers is one schedule's signed objects, by the facts that they are.
type papers struct {
	*shop
	lane  *ledgertest.Lane
	steps map[int]ledgertest.Step // entry -> what its writer sends
	lanes map[int]*ledgertest.Lane
	votes map[subject]map[int]ident.Signed
	acks  map[subject]map[int]ident.Signed
	words map[report]ident.Signed
}

// step makes an entry for real.
func (p *papers) step(f *facts, id int) ledgertest.Step {
	if step, ok := p.steps[id]; ok {
		return step
	}
	l := *p.lane
	if prev := f.entries[id].prev; prev != 0 {
		below := p.step(f, prev)
		l = *p.lanes[prev]
		l.Advance(below)
	}
	p.lanes[id] = &l
	p.steps[id] = l.Snapshot(fmt.Sprint("entry ", id), 1)
	return p.steps[id]
}

func (p *papers) place(f *facts, s place, id int) ledger.Place {
	at := p.step(f, id).Propose().Place
	at.Attempt = s.attempt
	return at
}

// certificate puts a certificate together, with the liar's vote.
func (p *papers) certificate(f *facts, s subject) []byte {
	votes := []ident.Signed{p.vault.Members[liar].VoteAt(p.step(f, s.entry), s.attempt)}
	for _, v := range p.votes[s] {
		votes = append(votes, v)
	}
	return must(ledger.NewCertificate(votes, p.vault.Charter))
}

// reports chooses those that allow an entry, as facts.allowed does, with the liar's.
func (p *papers) reports(f *facts, s subject, bound int) []ident.Signed {
	mine := f.highest(s.place, s.entry)
	lie := ledger.Report{Place: p.place(f, s.place, s.entry), Operator: p.vault.Members[liar].Operator.Public()}
	if bound != 0 {
		lie.Highest = p.certificate(f, mine)
	}
	out := []ident.Signed{must(ledger.SignReport(p.vault.Members[liar].Vote, lie))}
	var chosen set
	for _, r := range f.reports[s.place] {
		h := r.highest
		fits := h.entry == 0 || bound != 0 && (h == mine || h.attempt < mine.attempt)
		if fits && !chosen.has(r.member) {
			chosen = chosen.with(r.member)
			out = append(out, p.words[r])
		}
	}
	return out
}

// proof is the acks of a quorum for an entry, at one place.
func (p *papers) proof(f *facts, id int) []ident.Signed {
	s := f.final[height{f.entries[id].lane, f.entries[id].height}]
	liar := p.vault.Members[liar]
	out := []ident.Signed{must(ledger.SignAck(liar.Vote, ledger.Ack{Place: p.place(f, s.place, id), Entry: p.step(f, id).Entry.CID(), Operator: liar.Operator.Public()}))}
	for _, a := range p.acks[s] {
		out = append(out, a)
	}
	return out
}

// clerk is one real member.
type clerk struct {
	*papers
	facts *facts
	i     int
}

func (c clerk) vote(f *facts, s subject, bound int, final bool) error {
	step := c.step(f, s.entry)
	proposal := ledger.Proposal{Place: c.place(f, s.place, s.entry), Entry: step.Entry.CID()}
	if s.attempt > 0 {
		proposal.Reports = c.reports(f, s, bound)
	}
	if final {
		proposal.Acks = c.proof(f, f.entries[s.entry].prev)
	}
	vote, err := c.stores[c.i].Propose(c.vault.ID(), must(ledger.SignProposal(c.lane.Key, proposal)), step.Signed, step.Body)
	if err != nil {
		return c.expected(err)
	}
	if c.votes[s] == nil {
		c.votes[s] = map[int]ident.Signed{}
	}
	c.votes[s][c.i] = vote
	return nil
}

func (c clerk) report(_ int, p place) (report, error) {
	at := ledger.Place{Vault: c.vault.ID(), Charter: c.vault.Charter.CID(), Lane: c.lane.Key.Public(), Height: p.height, Attempt: p.attempt}
	signed, err := c.stores[c.i].Report(c.vault.ID(), must(ledger.SignAttempt(c.lane.Key, ledger.Attempt{Place: at})))
	if err != nil {
		return report{}, c.expected(err)
	}
	r := report{place: p, member: c.i}
	word := must(ledger.VerifyReport(signed, c.vault.Charter))
	if cert, ok := word.Certificate(); ok {
		r.highest = subject{p.at(cert.Attempt), c.entry(cert.Entry)}
	}
	c.words[r] = signed
	return r, nil
}

// entry is the number of an entry.
func (c clerk) entry(id ident.CID) int {
	for n, step := range c.steps {
		if step.Entry.CID() == id {
			return n
		}
	}
	c.t.Fatalf("a report names entry %s, which nobody made", id)
	return 0
}

func (c clerk) take(f *facts, s subject, ack bool) error {
	cert, step := c.certificate(f, s), c.step(f, s.entry)
	link := ledger.Link{V: 1, Entry: step.Signed, Cert: cert, Body: step.Body}
	if !ack {
		return c.expected(c.stores[c.i].Adopt(c.vault.ID(), link))
	}
	signed, err := c.stores[c.i].Certify(c.vault.ID(), cert)
	if errors.Is(err, member.ErrUnknownEntry) {
		if err = c.stores[c.i].Adopt(c.vault.ID(), link); err == nil {
			signed, err = c.stores[c.i].Certify(c.vault.ID(), cert)
		}
	}
	if err != nil {
		return c.expected(err)
	}
	if c.acks[s] == nil {
		c.acks[s] = map[int]ident.Signed{}
	}
	c.acks[s][c.i] = signed
	return nil
}

// expected fails the test for what is no refusal of a lane.
func (c clerk) expected(err error) error {
	for _, refusal := range []error{
		nil, ledger.ErrStale, ledger.ErrBehind, ledger.ErrFork, ledger.ErrAttempt, ledger.ErrLocked, ledger.ErrUndecided,
		ledger.ErrMismatch, ledger.ErrIntroduced, member.ErrUnknownEntry,
	} {
		if errors.Is(err, refusal) {
			return err
		}
	}
	c.t.Fatalf("member %d: %v", c.i, err)
	return err
}

// TestForgedStores: a forger and a liar, against real stores that are killed now and then.
func TestForgedStores(t *testing.T) {
	t.Parallel()
	s := newSeed(t)
	count := min(*schedules/250, 900)
	if testing.Short() {
		count /= 4
	}
	shop, n := newShop(t), tally{}
	for i := range count {
		random := rand.New(rand.NewPCG(s, uint64(i)))
		w := newWorld(sound(4, 1), random)
		p := &papers{
			shop: shop, lane: shop.device(fmt.Sprint("device ", i)), steps: map[int]ledgertest.Step{}, lanes: map[int]*ledgertest.Lane{},
			votes: map[subject]map[int]ident.Signed{}, acks: map[subject]map[int]ident.Signed{}, words: map[report]ident.Signed{},
		}
		for m := range w.voters {
			w.voters[m] = clerk{p, w.facts, m}
		}
		g := forger{lanes: 1, heights: 1 + random.Int64N(2), tries: 2 + random.Int64N(2), forks: 2}
		for range 3 + random.IntN(6) {
			g.campaign(w)
			if random.IntN(40) == 0 {
				shop.crash(random.IntN(liar))
			}
		}
		n.add(w)
		if len(w.broken) > 0 {
			t.Fatalf("schedule %d: %v", i, w.broken)
		}
	}
	t.Logf("%d schedules: %+v", count, n)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
