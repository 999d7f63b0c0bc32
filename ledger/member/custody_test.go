package member_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/custody"
	"holdfast/ledger/ledgertest"
	"holdfast/ledger/member"
)

// agrees holds every store to what its bodies and receipts say.
func (w *world) agrees() {
	w.t.Helper()
	for i, s := range w.stores {
		if err := member.CheckCustody(s); err != nil {
			w.t.Fatalf("member %d: %v", i, err)
		}
	}
}

// history is a court to which anything happens that changes who holds what.
type history struct {
	*court
	random   *rand.Rand
	live     []ledgertest.Step // of the court's lane, none of it released
	released []ident.CID
}

// Whatever happens, a member's Map says what its entries, releases and receipts say: the
// one that is kept up to date, and one that is loaded.
func TestCustodyFollowsTheLedger(t *testing.T) {
	t.Parallel()
	h := &history{court: newCourt(t, atOnce), random: rand.New(rand.NewPCG(newSeed(t), 0))}
	steps := []struct {
		what string
		step func()
	}{
		{"add", h.addOne}, {"place", h.place}, {"place", h.place}, {"release", h.releaseOne}, {"undo", h.undoOne},
		{"replace", func() { h.replace(false) }}, {"replace by the same", func() { h.replace(true) }}, {"reopen", h.reopenOne},
	}
	h.addOne()
	h.addOne()
	for range 40 {
		s := steps[h.random.IntN(len(steps))]
		s.step()
		if t.Failed() {
			t.Fatal(s.what)
		}
		h.agrees()
	}
}

// addOne certifies a snapshot of which the last shards are with nobody.
func (h *history) addOne() {
	k := spare(h.lane, fmt.Sprint("snapshot ", h.lane.Height), 1+h.random.IntN(3))
	numbers := ledger.Spans{{First: h.lane.Count, Count: int64(len(k.Body.Segments))}}
	k.Source = [16]byte{1}
	k.Refs = ledger.Set{Lane: h.lane.Key.Public()}.With(h.lane.Key.Public(), ident.CID{}, numbers).Full()
	s := h.lane.Finish(k)
	h.run(h.lane, s)
	h.live = append(h.live, s)
}

// spare is a commit that is not with the last of four members.
func spare(l *ledgertest.Lane, tag string, segments int) *ledgertest.Commit {
	k := l.Commit(tag, segments)
	k.Holders = k.Holders[:3]
	for _, s := range k.Body.Segments {
		s.Placement[3] = ledger.Nowhere
	}
	k.Promise(l)
	return k
}

// place gives some shards to a member, at a time before or after other receipts.
func (h *history) place() {
	s := h.live[h.random.IntN(len(h.live))]
	var shards []ledger.ReceiptShard
	for i := range namesOf(s) {
		for j := range 4 {
			if h.random.IntN(3) == 0 {
				shards = append(shards, shard(s, i, j))
			}
		}
	}
	if len(shards) == 0 {
		return
	}
	m := h.random.IntN(4)
	receipt := h.moved(m, time.Duration(h.random.IntN(500))*time.Second, shards...)
	for i, store := range h.stores {
		if i == 0 || h.random.IntN(2) == 0 {
			if err := store.AddPlacement(h.id(), receipt, h.vault.Members[m].Certificate); err != nil {
				h.t.Fatal(err)
			}
		}
	}
}

func (h *history) releaseOne() {
	if len(h.live) < 3 {
		return
	}
	i := h.random.IntN(len(h.live) - 1)
	target := h.live[i]
	h.live = slices.Delete(h.live, i, i+1)
	request := h.ask(ledger.RequestRelease, target)
	h.opine(ledger.Approve, request, 0, 1)
	h.released = append(h.released, h.release(request, target.Segments()...))
}

func (h *history) undoOne() {
	if len(h.released) == 0 {
		return
	}
	i := h.random.IntN(len(h.released))
	release := h.released[i]
	h.released = slices.Delete(h.released, i, i+1)
	undo := h.vault.Undo(ledgertest.GuardianKey(2), release)
	var words []ident.Signed
	for _, s := range h.stores[:3] {
		words = append(words, must(s.Undo(h.id(), undo)))
	}
	cert, _, err := ledger.NewUndoCertificate(release, words, h.vault.Charter)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, s := range h.stores {
		if err := s.Undone(h.id(), cert); err != nil {
			h.t.Fatal(err)
		}
	}
}

// replace has a certificate, which one member alone has, replaced by that of another
// entry, which may bring the same segments.
func (h *history) replace(same bool) {
	l := h.device(fmt.Sprint("device ", h.owner.Height))
	first, second := l.Commit("one", 2), l.Commit("one", 2)
	if second.Body.Sealed = []byte("another"); !same {
		second = l.Commit("two", 1)
	}
	one, two := l.Finish(first), l.Finish(second)
	h.world.certify(h.voted(one, 0, 1, 2), 0)
	h.agrees()
	cert := h.again(l, two, 1, h.reports(l, two, 1, 1, 2, 3), 1, 2, 3)
	link := ledger.Link{V: 1, Entry: two.Signed, Cert: cert, Body: two.Body}
	for _, s := range h.stores {
		if err := s.Adopt(h.id(), link); err != nil {
			h.t.Fatal(err)
		}
	}
}

func (h *history) reopenOne() { h.restart(h.random.IntN(len(h.stores))) }

// A Map that was given out stays as it is.
func TestCustodyIsASnapshot(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4)
	lane := w.device("laptop")
	one := lane.Finish(spare(lane, "one", 2))
	w.run(lane, one)
	before := must(w.stores[0].Custody(w.id()))
	if again := must(w.stores[0].Custody(w.id())); again != before {
		t.Error("another Map, and nothing has changed")
	}
	if err := w.stores[0].AddPlacement(w.id(), w.moved(3, 0, shard(one, 0, 0)), w.vault.Members[3].Certificate); err != nil {
		t.Fatal(err)
	}
	w.run(lane, lane.Snapshot("two", 1))
	after := must(w.stores[0].Custody(w.id()))
	name := namesOf(one)[0]
	was, _ := before.Find(name)
	is, _ := after.Find(name)
	if before.Len() != 2 || after.Len() != 3 || before.Holders()[was.Held[0]].Node != w.vault.Members[0].Node.Public() ||
		after.Holders()[is.Held[0]].Node != w.vault.Members[3].Node.Public() {
		t.Errorf("%d and %d segments, shard 0 with %d and %d", before.Len(), after.Len(), was.Held[0], is.Held[0])
	}
	if r := after.Judge(nil); r.Worst.Margin() != 1 || r.Below != 2 || after.Withstands(nil) != 1 {
		t.Errorf("%+v, withstands %d", r, after.Withstands(nil))
	}
	if _, n := after.Law(0, 8); n != 0 {
		t.Errorf("%d violations of the law", n)
	}
}

// An operator who signs for every shard has got no more of them than one, and what was
// moved before by others has not come back to those who had it first.
func TestOneWhoClaimsAll(t *testing.T) {
	t.Parallel()
	w := &world{t: t, vault: ledgertest.NewVault("member", 6)}
	w.owner = w.vault.OwnerLane()
	w.dirs = []string{t.TempDir()}
	w.stores = []*member.Store{open(t, config(w.dirs[0], w.vault, 0))}
	must(w.stores[0].Accept(w.vault.Signed))
	watch(t, w.stores[0])
	lane := w.vault.Lane(ledgertest.Key("laptop"))
	enrol := w.owner.Enrol(w.vault.Grant(lane.Key, ledger.Append))
	k := lane.Commit("one", 1) // 3/6
	k.Holders = k.Holders[:4]
	k.Body.Segments[0].Placement[4], k.Body.Segments[0].Placement[5] = ledger.Nowhere, ledger.Nowhere
	k.Promise(lane)
	one := lane.Finish(k)
	for _, s := range []ledgertest.Step{enrol, one} {
		w.adopt(0, w.vault.Link(s))
	}
	add := func(m int, at time.Duration, rows ...int) {
		var shards []ledger.ReceiptShard
		for _, i := range rows {
			shards = append(shards, shard(one, 0, i))
		}
		if err := w.stores[0].AddPlacement(w.id(), w.moved(m, at, shards...), w.vault.Members[m].Certificate); err != nil {
			t.Fatal(err)
		}
		w.agrees()
	}
	add(4, 0, 1)                            // repaired
	add(5, time.Minute, 0, 1, 2, 3, 4, 5)   // the liar
	add(5, 2*time.Minute, 0, 1, 2, 3, 4, 5) // again
	var want []ident.PublicKey
	for _, i := range []int{5, 4, 2, 3} {
		want = append(want, w.vault.Members[i].Node.Public())
	}
	if got := places(w.stores[0], w.id(), namesOf(one)[0]); !slices.Equal(got[:4], want) || !got[4].IsZero() || !got[5].IsZero() {
		t.Errorf("with %v, not %v", got, want)
	}
}

// places returns the nodes that hold a segment's shards, no key for nobody.
func places(s *member.Store, vault, segment ident.CID) []ident.PublicKey {
	m := must(s.Custody(vault))
	found, _ := m.Find(segment)
	out := make([]ident.PublicKey, len(found.Held))
	for i, h := range found.Held {
		if h != custody.Nowhere {
			out[i] = m.Holders()[h].Node
		}
	}
	return out
}

// What a member signs about shards is what its Map says, with the time of the receipt.
func TestPlaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4)
	lane := w.device("laptop")
	one := lane.Finish(spare(lane, "one", 2))
	w.run(lane, one)
	strange := lane.Snapshot("strange", 1)
	names := namesOf(one)
	receipt := w.moved(3, time.Minute, shard(one, 1, 0))
	asked := []ledger.ShardName{{Segment: names[1]}, {Segment: names[0], Index: 1}, {Segment: names[0], Index: 9}, {Segment: namesOf(strange)[0]}}
	nonce := [16]byte{9}
	var answers []ledger.Placed
	for i, s := range w.stores {
		if err := s.AddPlacement(w.id(), receipt, w.vault.Members[3].Certificate); err != nil && i < 3 {
			t.Fatal(err)
		}
		a, err := ledger.VerifyPlaced(must(s.Placed(w.id(), nonce, asked)), w.vault.Charter, w.vault.Charter.Members[i], nonce, asked)
		if err != nil {
			t.Fatal(err)
		}
		answers = append(answers, a)
		want := []ledger.PlacedShard{
			{Segment: names[1], Node: w.vault.Members[3].Node.Public(), Time: ledger.Millis(ledgertest.Start().Add(time.Minute))},
			{Segment: names[0], Index: 1, Node: w.vault.Members[1].Node.Public()},
			{Segment: names[0], Index: 9},
			{Segment: namesOf(strange)[0]},
		}
		if !slices.Equal(a.Shards, want) {
			t.Errorf("member %d: %+v, not %+v", i, a.Shards, want)
		}
	}
	if node, ok := ledger.Moved(w.vault.Charter, answers, 0); !ok || node != w.vault.Members[3].Node.Public() {
		t.Errorf("moved to %v, %v", node, ok)
	}
	if node, ok := ledger.Moved(w.vault.Charter, answers, 3); ok {
		t.Errorf("a shard that nobody knows has moved to %v", node)
	}
}

// Members tell each other of later placements, in the order in which they got them, and
// again from the beginning when the order is another store's.
func TestMoves(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4)
	lane := w.device("laptop")
	one := lane.Finish(spare(lane, "one", 2))
	w.run(lane, one)
	from, to := w.stores[0], w.stores[1]
	add := func(m int, at time.Duration, shards ...ledger.ReceiptShard) ident.CID {
		receipt := w.moved(m, at, shards...)
		if err := from.AddPlacement(w.id(), receipt, w.vault.Members[m].Certificate); err != nil {
			t.Fatal(err)
		}
		return receipt.CID()
	}
	pull := func(at ledger.MovesCursor) (names []ident.CID, next ledger.MovesCursor) {
		for {
			list, next, err := from.Moves(w.id(), at)
			if err != nil {
				t.Fatal(err)
			}
			if len(list) == 0 {
				return names, next
			}
			for _, l := range list {
				if err := to.AdoptPlacement(w.id(), l); err != nil {
					t.Fatal(err)
				}
				names = append(names, l.Receipt.CID())
			}
			at = next
		}
	}
	first := add(3, 0, shard(one, 0, 0))
	second := add(2, time.Second, shard(one, 0, 3), shard(one, 1, 1))
	got, at := pull(ledger.MovesCursor{})
	if !slices.Equal(got, []ident.CID{first, second}) {
		t.Fatalf("%v", got)
	}
	third := add(3, 2*time.Second, shard(one, 0, 0))
	if got, at = pull(at); !slices.Equal(got, []ident.CID{third}) {
		t.Errorf("%v", got)
	}
	if got, _ = pull(at); len(got) != 0 {
		t.Errorf("%v again", got)
	}
	if got, _ = pull(ledger.MovesCursor{Store: [8]byte{1}, Next: 7}); !slices.Equal(got, []ident.CID{second, third}) {
		t.Errorf("from the beginning %v", got)
	}
	for _, name := range namesOf(one) {
		if a, b := places(from, w.id(), name), places(to, w.id(), name); !slices.Equal(a, b) {
			t.Errorf("with %v, and by what was pulled with %v", a, b)
		}
	}
	if err := to.SetPulled(w.id(), w.vault.Charter.Members[0].Operator, at); err != nil {
		t.Fatal(err)
	}
	if got := must(w.reopen(1).Pulled(w.id(), w.vault.Charter.Members[0].Operator)); got != at {
		t.Errorf("cursor %v, not %v", got, at)
	}
}

// A segment that two certified entries bring is the first one's: its placement counts, and
// with it the segment is released.
func TestCustodyOfASegmentTwice(t *testing.T) {
	t.Parallel()
	c := newCourt(t, atOnce)
	first := c.add("one", 2)
	c.add("last", 1)
	other := c.device("other")
	k := other.Commit("other", 1)
	k.Body.Segments = append(k.Body.Segments, must(ledger.ParseSnapshotBody(first.Body)).Segments...)
	for i := range k.Body.Segments {
		p := k.Body.Segments[i].Placement
		p[0], p[1] = p[1], p[0]
	}
	// No honest quorum votes for that. Who has not signed takes the certificate.
	if err := c.stores[3].Adopt(c.id(), c.vault.LinkOf(other.Finish(k), 0, 0, 1, 2)); err != nil {
		t.Fatal(err)
	}
	c.agrees()
	request := c.ask(ledger.RequestRelease, first)
	c.opine(ledger.Approve, request, 0, 1)
	c.release(request, namesOf(first)[0])
	c.agrees()
	c.restart(3)
	c.agrees()
	if n := must(c.stores[3].Custody(c.id())).Len(); n != 3 {
		t.Errorf("%d segments, not one of each entry", n)
	}
}

// Who is admitted no more claims nothing in the name of a charter that has a successor;
// what was given in its time is taken, by a member that was away too.
func TestReceiptsAfterTheirCharter(t *testing.T) {
	t.Parallel()
	c := newCourt(t)
	one := c.lane.Finish(spare(c.lane, "one", 2))
	c.run(c.lane, one)
	first := c.vault.Charter
	c.wait(day)
	c.succeed(c.renewal(0, 1, 2, 3), false, 0, 1, 2, 3)
	certified := c.now()
	c.wait(7 * day)
	take := func(after time.Duration, index int) error {
		m, when := c.vault.Members[3], ledger.Millis(certified.Add(after))
		receipt := must(ledger.SignReceipt(m.Vote, ledger.Receipt{
			Vault: c.id(), Charter: first.CID(), Device: ledgertest.Key("laptop").Public(), Node: m.Node.Public(),
			Shards: []ledger.ReceiptShard{shard(one, 0, index)}, Time: when, Until: when + 8*24*3600*1000,
		}))
		return c.stores[0].AdoptPlacement(c.id(), ledger.Placement{V: 1, Receipt: receipt, Cert: m.Certificate})
	}
	mustNot(t, take(-time.Hour, 0))
	mustNot(t, take(time.Hour, 1))
	wantErr(t, take(time.Hour+time.Second, 2), ledger.ErrReceipt)
	wantErr(t, take(7*day, 3), ledger.ErrReceipt)
	c.agrees()
}

// A member whose clock is behind takes nothing for worthless that only seems to be from
// the future: who pulls it asks for it again.
func TestMovesWhileTheClockIsInDoubt(t *testing.T) {
	t.Parallel()
	c := newCourt(t)
	one := c.lane.Finish(spare(c.lane, "one", 1))
	c.run(c.lane, one)
	l := ledger.Placement{V: 1, Receipt: c.moved(3, time.Hour, shard(one, 0, 0)), Cert: c.vault.Members[3].Certificate}
	wantErr(t, c.stores[0].AdoptPlacement(c.id(), l), ledger.ErrReceipt)
	c.doubt = errors.New("an hour off")
	err := c.stores[0].AdoptPlacement(c.id(), l)
	if wantErr(t, err, ledger.ErrClockDoubt); errors.Is(err, ledger.ErrReceipt) {
		t.Error(err)
	}
	c.doubt = nil
	c.wait(time.Hour)
	mustNot(t, c.stores[0].AdoptPlacement(c.id(), l))
}

// A receipt that counts for no shard any more is not written down, however often a member
// hands it on.
func TestWornOutReceiptsCostNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4)
	lane := w.device("laptop")
	one := lane.Finish(spare(lane, "one", 1))
	w.run(lane, one)
	old, now := w.moved(3, 0, shard(one, 0, 0)), w.moved(3, time.Minute, shard(one, 0, 0))
	cert := w.vault.Members[3].Certificate
	mustNot(t, w.stores[0].AddPlacement(w.id(), now, cert))
	folder, past := filepath.Join(w.dirs[0], w.id().Hex(), "placement"), ledgertest.Start().AddDate(-1, 0, 0)
	mustNot(t, os.Chtimes(folder, past, past))
	for range 3 {
		mustNot(t, w.stores[0].AddPlacement(w.id(), old, cert))
	}
	if at := must(os.Stat(folder)).ModTime(); !at.Equal(past) {
		t.Errorf("a file was written at %s", at)
	}
}

// Whoever asks for placements while newer ones come never hears that something is damaged.
func TestPlacementsWhileNewerOnesCome(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4)
	lane := w.device("laptop")
	one := lane.Finish(spare(lane, "one", 1))
	w.run(lane, one)
	done := make(chan error, 1)
	go func() {
		for i := range 60 {
			if err := w.stores[0].AddPlacement(w.id(), w.moved(3, time.Duration(i)*time.Second, shard(one, 0, 0)), w.vault.Members[3].Certificate); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for {
		if _, err := w.stores[0].Placements(w.id(), namesOf(one)[0]); err != nil {
			t.Error(err)
		}
		select {
		case err := <-done:
			mustNot(t, err)
			return
		default:
		}
	}
}
