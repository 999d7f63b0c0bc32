package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
	"holdfast/ledger/member"
	"holdfast/p2p/rpc"
)

// storeSeat is a member without a network between: its own store answers.
type storeSeat struct{ store *member.Store }

var _ seat = storeSeat{}

func (s storeSeat) Request(_ context.Context, vault ident.CID, request, successor ident.Signed) error {
	return s.store.Request(vault, request, successor)
}

func (s storeSeat) Opine(_ context.Context, vault ident.CID, stance ledger.Stance, opinion ident.Signed) error {
	return s.store.Opine(vault, stance, opinion)
}

func (s storeSeat) Cases(_ context.Context, vault, after ident.CID) ([][]byte, error) {
	return s.store.Cases(vault, after)
}

func (s storeSeat) Confirm(_ context.Context, vault ident.CID, confirmation ident.Signed) error {
	return s.store.Confirm(vault, confirmation)
}

func (s storeSeat) Confirmations(_ context.Context, vault ident.CID) ([]ident.Signed, error) {
	return s.store.Confirmations(vault)
}

func (s storeSeat) Free(_ context.Context, vault, request, after ident.CID) ([]ident.CID, bool, error) {
	return s.store.Free(vault, request, after)
}

func (s storeSeat) Consent(_ context.Context, vault ident.CID, release []byte) (ident.Signed, error) {
	return s.store.Consent(vault, release)
}

func (s storeSeat) Release(_ context.Context, vault ident.CID, certificate []byte) error {
	return s.store.Release(vault, certificate)
}

func (s storeSeat) Released(_ context.Context, vault ident.CID, from int64, limit int) ([][]byte, error) {
	list, err := s.store.Released(vault, from, limit)
	var out [][]byte
	for _, r := range list {
		p, encodeErr := r.Encode()
		err = errors.Join(err, encodeErr)
		out = append(out, p)
	}
	return out, err
}

func (s storeSeat) Undo(_ context.Context, vault ident.CID, undo ident.Signed) (ident.Signed, error) {
	return s.store.Undo(vault, undo)
}

func (s storeSeat) Undone(_ context.Context, vault ident.CID, certificate []byte) error {
	return s.store.Undone(vault, certificate)
}

func (s storeSeat) Standing(_ context.Context, vault ident.CID, nonce [16]byte, releases []ident.CID) (ident.Signed, error) {
	return s.store.Standing(vault, nonce, releases)
}

// chamber is a vault's members with their stores, a full device, three guardians of
// whom two approve, and one clock that a test moves.
type chamber struct {
	t         *testing.T
	vault     *ledgertest.Vault
	stores    []*member.Store
	lane      *ledgertest.Lane // the device's
	grant     ledger.Grant
	guardians []ident.PrivateKey
	now       time.Time
	council   council
	seats     map[ident.PublicKey]seat // by the members' nodes
}

const day = 24 * time.Hour

func newChamber(t *testing.T, members, guardians int) *chamber {
	t.Helper()
	return newChamberOf(t, members, guardians, func(*ledger.Charter) {})
}

// newQuickChamber has no retention and no cooling-off: its clock can stand still.
func newQuickChamber(t *testing.T, members int) *chamber {
	t.Helper()
	return newChamberOf(t, members, 0, func(c *ledger.Charter) { c.Retention, c.Cooling = 0, 0 })
}

func newChamberOf(t *testing.T, members, guardians int, terms func(*ledger.Charter)) *chamber {
	t.Helper()
	b := &chamber{t: t, vault: ledgertest.NewVault("chamber", members), now: ledgertest.Start(), seats: map[ident.PublicKey]seat{}}
	b.charter(guardians, terms)
	owner := b.vault.OwnerLane()
	b.lane = b.vault.Lane(ledgertest.Key("chamber device"))
	for _, m := range b.vault.Members {
		s, err := member.Open(member.Config{
			Dir: t.TempDir(), Operator: m.Operator.Public(), Node: m.Node.Public(), Vote: m.Vote, Now: func() time.Time { return b.now },
		})
		b.must(err)
		t.Cleanup(func() { s.Close() })
		_, err = s.Accept(b.vault.Signed)
		b.must(err)
		b.stores = append(b.stores, s)
		b.seats[m.Node.Public()] = storeSeat{s}
	}
	signed := b.vault.Grant(b.lane.Key, ledger.Full)
	b.run(owner, owner.Enrol(signed))
	var err error
	b.grant, err = ledger.VerifyGrant(signed, b.vault.Charter.Owner, b.vault.ID())
	b.must(err)
	b.council = council{
		charter: b.vault.Charter, now: func() time.Time { return b.now },
		grants: func(d ident.PublicKey) (ledger.Grant, bool, bool) { return b.grant, d == b.grant.Device, false },
		member: func(m ledger.Member) seat { return b.seats[m.Node] },
	}
	return b
}

// charter gives the vault's charter its guardians.
func (b *chamber) charter(guardians int, terms func(*ledger.Charter)) {
	c := b.vault.Draft("chamber")
	terms(&c)
	for i := range guardians {
		key := ledgertest.Key(fmt.Sprint("guardian ", i))
		b.guardians = append(b.guardians, key)
		c.Guardians = append(c.Guardians, ledger.Guardian{Name: fmt.Sprint("guardian ", i), Key: key.Public(), Envelope: []byte{1}, Share: [32]byte{byte(i + 1)}})
	}
	if guardians > 0 {
		c.Threshold = 2
	}
	var err error
	b.vault.Signed, err = ledger.SignCharter(b.vault.Owner, c)
	b.must(err)
	b.vault.Charter, err = ledger.VerifyFirstCharter(b.vault.Signed)
	b.must(err)
}

func (b *chamber) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// run takes a step through all members.
func (b *chamber) run(l *ledgertest.Lane, s ledgertest.Step) ident.CID {
	b.t.Helper()
	var votes []ident.Signed
	for _, m := range b.stores {
		v, err := m.Propose(b.vault.ID(), s.Proposal, s.Signed, s.Body)
		b.must(err)
		votes = append(votes, v)
	}
	cert, err := ledger.NewCertificate(votes, b.vault.Charter)
	b.must(err)
	for _, m := range b.stores {
		_, err := m.Certify(b.vault.ID(), cert)
		b.must(err)
	}
	l.Advance(s)
	return s.Entry.CID()
}

// draft makes the step of a snapshot with new segments, which refers to them and to
// some numbers of the lane, and returns their names.
func (b *chamber) draft(tag string, segments int, refers ...int64) (ledgertest.Step, []ident.CID) {
	c := b.lane.Commit(tag, segments)
	for i := range segments {
		refers = append(refers, b.lane.Count+int64(i))
	}
	c.Refs = ledger.Set{Lane: b.lane.Key.Public()}.With(b.lane.Key.Public(), ident.CID{}, ledger.NewSpans(refers...)).Full()
	var ids []ident.CID
	for _, s := range c.Body.Segments {
		ids = append(ids, ident.SumDagCBOR(s.Descriptor))
	}
	return b.lane.Finish(c), ids
}

func (b *chamber) snapshot(tag string, segments int, refers ...int64) (entry ident.CID, ids []ident.CID) {
	b.t.Helper()
	step, ids := b.draft(tag, segments, refers...)
	return b.run(b.lane, step), ids
}

// request makes a request by a key and gives it to some members, all if none is named.
func (b *chamber) request(key ident.PrivateKey, targets []ident.CID, members ...int) ident.Signed {
	b.t.Helper()
	signed, err := ledger.SignRequest(key, ledger.Request{
		Vault: b.vault.ID(), Charter: b.vault.Charter.CID(), Kind: ledger.RequestRelease,
		Targets: slices.SortedFunc(slices.Values(targets), ident.CID.Compare), Clock: ledger.Millis(b.now),
	})
	b.must(err)
	for i, m := range b.stores {
		if len(members) == 0 || slices.Contains(members, i) {
			b.must(m.Request(b.vault.ID(), signed, ident.Signed{}))
		}
	}
	return signed
}

// only returns the one case that there is, as a session sees it that begins now.
func (b *chamber) only() Case {
	b.t.Helper()
	r := newReleases(b.t.TempDir())
	for i := range b.stores {
		b.take(r, i)
	}
	cases, _, err := b.council.docket(b.t.Context(), r)
	b.must(err)
	if len(cases) != 1 {
		b.t.Fatalf("%d cases", len(cases))
	}
	return cases[0]
}

// unspread returns the one case, and lets nobody know more of it.
func (b *chamber) unspread() Case {
	b.t.Helper()
	cases, _, err := b.council.cases(b.t.Context())
	b.must(err)
	if len(cases) != 1 {
		b.t.Fatalf("%d cases", len(cases))
	}
	return cases[0]
}

func (b *chamber) wantState(want ledger.CaseState) Case {
	b.t.Helper()
	k := b.only()
	if k.State != want {
		b.t.Fatalf("the request is %s (%s), not %s", k.State, k.Why, want)
	}
	return k
}

// approve lets so many guardians approve.
func (b *chamber) approve(count int) {
	b.t.Helper()
	for _, g := range b.guardians[:count] {
		if kept, err := b.council.opine(b.t.Context(), b.only(), ledger.Approve, g); err != nil || kept != len(b.stores) {
			b.t.Fatalf("%d members keep the approval: %v", kept, err)
		}
	}
}

// released returns what a member has certified, by its releases in order.
func (b *chamber) released(i int) (segments []ident.CID, undone int) {
	b.t.Helper()
	r := newReleases(b.t.TempDir())
	b.take(r, i)
	r.conclude()
	for id := range r.segments {
		segments = append(segments, id)
	}
	for _, c := range r.certs {
		if c.undo != nil {
			undone++
		}
	}
	return segments, undone
}

// take takes in what a member shows of releases.
func (b *chamber) take(r *releases, i int) {
	b.t.Helper()
	list, _, err := releasedBy(b.t.Context(), storeSeat{b.stores[i]}, b.vault.ID(), 0)
	b.must(err)
	for _, one := range list {
		_, err := r.take(one.Cert, one.Undo, func(id ident.CID) (ledger.Charter, bool) { return b.vault.Charter, id == b.vault.Charter.CID() })
		b.must(err)
	}
}

func sameSet(a, b []ident.CID) bool {
	sort := func(list []ident.CID) []ident.CID { return slices.SortedFunc(slices.Values(list), ident.CID.Compare) }
	return slices.Equal(sort(a), sort(b))
}

// TestReleaseWaits: a request waits for approvals, for the cooling-off, and for the
// retention; then exactly what no other snapshot needs is released, at every member.
func TestReleaseWaits(t *testing.T) {
	b := newChamber(t, 4, 3)
	old, oldSegments := b.snapshot("old", 5)
	b.snapshot("new", 2, 1, 3) // needs two of the old segments
	b.request(b.lane.Key, []ident.CID{old})
	b.wantState(ledger.StateRequested)
	b.approve(1)
	k := b.wantState(ledger.StateRequested)
	if k.Why != "1 of 2 approvals" || len(k.Approvals) != 1 || k.Approvals[0].Name != "guardian 0" || k.Approvals[0].Kept != 4 {
		t.Errorf("one approval: %q, %+v", k.Why, k.Approvals)
	}
	if _, err := b.council.carryOut(t.Context(), k); !errors.Is(err, ledger.ErrNotPassed) {
		t.Errorf("carried out without approvals: %v", err)
	}
	b.now = b.now.Add(10 * day)
	b.approve(2)
	k = b.wantState(ledger.StateCooling)
	if until, ok := k.CoolsUntil(14*day, true); !ok || !until.Equal(b.now.Add(14*day)) {
		t.Errorf("cooling off until %v, %v", until, ok)
	}
	b.now = b.now.Add(15 * day)
	k = b.wantState(ledger.StateRetained)
	if _, err := b.council.carryOut(t.Context(), k); !errors.Is(err, ledger.ErrRetention) {
		t.Errorf("carried out within the retention: %v", err)
	}
	b.now = b.now.Add(6 * day)
	done, err := b.council.carryOut(t.Context(), b.wantState(ledger.StatePassed))
	b.must(err)
	if done.Segments != 3 || len(done.Releases) != 1 || done.Kept != 0 {
		t.Errorf("carried out: %+v", done)
	}
	for i := range b.stores {
		got, _ := b.released(i)
		if want := []ident.CID{oldSegments[0], oldSegments[2], oldSegments[4]}; !sameSet(got, want) {
			t.Errorf("member %d has released %d segments", i, len(got))
		}
	}
	if again, err := b.council.carryOut(t.Context(), b.wantState(ledger.StateCertified)); err != nil || len(again.Releases) != 0 {
		t.Errorf("carried out once more: %+v, %v", again, err)
	}
}

// TestReleaseOfNothing forgets a snapshot all of whose segments another one needs.
func TestReleaseOfNothing(t *testing.T) {
	b := newChamber(t, 4, 0)
	old, _ := b.snapshot("old", 2)
	b.snapshot("new", 1, 0, 1)
	b.request(b.vault.Owner, []ident.CID{old})
	b.now = b.now.Add(31 * day)
	done, err := b.council.carryOut(t.Context(), b.wantState(ledger.StatePassed))
	if err != nil || len(done.Releases) != 1 || done.Segments != 0 {
		t.Fatalf("carried out: %+v, %v", done, err)
	}
	b.wantState(ledger.StateCertified)
}

// TestVeto: one guardian ends a request, whoever has approved, and a veto that only one
// member has heard is spread by the next who looks.
func TestVeto(t *testing.T) {
	b := newChamber(t, 4, 3)
	old, _ := b.snapshot("old", 2)
	b.snapshot("new", 1)
	signed := b.request(b.lane.Key, []ident.CID{old})
	b.approve(2)
	b.now = b.now.Add(40 * day)
	k := b.wantState(ledger.StatePassed)
	veto, err := ledger.SignOpinion(b.guardians[2], ledger.Veto, ledger.Opinion{
		Vault: b.vault.ID(), Charter: b.vault.Charter.CID(), Request: signed.CID(), Clock: ledger.Millis(b.now),
	})
	b.must(err)
	b.must(b.stores[1].Opine(b.vault.ID(), ledger.Veto, veto))
	k = b.unspread()
	if k.State != ledger.StateVetoed || k.Vetoes[0].Kept != 1 || k.Why != "vetoed by guardian 2" {
		t.Errorf("vetoes: %+v, %q", k.Vetoes, k.Why)
	}
	b.wantState(ledger.StateVetoed)
	if k = b.wantState(ledger.StateVetoed); k.Vetoes[0].Kept != 4 {
		t.Errorf("%d members have heard the veto", k.Vetoes[0].Kept)
	}
	if _, err := b.council.carryOut(t.Context(), k); !errors.Is(err, ledger.ErrVetoed) {
		t.Errorf("carried out after a veto: %v", err)
	}
}

// TestSpread: a request and its approvals that one member has heard all come to know.
func TestSpread(t *testing.T) {
	b := newChamber(t, 4, 3)
	old, _ := b.snapshot("old", 2)
	signed := b.request(b.lane.Key, []ident.CID{old}, 2)
	approval, err := ledger.SignOpinion(b.guardians[0], ledger.Approve, ledger.Opinion{
		Vault: b.vault.ID(), Charter: b.vault.Charter.CID(), Request: signed.CID(), Clock: ledger.Millis(b.now),
	})
	b.must(err)
	b.must(b.stores[2].Opine(b.vault.ID(), ledger.Approve, approval))
	k := b.unspread()
	if len(k.Views) != 1 || k.Approvals[0].Kept != 1 {
		t.Fatalf("before: %+v", k)
	}
	b.only()
	if k = b.only(); len(k.Views) != 4 || k.Approvals[0].Kept != 4 {
		t.Errorf("after: %d members know it, %+v", len(k.Views), k.Approvals)
	}
}

// TestWhoHasASay: without guardians only the owner asks, nobody approves, and a full
// device can veto; with guardians nobody else has a say.
func TestWhoHasASay(t *testing.T) {
	b := newChamber(t, 4, 0)
	old, _ := b.snapshot("old", 1)
	b.snapshot("new", 1)
	b.request(b.vault.Owner, []ident.CID{old})
	k := b.only()
	stranger := ledgertest.Key("stranger")
	for stance, keys := range map[ledger.Stance][]ident.PrivateKey{ledger.Approve: {b.vault.Owner, b.lane.Key, stranger}, ledger.Veto: {stranger}} {
		for _, key := range keys {
			if _, err := b.council.opine(t.Context(), k, stance, key); !errors.Is(err, ErrNoSay) {
				t.Errorf("%s by a key without a say: %v", stance, err)
			}
		}
	}
	if _, err := b.council.opine(t.Context(), k, ledger.Veto, b.lane.Key); err != nil {
		t.Errorf("a veto of a full device: %v", err)
	}
	b.wantState(ledger.StateVetoed)

	b = newChamber(t, 4, 3)
	old, _ = b.snapshot("old", 1)
	b.request(b.lane.Key, []ident.CID{old})
	for _, key := range []ident.PrivateKey{b.vault.Owner, b.lane.Key} {
		if _, err := b.council.opine(t.Context(), b.only(), ledger.Veto, key); !errors.Is(err, ErrNoSay) {
			t.Errorf("a veto beside the guardians: %v", err)
		}
	}
}

// TestUndo takes a release back: then it counts nowhere, and carrying out the request
// once more is refused.
func TestUndo(t *testing.T) {
	b := newChamber(t, 4, 3)
	old, _ := b.snapshot("old", 3)
	b.snapshot("new", 1)
	b.request(b.lane.Key, []ident.CID{old})
	b.approve(2)
	b.now = b.now.Add(40 * day)
	if _, err := b.council.undo(t.Context(), b.only(), b.guardians[2]); !errors.Is(err, ErrNothingReleased) {
		t.Errorf("taken back before it was released: %v", err)
	}
	_, err := b.council.carryOut(t.Context(), b.wantState(ledger.StatePassed))
	b.must(err)
	k := b.wantState(ledger.StateCertified)
	if _, err := b.council.undo(t.Context(), k, ledgertest.Key("stranger")); !errors.Is(err, ErrNoSay) {
		t.Errorf("a stranger takes a release back: %v", err)
	}
	if n, err := b.council.undo(t.Context(), k, b.guardians[2]); err != nil || n != 1 {
		t.Fatalf("taken back: %d, %v", n, err)
	}
	for i := range b.stores {
		if segments, undone := b.released(i); len(segments) != 0 || undone == 0 {
			t.Errorf("member %d: %d segments are still released", i, len(segments))
		}
	}
	k = b.wantState(ledger.StateUndone)
	if _, err := b.council.carryOut(t.Context(), k); err == nil {
		t.Error("a request was carried out whose release was taken back")
	}
}

// TestUndoTooLate: after the trash time the members take nothing back.
func TestUndoTooLate(t *testing.T) {
	b := newChamber(t, 4, 0)
	old, _ := b.snapshot("old", 3)
	b.snapshot("new", 1)
	b.request(b.vault.Owner, []ident.CID{old})
	b.now = b.now.Add(40 * day)
	_, err := b.council.carryOut(t.Context(), b.wantState(ledger.StatePassed))
	b.must(err)
	b.now = b.now.Add(8 * day)
	if _, err := b.council.undo(t.Context(), b.only(), b.vault.Owner); !errors.Is(err, ledger.ErrTooLate) {
		t.Errorf("taken back after the trash time: %v", err)
	}
}

// errCut is what a cut connection says.
var errCut = errors.New("cut")

// dying is a client that is killed after so many calls to members.
type dying struct {
	seat
	left   *int
	killed context.CancelCauseFunc
}

func (d dying) spend() error {
	if *d.left--; *d.left < 0 {
		d.killed(errCut)
		return errCut
	}
	return nil
}

func (d dying) Consent(ctx context.Context, vault ident.CID, release []byte) (ident.Signed, error) {
	if err := d.spend(); err != nil {
		return ident.Signed{}, err
	}
	return d.seat.Consent(ctx, vault, release)
}

func (d dying) Release(ctx context.Context, vault ident.CID, cert []byte) error {
	if err := d.spend(); err != nil {
		return err
	}
	return d.seat.Release(ctx, vault, cert)
}

// TestCarryOutKilled: a client that is killed after any call leaves the next one to go
// on, and in the end every member has released the same.
func TestCarryOutKilled(t *testing.T) {
	for calls := 0; ; calls++ {
		b := newQuickChamber(t, 4)
		old, segments := b.snapshot("old", 4)
		b.snapshot("new", 1)
		b.request(b.vault.Owner, []ident.CID{old})
		left := calls
		ctx, killed := context.WithCancelCause(t.Context())
		doomed := b.council
		atOnce := make(chan struct{}, 1) // gather asks all at once: here one after the other
		doomed.member = func(m ledger.Member) seat {
			return inTurn{dying{b.seats[m.Node], &left, killed}, atOnce}
		}
		_, err := doomed.carryOut(ctx, b.wantState(ledger.StatePassed))
		killed(nil)
		if left >= 0 {
			b.must(err)
			t.Logf("%d calls carry a release out", calls-left)
			return
		}
		if _, err := b.council.carryOut(t.Context(), b.only()); err != nil {
			t.Fatalf("killed after %d calls: %v", calls, err)
		}
		for i := range b.stores {
			got, _ := b.released(i)
			if !sameSet(got, segments) {
				t.Errorf("killed after %d calls: member %d has released %d segments", calls, i, len(got))
			}
		}
	}
}

// inTurn lets one call through at a time.
type inTurn struct {
	dying
	turn chan struct{}
}

func (s inTurn) Consent(ctx context.Context, vault ident.CID, release []byte) (ident.Signed, error) {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	return s.dying.Consent(ctx, vault, release)
}

func (s inTurn) Release(ctx context.Context, vault ident.CID, cert []byte) error {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	return s.dying.Release(ctx, vault, cert)
}

// TestPartialRefusal: a segment for which some members have voted meanwhile is kept,
// and the others go.
func TestPartialRefusal(t *testing.T) {
	b := newQuickChamber(t, 4)
	old, segments := b.snapshot("old", 4)
	b.snapshot("new", 1)
	b.request(b.vault.Owner, []ident.CID{old})
	k := b.wantState(ledger.StatePassed)
	free, err := b.council.free(t.Context(), k.Request.CID(), nil)
	if err != nil || !sameSet(free, segments) {
		t.Fatalf("%d of 4 segments are free: %v", len(free), err)
	}
	// Between the question and the proposal two members vote for an entry that needs
	// segment 2.
	step, _ := b.draft("late", 1, 2)
	for _, s := range b.stores[:2] {
		_, err := s.Propose(b.vault.ID(), step.Proposal, step.Signed, step.Body)
		b.must(err)
	}
	out, kept := Carried{}, map[ident.CID]bool{}
	b.must(b.council.release(t.Context(), k, free, kept, &out))
	if out.Segments != 3 || !kept[segments[2]] || len(kept) != 1 {
		t.Errorf("released %d, kept %d", out.Segments, len(kept))
	}
	// The others have consented to the first proposal, and tell the writer what to send
	// again.
	for _, m := range b.stores[2:] {
		_, err := m.Propose(b.vault.ID(), step.Proposal, step.Signed, step.Body)
		if named := namedBy(err, ledger.ErrClosing); !slices.Equal(named, segments[2:3]) {
			t.Errorf("a vote after the consent: %v, %v", named, err)
		}
	}
}

// liar is a member that says whatever harms.
type liar struct {
	seat
	free []ident.CID
}

func (l liar) Free(context.Context, ident.CID, ident.CID, ident.CID) ([]ident.CID, bool, error) {
	return l.free, true, nil
}

func (l liar) Consent(_ context.Context, _ ident.CID, release []byte) (ident.Signed, error) {
	r, err := ledger.ParseRelease(release)
	if err != nil {
		return ident.Signed{}, err
	}
	return ident.Signed{}, &rpc.PeerError{Err: &ledger.SegmentsError{Err: ledger.ErrNotFree, Segments: r.Segments}}
}

func (l liar) Cases(ctx context.Context, vault, after ident.CID) ([][]byte, error) {
	pages, err := l.seat.Cases(ctx, vault, after)
	for i, p := range pages {
		k, err := ledger.ParseCase(p)
		if err != nil {
			return nil, err
		}
		k.State, k.Why, k.Approvals = ledger.StateExpired, "says the liar", nil
		if pages[i], err = k.Encode(); err != nil {
			return nil, err
		}
	}
	return pages, err
}

// TestLiar: one of four members can neither stop a release nor have it take what is
// needed, nor change what a request seems to be.
func TestLiar(t *testing.T) {
	b := newChamber(t, 4, 3)
	old, segments := b.snapshot("old", 3)
	_, needed := b.snapshot("new", 2)
	first := b.vault.Charter.Members[0].Node
	b.seats[first] = liar{b.seats[first], append(slices.Clone(needed), segments[0])}
	b.request(b.lane.Key, []ident.CID{old})
	b.wantState(ledger.StateRequested)
	b.approve(2)
	if k := b.wantState(ledger.StateCooling); len(k.Approvals) != 2 || k.Approvals[0].Kept != 3 {
		t.Errorf("approvals: %+v", k.Approvals)
	}
	b.now = b.now.Add(40 * day)
	done, err := b.council.carryOut(t.Context(), b.wantState(ledger.StatePassed))
	b.must(err)
	if got, _ := b.released(1); !sameSet(got, segments) || done.Segments != len(segments) {
		t.Errorf("%d segments were released: %+v", len(got), done)
	}
	b.wantState(ledger.StateCertified)
}
