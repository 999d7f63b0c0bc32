package node

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
	"holdfast/p2p/shardrpc"
	"holdfast/store"
	"holdfast/store/storetest"
)

// juror is what one member says of releases.
type juror struct {
	state   ledger.ReleaseState
	charter ident.CID        // in force, as it says
	clock   time.Duration    // its clock less the test's
	until   time.Time        // when it stops taking the release back
	vote    ident.PrivateKey // signs its answers
	silent  bool
	nonce   *[16]byte // instead of the one asked with
}

// court is a vault's members, who have certified releases.
type court struct {
	b      *bench
	jurors map[ident.PublicKey]*juror // by node
	serves [][]byte                   // encoded ledger.Released, what every juror has to show
	during func()                     // called before each answer about a release; may be nil
	one    sync.Mutex                 // they answer one after another
}

func (b *bench) court() *court {
	c := &court{b: b, jurors: map[ident.PublicKey]*juror{}}
	for _, m := range b.vault.Members {
		c.jurors[m.Node.Public()] = &juror{charter: b.vault.ID(), vote: m.Vote, state: ledger.ReleaseUnknown}
	}
	return c
}

// say sets what the members say, in their order; who is not named is silent.
func (c *court) say(states ...ledger.ReleaseState) {
	for i, m := range c.b.vault.Members {
		j := c.jurors[m.Node.Public()]
		j.silent = i >= len(states)
		if !j.silent {
			j.state = states[i]
		}
	}
}

func (c *court) at(node ident.PublicKey) witness { return courtWitness{c, c.jurors[node], node} }

type courtWitness struct {
	*court
	*juror
	node ident.PublicKey
}

var errNoAnswer = errors.New("no answer")

func (w courtWitness) Segments(context.Context, ident.CID, [16]byte, []ident.CID) (ident.Signed, error) {
	return ident.Signed{}, errNoAnswer
}

func (w courtWitness) Successions(context.Context, ident.CID, int64) ([][]byte, error) {
	w.one.Lock()
	defer w.one.Unlock()
	if w.silent {
		return nil, errNoAnswer
	}
	return nil, nil
}

func (w courtWitness) Released(_ context.Context, _ ident.CID, from int64, limit int) ([][]byte, error) {
	w.one.Lock()
	defer w.one.Unlock()
	if w.silent {
		return nil, errNoAnswer
	}
	var out [][]byte
	for _, p := range w.serves {
		if r, err := ledger.ParseReleased(p); err == nil && r.Seq >= from && len(out) < limit {
			out = append(out, p)
		}
	}
	return out, nil
}

func (w courtWitness) Standing(_ context.Context, vault ident.CID, nonce [16]byte, releases []ident.CID) (ident.Signed, error) {
	w.one.Lock()
	defer w.one.Unlock()
	if w.silent {
		return ident.Signed{}, errNoAnswer
	}
	if w.during != nil {
		w.during()
	}
	if w.juror.nonce != nil {
		nonce = *w.juror.nonce
	}
	m, _ := w.b.vault.Charter.MemberByNode(w.node)
	a := ledger.Standing{
		Vault: vault, Charter: w.charter, Nonce: nonce, Operator: m.Operator, Clock: ledger.Millis(w.b.clock.now().Add(w.clock)),
	}
	for _, r := range releases {
		st := ledger.ReleaseStanding{Release: r, State: w.state}
		if w.state == ledger.ReleaseCertified {
			st.Until = ledger.Millis(w.until)
		}
		a.States = append(a.States, st)
	}
	return ledger.SignStanding(w.vote, a)
}

// release certifies a release of segments. The members stop taking it back after the
// charter's trash time.
func (c *court) release(segments ...ident.CID) ledger.Release {
	c.b.t.Helper()
	return c.releaseOf(ident.SumDagCBOR([]byte("request")), segments...)
}

func (c *court) releaseOf(request ident.CID, segments ...ident.CID) ledger.Release {
	c.b.t.Helper()
	r := ledger.Release{Vault: c.b.vault.ID(), Charter: c.b.vault.ID(), Request: request, Segments: segments}
	p, err := r.Encode()
	must(c.b.t, err)
	r, err = ledger.ParseRelease(p)
	must(c.b.t, err)
	var consents []ident.Signed
	for _, m := range c.b.vault.Members[:c.b.vault.Charter.Quorum()] {
		s, err := ledger.SignConsent(m.Vote, ledger.Consent{
			Vault: r.Vault, Charter: r.Charter, Release: r.CID(), Operator: m.Operator.Public(), Clock: ledger.Millis(c.b.clock.now()),
		})
		must(c.b.t, err)
		consents = append(consents, s)
	}
	cert, _, err := ledger.NewReleaseCertificate(p, consents, c.b.vault.Charter)
	must(c.b.t, err)
	c.serve(ledger.Released{Cert: cert})
	c.say(slices.Repeat([]ledger.ReleaseState{ledger.ReleaseCertified}, len(c.b.vault.Members))...)
	for _, j := range c.jurors {
		j.until = c.b.clock.now().Add(c.b.vault.Charter.Terms().Trash)
	}
	return r
}

func (c *court) serve(r ledger.Released) {
	c.b.t.Helper()
	r.Seq = int64(len(c.serves) + 1)
	p, err := r.Encode()
	must(c.b.t, err)
	c.serves = append(c.serves, p)
}

// undo certifies that a release is taken back.
func (c *court) undo(r ledger.Release) {
	c.b.t.Helper()
	var words []ident.Signed
	for _, m := range c.b.vault.Members[:c.b.vault.Charter.Quorum()] {
		s, err := ledger.SignUndone(m.Vote, ledger.Undone{
			Vault: r.Vault, Charter: r.Charter, Release: r.CID(), Operator: m.Operator.Public(), Clock: ledger.Millis(c.b.clock.now()),
		})
		must(c.b.t, err)
		words = append(words, s)
	}
	cert, _, err := ledger.NewUndoCertificate(r.CID(), words, c.b.vault.Charter)
	must(c.b.t, err)
	first, err := ledger.ParseReleased(c.serves[0])
	must(c.b.t, err)
	c.serve(ledger.Released{Cert: first.Cert, Undo: cert})
	c.say(slices.Repeat([]ledger.ReleaseState{ledger.ReleaseUndone}, len(c.b.vault.Members))...)
}

// follower follows the releases of the court.
func (c *court) follower() *released {
	newest := &charters{volume: c.b.volume, witnesses: c, log: c.b.node.log}
	return (&released{
		volume: c.b.volume, charters: newest, witnesses: c, doubt: func() error { return nil }, stamp: c.b.shelf.stamp, log: c.b.node.log,
	}).start()
}

// look has a follower look at the vault now. That nothing could be done is no failure.
func (c *court) look(f *released) {
	c.b.t.Helper()
	if _, err := f.look(c.b.t.Context(), c.b.vault.ID()); err != nil {
		c.b.t.Logf("look: %v", err)
	}
}

// where says where a shard is.
func (b *bench) where(k store.Key) string {
	b.t.Helper()
	p := b.parts()
	on := b.has(k)
	_, err := p.shelf.Discarded(b.t.Context(), k)
	_, buried, tombErr := p.book.tomb(k)
	must(b.t, tombErr)
	switch {
	case on && err == nil:
		return "both"
	case on:
		return "shelf"
	case err == nil:
		return "trash"
	case buried:
		return "erased"
	}
	return "nowhere"
}

// certifiedShard puts a shard that a certified entry names.
func (b *bench) certifiedShard(seed uint64) (storetest.Segment, store.Key) {
	b.t.Helper()
	s, g := b.session(), segment(b.t, 10_000, seed)
	k := b.mustPut(s, g, 0)
	must(b.t, b.parts().book.certified(b.vault.ID(), []ident.CID{g.CID}))
	return g, k
}

const (
	rUnknown   = ledger.ReleaseUnknown
	rConsented = ledger.ReleaseConsented
	rCertified = ledger.ReleaseCertified
	rUndone    = ledger.ReleaseUndone
)

// One row for each way in which members can answer before a shard goes to the trash,
// and the same again before it is erased. There are 4: f = 1, q = 3, and n-q+f+1 = 3
// must confirm.
func TestWhatAReleaseNeeds(t *testing.T) {
	all := []ledger.ReleaseState{rCertified, rCertified, rCertified, rCertified}
	for name, c := range map[string]struct {
		says []ledger.ReleaseState
		edit func(c *court, f *released, first *juror)
		goes bool
		only string // what alone is forbidden: "erase"
	}{
		"all confirm":                    {says: all, goes: true},
		"enough confirm":                 {says: all[:3], goes: true},
		"one lies that it is undone":     {says: []ledger.ReleaseState{rUndone, rCertified, rCertified, rCertified}, goes: true},
		"one lies that it knows nothing": {says: []ledger.ReleaseState{rUnknown, rCertified, rCertified, rCertified}, goes: true},
		"too few answer":                 {says: all[:2]},
		"nobody answers":                 {},
		"too few have the certificate":   {says: []ledger.ReleaseState{rCertified, rCertified, rConsented, rUnknown}},
		"two say it is undone":           {says: []ledger.ReleaseState{rCertified, rCertified, rUndone, rUndone}},
		"one is under a newer charter": {says: all[:3], edit: func(_ *court, _ *released, first *juror) {
			first.charter = ident.SumDagCBOR([]byte("a newer one"))
		}},
		"one lies about the charter": {says: all, goes: true, edit: func(_ *court, _ *released, first *juror) {
			first.charter = ident.SumDagCBOR([]byte("none"))
		}},
		"one signs with another key":  {says: all[:3], edit: func(_ *court, _ *released, first *juror) { first.vote = ledgertest.Key("x") }},
		"one repeats an old answer":   {says: all[:3], edit: func(_ *court, _ *released, first *juror) { first.nonce = &[16]byte{1} }},
		"the holder's clock is wrong": {says: all, edit: func(_ *court, f *released, _ *juror) { f.doubt = func() error { return ledger.ErrClockDoubt } }},
		"a member's clock is behind": {says: all[:3], only: "erase", edit: func(_ *court, _ *released, first *juror) {
			first.clock = -time.Hour
		}},
		"a member would still take it back": {says: all[:3], only: "erase", edit: func(_ *court, _ *released, first *juror) {
			first.until = ledger.Time(ledger.Never)
		}},
	} {
		for _, step := range []string{"trash", "erase"} {
			b := newBench(t, 4)
			_, k := b.certifiedShard(1)
			court := b.court()
			court.release(k.Segment)
			f := court.follower()
			want := "trash"
			if step == "erase" {
				court.look(f)
				b.clock.advance(b.vault.Charter.Terms().Trash)
				want = "erased"
			}
			court.say(c.says...)
			if c.edit != nil {
				c.edit(court, f, court.jurors[b.vault.Members[0].Node.Public()])
			}
			if forbidden := !c.goes && c.only == "" || c.only == step; forbidden {
				want = map[string]string{"trash": "shelf", "erase": "trash"}[step]
			}
			court.look(f)
			if got := b.where(k); got != want {
				t.Errorf("%s, before the %s: the shard is %s, not %s", name, step, got, want)
			}
		}
	}
}

// The whole way: trash, the charter's time, erase, tombstone, credit; and another
// segment of the same vault stays.
func TestReleaseOfAShard(t *testing.T) {
	b := newBench(t, 4)
	g, k := b.certifiedShard(1)
	_, other := b.certifiedShard(2)
	s := b.session()
	before := b.parts().book.used(b.vault.ID(), s.peer)
	c := b.court()
	r := c.release(g.CID)
	f := c.follower()
	c.look(f)
	if b.where(k) != "trash" || b.where(other) != "shelf" {
		t.Fatalf("%s, %s", b.where(k), b.where(other))
	}
	if u := b.parts().book.used(b.vault.ID(), s.peer); u != before {
		t.Errorf("%+v while it is in the trash, %+v before", u, before)
	}
	has, err := s.Has(t.Context(), []shardrpc.Ref{ref(g, 0)})
	if err != nil || has[0] {
		t.Errorf("a shard in the trash is shown: %v, %v", has, err)
	}
	b.clock.advance(b.vault.Charter.Terms().Trash - time.Second)
	c.look(f)
	if b.where(k) != "trash" {
		t.Fatalf("too early: %s", b.where(k))
	}
	b.clock.advance(time.Second)
	c.look(f)
	if b.where(k) != "erased" || b.where(other) != "shelf" {
		t.Fatalf("%s, %s", b.where(k), b.where(other))
	}
	tomb, _, err := b.parts().book.tomb(k)
	if err != nil || tomb.Release != r.CID() || tomb.Time != ledger.Millis(b.clock.now()) || tomb.Bytes < 5000 {
		t.Errorf("tombstone %+v, %v", tomb, err)
	}
	if u := b.parts().book.used(b.vault.ID(), s.peer); u.Shards != before.Shards-1 {
		t.Errorf("%+v after erasing, %+v before", u, before)
	}
	if left, err := b.parts().book.releases(b.vault.ID(), false); err != nil || len(left) != 0 {
		t.Errorf("still followed: %v, %v", left, err)
	}
	if err := put(t.Context(), s, nonce, g, 0); !errors.Is(err, shardrpc.ErrReleased) {
		t.Errorf("put again: %v", err)
	}
}

// What was taken back while it was in the trash is served again, and stays.
func TestUndoBringsShardsBack(t *testing.T) {
	b := newBench(t, 4)
	g, k := b.certifiedShard(1)
	c := b.court()
	r := c.release(g.CID)
	f := c.follower()
	c.look(f)
	c.undo(r)
	c.look(f)
	if b.where(k) != "shelf" {
		t.Fatal(b.where(k))
	}
	if p, err := readAll(b.session(), g, 0); err != nil || string(p) != string(g.Rows[0]) {
		t.Errorf("%d bytes, %v", len(p), err)
	}
	if rec, _ := b.record(k); !rec.Certified || rec.Trashed {
		t.Errorf("%+v", rec)
	}
	// A member that still shows the certificate alone changes nothing.
	c.say(rCertified, rCertified, rCertified, rCertified)
	c.serves = c.serves[:1]
	must(t, b.parts().book.setCursor(b.vault.ID(), b.vault.Members[0].Operator.Public(), 1))
	for range 2 {
		b.clock.advance(b.vault.Charter.Terms().Trash)
		c.look(f)
	}
	if b.where(k) != "shelf" {
		t.Error(b.where(k))
	}
}

// An undo that is certified after the holder has asked, and before it asks again.
func TestUndoneInBetween(t *testing.T) {
	b := newBench(t, 4)
	g, k := b.certifiedShard(1)
	c := b.court()
	r := c.release(g.CID)
	f := c.follower()
	c.look(f)
	b.clock.advance(b.vault.Charter.Terms().Trash)
	undone := false
	c.say(rUndone, rUndone, rUndone, rCertified)
	c.during = func() {
		if !undone {
			undone = true
			c.undo(r)
		}
	}
	c.look(f) // learns of no undo, and is told of it when it asks
	if b.where(k) != "trash" {
		t.Fatal(b.where(k))
	}
	c.during = nil
	c.look(f)
	if b.where(k) != "shelf" {
		t.Error(b.where(k))
	}
}

// What a lying member makes up is not followed, and does not keep the others' releases
// from being learnt.
func TestForgedReleases(t *testing.T) {
	b := newBench(t, 4)
	g, k := b.certifiedShard(1)
	c := b.court()
	r := c.release(g.CID)
	good, err := ledger.ParseReleased(c.serves[0])
	must(t, err)
	real, err := ledger.VerifyReleaseCertificate(good.Cert, b.vault.Charter)
	must(t, err)
	for name, forge := range map[string]func(p *ledger.ReleaseCertificate){
		"too few consents": func(p *ledger.ReleaseCertificate) { p.Consents = p.Consents[:2] },
		"one twice":        func(p *ledger.ReleaseCertificate) { p.Consents[1] = p.Consents[0] },
		"another's words": func(p *ledger.ReleaseCertificate) {
			s, err := ledger.SignConsent(ledgertest.Key("x"), ledger.Consent{
				Vault: r.Vault, Charter: r.Charter, Release: r.CID(), Operator: b.vault.Members[0].Operator.Public(), Clock: 1,
			})
			must(t, err)
			p.Consents[0] = s
		},
	} {
		forged := real
		forged.Consents = slices.Clone(real.Consents)
		forge(&forged)
		c.serves = nil
		c.serve(ledger.Released{Cert: encode(t, forged)})
		f := c.follower()
		for range 2 {
			c.look(f)
			b.clock.advance(b.vault.Charter.Terms().Trash)
		}
		if b.where(k) != "shelf" {
			t.Errorf("%s: %s", name, b.where(k))
		}
	}
}

// A put of a shard that is in the trash puts it on the shelf, where it is kept as one
// that has just arrived.
func TestPutWhileInTheTrash(t *testing.T) {
	b := newBench(t, 4)
	g, k := b.certifiedShard(1)
	c := b.court()
	c.release(g.CID)
	f := c.follower()
	c.look(f)
	s := b.session()
	b.mustPut(s, g, 0)
	if _, err := receipt(t, b, s, nonce, ref(g, 0)); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		c.look(f)
		if b.where(k) != "shelf" {
			t.Fatal(b.where(k))
		}
	}
	if rec, _ := b.record(k); rec.Certified || rec.Trashed || rec.Device != s.peer {
		t.Errorf("%+v", rec)
	}
	// Once its members say again that an entry names it, it goes the same way.
	must(t, b.parts().book.certified(b.vault.ID(), []ident.CID{g.CID}))
	c.look(f)
	if b.where(k) != "trash" {
		t.Error(b.where(k))
	}
}

// A shard goes into the trash while it is put again: it comes back before the put is
// answered.
func TestTrashedWhilePutting(t *testing.T) {
	b := newBench(t, 4)
	g, k := b.certifiedShard(1)
	c := b.court()
	c.release(g.CID)
	f := c.follower()
	row, looked := newReader(g.Rows[0]), false
	err := b.session().Put(t.Context(), nonce, 0, g.Descriptor, readerFunc(func(p []byte) (int, error) {
		if !looked {
			looked = true
			c.look(f)
			if b.where(k) != "trash" {
				t.Error(b.where(k))
			}
		}
		return row.Read(p)
	}))
	if err != nil || b.where(k) != "shelf" {
		t.Errorf("%v, %s", err, b.where(k))
	}
}

// Of a vault that nothing was released in, nothing is asked but that; and each vault
// is looked at again after a part of its trash time.
func TestWhenVaultsAreLookedAt(t *testing.T) {
	for trash, want := range map[time.Duration]time.Duration{
		0: time.Second, 5 * time.Second: time.Second, 80 * time.Second: 10 * time.Second, 7 * 24 * time.Hour: time.Hour,
	} {
		if got := lookAgainIn(trash); got != want {
			t.Errorf("trash time %v: again in %v, not %v", trash, got, want)
		}
	}
	b := newBench(t, 4)
	b.certifiedShard(1)
	c := b.court()
	c.say(rUnknown, rUnknown, rUnknown, rUnknown)
	f := c.follower()
	must(t, f.run(t.Context()))
	due, err := f.dueVaults(t.Context())
	if err != nil || len(due) != 0 {
		t.Errorf("due at once: %v, %v", due, err)
	}
	f.hurry(b.vault.ID())
	if due, _ := f.dueVaults(t.Context()); len(due) != 1 {
		t.Errorf("in a hurry: %v", due)
	}
	must(t, f.run(t.Context()))
	b.clock.advance(time.Hour)
	if due, _ := f.dueVaults(t.Context()); len(due) != 1 {
		t.Errorf("an hour later: %v", due)
	}
	b.wipe()
	must(t, f.run(t.Context()))
}

// Law: however n members answer, shards go to the trash only if n-q+f+1 of them,
// under one charter, confirm, and are erased only if so many are past their time.
func TestConfirmations(t *testing.T) {
	newest := ledgertest.NewVault("bench", 4).Charter
	type said struct {
		state ledger.ReleaseState
		here  bool
		past  bool
	}
	all := []said{{rUnknown, true, true}, {rConsented, true, true}, {rCertified, true, true}, {rCertified, true, false}, {rCertified, false, true}, {rUndone, true, true}}
	for n := 1; n <= 5; n++ {
		total := 1
		for range n {
			total *= len(all)
		}
		for mask := range total {
			c := confirmation{members: n}
			confirm, past, rest := 0, 0, mask
			for range n {
				s := all[rest%len(all)]
				rest /= len(all)
				a := ledger.Standing{Charter: newest.CID(), Clock: 10, States: []ledger.ReleaseStanding{{State: s.state, Until: 10}}}
				if !s.here {
					a.Charter = ident.SumDagCBOR([]byte("another"))
				}
				if !s.past {
					a.States[0].Until = 11
				}
				c.count(newest, a)
				if s.here && s.state == rCertified {
					confirm++
					if s.past {
						past++
					}
				}
			}
			need := ledger.Proven(n)
			if c.mayTrash() != (confirm >= need) || c.mayErase() != (past >= need) || c.mayErase() && !c.mayTrash() {
				t.Fatalf("%d members, %d confirm and %d are past: %+v", n, confirm, past, c)
			}
		}
	}
}
