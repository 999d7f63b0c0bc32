package repair

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/custody"
	"holdfast/ledger/ledgertest"
	"holdfast/p2p/shardrpc"
	"holdfast/p2p/shardrpc/shardrpctest"
	"holdfast/store"
)

// site is a vault on a network of holders in memory, whose members keep placements in a
// list.
type site struct {
	t       *testing.T
	net     *shardrpctest.Network
	charter ledger.Charter

	mu          sync.Mutex
	descriptors map[ident.CID]shardrpctest.Segment
	members     int // that keep what they are given
	could       int // keep it at most
	placed      []ledger.Receipt
	results     []Result
}

// newSite makes a vault whose holders are so many nodes.
func newSite(t *testing.T, nodes int) *site {
	v := ledgertest.NewVault("repair", 4)
	s := &site{t: t, descriptors: map[ident.CID]shardrpctest.Segment{}, members: 4, could: 4}
	c := v.Draft("repair")
	s.net = shardrpctest.NewNetwork(t, nodes, shardrpctest.Config{
		Name: c.Network, Vault: v.ID(), Credential: shardrpc.Credential{Charter: v.Signed}, Now: ledgertest.Start,
	})
	s.charter = v.Charter
	for _, n := range s.net.Nodes {
		s.charter.Admitted = append(s.charter.Admitted, n.Operator.Public())
	}
	slices.SortFunc(s.charter.Admitted, ident.PublicKey.Compare)
	return s
}

func (s *site) Charter() ledger.Charter { return s.charter }

func (s *site) Descriptor(_ context.Context, segment ident.CID) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.descriptors[segment].Descriptor, nil
}

func (s *site) Holder(node ident.PublicKey) shardrpc.Holder { return s.net.Holder(node) }

func (s *site) Certificate(_ context.Context, node ident.PublicKey) (ident.Signed, error) {
	for _, n := range s.net.Nodes {
		if n.Key.Public() == node {
			return n.Certificate, nil
		}
	}
	return ident.Signed{}, errors.New("no such node")
}

func (s *site) AddPlacement(_ context.Context, p ledger.Placement) (have, could int, err error) {
	r, _, err := p.Verify(s.charter)
	if err != nil {
		return 0, s.could, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.placed = append(s.placed, r)
	return s.members, s.could, nil
}

func (s *site) crew() *Crew {
	return NewCrew(Config{Log: slog.New(slog.DiscardHandler), Report: func(r Result) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.results = append(s.results, r)
	}})
}

// segment makes a segment and keeps its rows on the first nodes, but for some.
func (s *site) segment(seed uint64, lost ...int) shardrpctest.Segment {
	g := shardrpctest.NewSegment(s.t, code36, 100_000, seed)
	s.descriptors[g.Name()] = g
	for row := range g.Rows {
		if !slices.Contains(lost, row) {
			s.net.Nodes[row].Keep(s.t, s.net.Vault, g, row)
		}
	}
	return g
}

// job rebuilds rows of a segment onto nodes.
func (s *site) job(g shardrpctest.Segment, to map[int]int) Job {
	task := Task{Segment: custody.Segment{CID: g.Name(), Code: g.Parsed.Code(), RowSize: g.Parsed.RowSize(), Held: make([]int, len(g.Rows))}}
	for row := range g.Rows {
		if node, wanted := to[row]; wanted {
			task.To = append(task.To, Place{row, s.net.Nodes[node].Key.Public()})
		} else {
			task.From = append(task.From, Place{row, s.net.Nodes[row].Key.Public()})
		}
	}
	task.Sure = len(task.From)
	return Job{s, task}
}

// has checks that a node has a row, and reports it.
func (s *site) has(node int, g shardrpctest.Segment, row int) bool {
	s.t.Helper()
	sh, err := s.net.Nodes[node].Shelf.Open(s.t.Context(), store.Key{Vault: s.net.Vault, Segment: g.Name(), Index: row})
	if errors.Is(err, store.ErrNotFound) {
		return false
	}
	if err != nil {
		s.t.Fatal(err)
	}
	defer sh.Close()
	var got bytes.Buffer
	if _, err := sh.WriteTo(&got); err != nil || !bytes.Equal(got.Bytes(), g.Rows[row]) {
		s.t.Fatalf("row %d is another, %v", row, err)
	}
	return true
}

// result is what became of the only job.
func (s *site) result() Result {
	s.t.Helper()
	if len(s.results) != 1 {
		s.t.Fatalf("%d results, want 1", len(s.results))
	}
	return s.results[0]
}

// recorded lists the rows that members have as placed, by node.
func (s *site) recorded() (rows []Place) {
	for _, r := range s.placed {
		for _, sh := range r.Shards {
			rows = append(rows, Place{int(sh.Index), r.Node})
		}
	}
	return rows
}

func never() <-chan struct{} { return nil }

func TestRebuildAndRecord(t *testing.T) {
	s := newSite(t, 8)
	g := s.segment(1, 2, 4)
	j := s.job(g, map[int]int{2: 6, 4: 7})
	s.crew().Work(t.Context(), []Job{j}, never())
	if r := s.result(); r.Err != nil || r.Rows != 2 {
		t.Fatalf("%d rows, %v", r.Rows, r.Err)
	}
	if !s.has(6, g, 2) || !s.has(7, g, 4) {
		t.Error("a row is not there")
	}
	rows := s.recorded()
	slices.SortFunc(rows, func(a, b Place) int { return a.Row - b.Row })
	if !slices.Equal(rows, j.To) {
		t.Errorf("recorded %v, want %v", rows, j.To)
	}
}

// Whatever one source does, others make up for it; whoever sends wrong bytes too.
func TestRebuildInSpiteOfASource(t *testing.T) {
	for _, fault := range shardrpctest.Faults() {
		t.Run(fault.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, 8)
				g := s.segment(1, 5)
				j := s.job(g, map[int]int{5: 7})
				s.net.Nodes[s.crew().order(j)[0].Row].Break(fault)
				s.crew().Work(t.Context(), []Job{j}, never())
				if r := s.result(); r.Err != nil || !s.has(7, g, 5) {
					t.Errorf("%v", r.Err)
				}
			})
		})
	}
}

// Of a new holder that does not take the row, or cannot show it, nothing is recorded;
// what goes to others is.
func TestNewHolderThatFails(t *testing.T) {
	for _, fault := range shardrpctest.Faults() {
		if fault == shardrpctest.Slow || fault == shardrpctest.WrongSize {
			continue // they take rows, and give short answers, as others do
		}
		t.Run(fault.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, 8)
				g := s.segment(1, 2, 5)
				s.net.Nodes[7].Break(fault)
				s.crew().Work(t.Context(), []Job{s.job(g, map[int]int{2: 6, 5: 7})}, never())
				r := s.result()
				var at *TargetError
				if !errors.As(r.Err, &at) || at.Node != s.net.Nodes[7].Key.Public() || r.Rows != 1 {
					t.Errorf("%d rows, %v", r.Rows, r.Err)
				}
				if rows := s.recorded(); len(rows) != 1 || rows[0].Row != 2 {
					t.Errorf("recorded %v", rows)
				}
			})
		})
	}
}

// A steward that was killed after its put is followed by one that sends nothing again.
func TestWhatIsThereIsNotSentAgain(t *testing.T) {
	s := newSite(t, 8)
	g := s.segment(1, 2)
	s.net.Nodes[6].Keep(t, s.net.Vault, g, 2)
	s.crew().Work(t.Context(), []Job{s.job(g, map[int]int{2: 6})}, never())
	if r := s.result(); r.Err != nil || r.Rows != 1 || len(s.recorded()) != 1 {
		t.Errorf("%d rows, %v, recorded %v", r.Rows, r.Err, s.recorded())
	}
	for i, n := range s.net.Nodes {
		if n.Puts()+n.Gets() != 0 {
			t.Errorf("node %d was sent %d rows and asked for %d", i, n.Puts(), n.Gets())
		}
	}
}

func TestTooFewSources(t *testing.T) {
	s := newSite(t, 8)
	g := s.segment(1, 0, 1, 2, 5)
	s.crew().Work(t.Context(), []Job{s.job(g, map[int]int{5: 7})}, never())
	if r := s.result(); !errors.Is(r.Err, ErrSources) || !errors.Is(r.Err, shardrpc.ErrNotFound) || len(s.placed) != 0 {
		t.Errorf("%v", r.Err)
	}
}

// A writer whose parity is not that of his data: whatever is wrong is his, and nothing
// of it is put anywhere.
func TestIllCoded(t *testing.T) {
	s := newSite(t, 8)
	good, bad := shardrpctest.NewSegment(t, code36, 100_000, 1), shardrpctest.NewSegment(t, code36, 100_000, 2)
	coder, err := erasure.NewCoder(code36)
	if err != nil {
		t.Fatal(err)
	}
	g := shardrpctest.Segment{Rows: append(slices.Clone(good.Rows[:5]), bad.Rows[5])}
	if g.Parsed, err = coder.Describe(g.Rows, 100_000); err != nil {
		t.Fatal(err)
	}
	g.Descriptor = g.Parsed.Encode()
	s.descriptors[g.Name()] = g
	for row := range 5 {
		s.net.Nodes[row].Keep(t, s.net.Vault, g, row)
	}
	s.crew().Work(t.Context(), []Job{s.job(g, map[int]int{5: 7})}, never())
	if r := s.result(); !errors.Is(r.Err, ErrIllCoded) || s.net.Nodes[7].Puts() != 0 || len(s.placed) != 0 {
		t.Errorf("%v", r.Err)
	}
}

// A move copies one row, and asks nobody else.
func TestMoveCopies(t *testing.T) {
	s := newSite(t, 8)
	g := s.segment(1)
	j := s.job(g, map[int]int{3: 7})
	j.Move, j.From, j.Sure = true, []Place{{3, s.net.Nodes[3].Key.Public()}}, 1
	s.crew().Work(t.Context(), []Job{j}, never())
	if r := s.result(); r.Err != nil || !s.has(7, g, 3) || !s.has(3, g, 3) {
		t.Errorf("%v", r.Err)
	}
	for i, n := range s.net.Nodes {
		if want := int64(0); i != 3 && n.Gets() != want {
			t.Errorf("node %d was asked", i)
		}
	}
	s.results = nil
	s.net.Nodes[3].Break(shardrpctest.WrongBytes)
	j.To[0].Node = s.net.Nodes[6].Key.Public()
	s.crew().Work(t.Context(), []Job{j}, never())
	if r := s.result(); !errors.Is(r.Err, ErrSources) || !errors.Is(r.Err, shardrpc.ErrLied) || s.has(6, g, 3) {
		t.Errorf("of a liar: %v", r.Err)
	}
}

// A row that its holder cannot show keeps no other from being moved.
func TestMoveOfWhatCanBeHad(t *testing.T) {
	s := newSite(t, 8)
	g := s.segment(1)
	j := s.job(g, map[int]int{2: 6, 3: 7})
	j.Move, j.From, j.Sure = true, []Place{{2, s.net.Nodes[2].Key.Public()}, {3, s.net.Nodes[3].Key.Public()}}, 2
	s.net.Nodes[2].Break(shardrpctest.WrongBytes)
	s.crew().Work(t.Context(), []Job{j}, never())
	r := s.result()
	if !errors.Is(r.Err, ErrSources) || r.Rows != 1 || !s.has(7, g, 3) || s.has(6, g, 2) {
		t.Errorf("%d rows, %v", r.Rows, r.Err)
	}
}

// SPEC: done when q hold it. Of 4 members 3 must; where no more than two can, because
// the others have lost their ledgers, two are enough for a row that was lost, and never
// for one that is moved. One may be a liar.
func TestHowManyMembers(t *testing.T) {
	for _, c := range []struct {
		have, could int
		move        bool
		want        error
	}{
		{4, 4, false, nil}, {3, 4, false, nil}, {2, 4, false, ErrFewMembers}, {2, 3, false, ErrFewMembers},
		{2, 2, false, nil}, {1, 1, false, ErrFewMembers}, {0, 0, false, ErrFewMembers},
		{3, 4, true, nil}, {2, 2, true, ErrFewMembers}, {3, 3, true, nil},
	} {
		s := newSite(t, 8)
		s.members, s.could = c.have, c.could
		g := s.segment(1)
		j := s.job(g, map[int]int{2: 6})
		if j.Move = c.move; c.move {
			j.From = []Place{{2, s.net.Nodes[2].Key.Public()}}
		}
		s.crew().Work(t.Context(), []Job{j}, never())
		r := s.result()
		if !errors.Is(r.Err, c.want) || (r.Err == nil) != (c.want == nil) || (r.Rows == 1) != (c.want == nil) {
			t.Errorf("%d of %d members, moved %v: %d rows, %v", c.have, c.could, c.move, r.Rows, r.Err)
		}
	}
}

// Rows that nobody had ever held are counted as completed.
func TestCompletedRowsAreCounted(t *testing.T) {
	s := newSite(t, 8)
	j := s.job(s.segment(1, 2, 4), map[int]int{2: 6, 4: 7})
	j.Segment.Held[4] = custody.Nowhere
	s.crew().Work(t.Context(), []Job{j}, never())
	if r := s.result(); r.Err != nil || r.Rows != 2 || r.Completed != 1 {
		t.Errorf("%d rows, %d completed, %v", r.Rows, r.Completed, r.Err)
	}
}

// Many segments share a few receipts.
func TestReceiptsNameManyShards(t *testing.T) {
	s := newSite(t, 8)
	var jobs []Job
	const segments = 2*batchShards + 10
	for i := range segments {
		jobs = append(jobs, s.job(s.segment(uint64(i), 2), map[int]int{2: 6}))
	}
	s.crew().Work(t.Context(), jobs, never())
	for _, r := range s.results {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
	}
	if len(s.results) != segments || len(s.recorded()) != segments || len(s.placed) > 8 || len(s.placed) < 3 {
		t.Errorf("%d results, %d rows in %d receipts", len(s.results), len(s.recorded()), len(s.placed))
	}
}

// A batch that does not fill is sent off all the same, while other jobs still run.
func TestReceiptsDoNotWaitForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 8)
		quick, slow := s.segment(1, 2), s.segment(2, 2)
		s.net.Nodes[7].Delay(time.Minute)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			s.crew().Work(ctx, []Job{s.job(quick, map[int]int{2: 6}), s.job(slow, map[int]int{2: 7})}, never())
		}()
		time.Sleep(batchWait + time.Second)
		synctest.Wait()
		s.mu.Lock()
		if len(s.results) != 1 || s.results[0].Err != nil {
			t.Errorf("results %v", s.results)
		}
		s.mu.Unlock()
		cancel()
		<-done
	})
}

// The rows in memory are bounded, and still a segment larger than that gets its turn.
func TestMemoryIsBounded(t *testing.T) {
	s := newSite(t, 8)
	c := s.crew()
	c.Memory = 1
	*c = *NewCrew(c.Config)
	var jobs []Job
	for i := range 5 {
		jobs = append(jobs, s.job(s.segment(uint64(i), 2), map[int]int{2: 6}))
	}
	c.Work(t.Context(), jobs, never())
	if len(s.results) != 5 {
		t.Errorf("%d results", len(s.results))
	}
	if n := jobs[0].footprint(); n != 4*jobs[0].Segment.RowSize {
		t.Errorf("a job of k = 3 and one row takes %d rows", n/jobs[0].Segment.RowSize)
	}
}

// A crew that is told of a newer plan begins nothing more, and ends what it has begun.
func TestANewerPlan(t *testing.T) {
	s := newSite(t, 8)
	soon := make(chan struct{})
	close(soon)
	s.crew().Work(t.Context(), []Job{s.job(s.segment(1, 2), map[int]int{2: 6})}, soon)
	if len(s.results) != 0 {
		t.Errorf("results %v", s.results)
	}
}

// A crew whose sources, or whose sources and targets, are silent ends with its context,
// and leaves no goroutine of its own behind. The holders' handlers do live on until their
// network is closed: they have nothing to write, and so do not see that they are no
// longer heard.
func TestWorkEndsWithItsContext(t *testing.T) {
	handlers := goleak.IgnoreAnyFunction("holdfast/p2p/rpc/pipenet.(*Host).accept.func1")
	for _, silent := range []int{6, 8} {
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t, 8)
			for _, n := range s.net.Nodes[:silent] {
				n.Break(shardrpctest.Silent)
			}
			var jobs []Job
			for i := range 40 {
				jobs = append(jobs, s.job(s.segment(uint64(i), 2), map[int]int{2: 6}))
			}
			defer goleak.VerifyNone(t, goleak.IgnoreCurrent(), handlers)
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() {
				defer close(done)
				s.crew().Work(ctx, jobs, never())
			}()
			synctest.Wait() // a job in each slot waits for an answer, the next for a slot
			cancel()
			<-done
			if len(s.results) != atOnce {
				t.Errorf("%d jobs were begun and reported, not %d", len(s.results), atOnce)
			}
			for _, r := range s.results {
				if r.Err == nil {
					t.Error("a job succeeded")
				}
			}
		})
	}
}

// SPEC: repair_rate: bytes a second, read and written. A rebuild of one row of code 3/6
// reads three and writes one.
func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 8)
		g := s.segment(1, 2)
		c := s.crew()
		c.Rate = g.Parsed.RowSize()
		c = NewCrew(c.Config)
		var read, written int64
		c.Moved = func(r, w int64) {
			s.mu.Lock()
			defer s.mu.Unlock()
			read, written = read+r, written+w
		}
		began := time.Now()
		c.Work(t.Context(), []Job{s.job(g, map[int]int{2: 6})}, never())
		row := g.Parsed.RowSize()
		if took := time.Since(began); took < 3*time.Second || took > 4*time.Second || read != 3*row || written != row {
			t.Errorf("%v, %d bytes read, %d written", took, read, written)
		}
	})
}

// Who waits for his own budget takes no holder for slow, and spends it on no more rows than
// it takes: three to read and one to write.
func TestASmallRateAsksForNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 8)
		g := s.segment(1, 2)
		c := s.crew()
		c.Rate = g.Parsed.RowSize() / 10
		began := time.Now()
		NewCrew(c.Config).Work(t.Context(), []Job{s.job(g, map[int]int{2: 6})}, never())
		if r, took := s.result(), time.Since(began); r.Err != nil || took > 45*time.Second {
			t.Errorf("it took %v, %v", took, r.Err)
		}
	})
}
