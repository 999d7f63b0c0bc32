package ledger_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
)

// attempt is a valid proposal before it is signed: the second snapshot of a device
// in a vault of 4 members, after another device has added one, with a delta. Each
// test of a rule spoils one part.
type attempt struct {
	vault         *ledgertest.Vault
	view          *memory
	owner         *ledgertest.Lane
	lane          *ledgertest.Lane
	other         *ledgertest.Lane
	now           time.Time
	commit        *ledgertest.Commit
	changeBody    func([]byte) []byte
	changeEntry   func(*ledger.Entry)
	changeRequest func(*ledger.Proposal)
	step          *ledgertest.Step // instead of commit: an entry of the owner
}

func newAttempt(t *testing.T) *attempt {
	t.Helper()
	v := ledgertest.NewVault("check", 4)
	a := &attempt{
		vault: v, view: newMemory(v.Charter), now: ledgertest.Start(), owner: v.OwnerLane(),
		lane: v.Lane(ledgertest.Key("check device")), other: v.Lane(ledgertest.Key("check other")),
		changeBody:  func(p []byte) []byte { return p },
		changeEntry: func(*ledger.Entry) {}, changeRequest: func(*ledger.Proposal) {},
	}
	a.accept(t, a.owner, a.owner.Enrol(v.Grant(a.lane.Key, ledger.Append)))
	a.accept(t, a.owner, a.owner.Enrol(v.Grant(a.other.Key, ledger.Full)))
	a.accept(t, a.lane, a.lane.Snapshot("one", 3))
	a.accept(t, a.other, a.other.Snapshot("other", 2))
	a.commit = a.lane.Commit("two", 2)
	next := a.lane.Set.With(a.lane.Key.Public(), ident.CID{}, ledger.NewSpans(3, 4))
	next = next.With(a.other.Key.Public(), a.other.Head, ledger.NewSpans(0, 1))
	a.commit.Refs = next.Since(a.lane.Set)
	return a
}

func (a *attempt) accept(t *testing.T, l *ledgertest.Lane, s ledgertest.Step) {
	t.Helper()
	p := must(ledger.VerifyProposal(s.Proposal))
	eff, err := ledger.CheckProposal(a.view, p, s.Entry, s.Body, a.now)
	if err != nil {
		t.Fatal(err)
	}
	a.view.certify(l, s, eff)
}

// check builds, signs and proposes what is left of the attempt.
func (a *attempt) check() error {
	var s ledgertest.Step
	if a.step != nil {
		s = *a.step
	} else {
		body := a.commit.Encode()
		e := a.lane.Draft(ledger.KindSnapshot, body)
		a.changeEntry(&e)
		s = a.lane.Sign(e, body)
	}
	p := s.Propose()
	a.changeRequest(&p)
	_, err := ledger.CheckProposal(a.view, p, s.Entry, a.changeBody(s.Body), a.now)
	return err
}

// descriptor replaces a segment of the commit, and the receipts.
func (a *attempt) descriptor(i int, change func(*erasure.Descriptor)) {
	d := must(erasure.ParseDescriptor(a.commit.Body.Segments[i].Descriptor))
	change(&d)
	a.commit.Body.Segments[i].Descriptor = d.Encode()
}

// place replaces the placement of a segment, and the receipts.
func (a *attempt) place(i int, rows ...byte) {
	a.commit.Body.Segments[i].Placement = rows
	a.commit.Promise(a.lane)
}

// enrolled proposes an entry of the owner instead.
func (a *attempt) enrolled(s ledgertest.Step) { a.step = &s }

// certify signs another certificate for a holder.
func (a *attempt) certify(i int, change func(*ledger.NodeCertificate)) {
	c := a.commit.Holders[i].Describe()
	change(&c)
	holders := append([]ledgertest.Member(nil), a.commit.Holders...)
	holders[i].Certificate = must(ledger.SignNodeCertificate(holders[i].Operator, c))
	a.commit.Holders = holders
}

func (a *attempt) own() *ledger.LaneRefs   { return a.refs(a.lane.Key.Public()) }
func (a *attempt) their() *ledger.LaneRefs { return a.refs(a.other.Key.Public()) }

func (a *attempt) refs(lane ident.PublicKey) *ledger.LaneRefs {
	for i := range a.commit.Refs.Lanes {
		if a.commit.Refs.Lanes[i].Lane == lane {
			return &a.commit.Refs.Lanes[i]
		}
	}
	return nil
}

// One row for each rule of a vote: a valid proposal, one thing broken, the refusal.
func refusals() map[string]struct {
	want  error
	spoil func(*attempt)
} {
	other := ident.SumDagCBOR([]byte("other"))
	return map[string]struct {
		want  error
		spoil func(*attempt)
	}{
		"another vault":           {ledger.ErrMismatch, func(a *attempt) { a.changeEntry = func(e *ledger.Entry) { e.Vault = other } }},
		"proposal: another vault": {ledger.ErrMismatch, func(a *attempt) { a.changeRequest = func(p *ledger.Proposal) { p.Vault = other } }},
		"proposal: another entry": {ledger.ErrMismatch, func(a *attempt) { a.changeRequest = func(p *ledger.Proposal) { p.Entry = other } }},
		"proposal: another height": {ledger.ErrMismatch, func(a *attempt) {
			a.changeRequest = func(p *ledger.Proposal) { p.Height++ }
		}},
		"proposal: another lane": {ledger.ErrMismatch, func(a *attempt) {
			a.changeRequest = func(p *ledger.Proposal) { p.Lane = a.other.Key.Public() }
		}},
		"proposal: another charter": {ledger.ErrCharter, func(a *attempt) { a.changeRequest = func(p *ledger.Proposal) { p.Charter = other } }},
		"another charter":           {ledger.ErrCharter, func(a *attempt) { a.changeEntry = func(e *ledger.Entry) { e.Charter = other } }},

		"no device":     {ledger.ErrForbidden, func(a *attempt) { delete(a.view.grants, a.lane.Key.Public()) }},
		"revoked":       {ledger.ErrRevoked, func(a *attempt) { a.view.revoked[a.lane.Key.Public()] = true }},
		"read only":     {ledger.ErrForbidden, func(a *attempt) { a.regrant(func(g *ledger.Grant) { g.Rights = ledger.Read }) }},
		"grant expired": {ledger.ErrExpired, func(a *attempt) { a.regrant(func(g *ledger.Grant) { g.Expires = ledger.Millis(a.now) }) }},
		"snapshot in the owner's lane": {ledger.ErrKind, func(a *attempt) {
			s := a.owner.Snapshot("by the owner", 1)
			a.enrolled(s)
		}},
		"enrol in a device's lane":  {ledger.ErrKind, func(a *attempt) { a.enrolled(a.lane.Enrol(a.vault.Grant(ledgertest.Key("new"), ledger.Full))) }},
		"revoke in a device's lane": {ledger.ErrKind, func(a *attempt) { a.enrolled(a.lane.Revoke(a.other.Key.Public())) }},

		"height after the next": {ledger.ErrBehind, func(a *attempt) { a.changeEntry = func(e *ledger.Entry) { e.Height++ } }},
		"height that is taken": {ledger.ErrStale, func(a *attempt) {
			a.changeEntry = func(e *ledger.Entry) { e.Height, e.Prev = 1, ident.CID{} }
		}},
		"another entry before": {ledger.ErrFork, func(a *attempt) { a.changeEntry = func(e *ledger.Entry) { e.Prev = other } }},

		"another body":   {ledger.ErrBody, func(a *attempt) { a.changeBody = func(p []byte) []byte { return append(p, 0) } }},
		"no body":        {ledger.ErrBody, func(a *attempt) { a.changeBody = func([]byte) []byte { return nil } }},
		"body too large": {ledger.ErrTooLarge, func(a *attempt) { a.changeBody = func([]byte) []byte { return make([]byte, ledger.MaxBody+1) } }},
		"body of another kind": {ledger.ErrInvalid, func(a *attempt) {
			a.enrolled(a.owner.Sign(a.owner.Draft(ledger.KindRevoke, ownerRevoked(a)), ownerRevoked(a)))
		}},
		"grant by another owner": {ident.ErrSignature, func(a *attempt) {
			g := must(ledger.SignGrant(ledgertest.Key("thief"), a.grant("new")))
			a.enrolled(a.owner.Enrol(g))
		}},
		"grant for another vault": {ledger.ErrMismatch, func(a *attempt) {
			g := a.grant("new")
			g.Vault = other
			a.enrolled(a.owner.Enrol(must(ledger.SignGrant(a.vault.Owner, g))))
		}},
		"device that was revoked": {ledger.ErrRevoked, func(a *attempt) {
			a.view.revoked[a.other.Key.Public()] = true
			a.enrolled(a.owner.Enrol(a.vault.Grant(a.other.Key, ledger.Full)))
		}},

		"segment of the vault": {ledger.ErrIntroduced, func(a *attempt) {
			a.view.introduced[ident.SumDagCBOR(a.commit.Body.Segments[1].Descriptor)] = true
		}},
		"segment twice": {ledger.ErrIntroduced, func(a *attempt) {
			a.commit.Body.Segments[1] = a.commit.Body.Segments[0]
		}},
		"descriptor that is none": {erasure.ErrDescriptor, func(a *attempt) {
			segments := a.commit.Body.Segments
			d := must(erasure.ParseDescriptor(segments[0].Descriptor))
			d.K = 3
			segments[0].Descriptor = d.Encode()
			a.rebuildWithout(segments[0])
		}},

		"placement too short":          {ledger.ErrPlacement, func(a *attempt) { a.place(0, 0, 1, 2) }},
		"placement too long":           {ledger.ErrPlacement, func(a *attempt) { a.commit.Body.Segments[0].Placement = []byte{0, 1, 2, 3, 255} }},
		"holder that is not there":     {ledger.ErrPlacement, func(a *attempt) { a.commit.Body.Segments[0].Placement = []byte{0, 1, 2, 4} }},
		"two shards with one operator": {ledger.ErrPlacement, func(a *attempt) { a.place(0, 0, 1, 2, 2) }},
		"two nodes of one operator":    {ledger.ErrPlacement, func(a *attempt) { a.secondNode() }},
		"too few shards":               {ledger.ErrMargin, func(a *attempt) { a.place(1, 0, 1, 255, 255) }},
		"holder of another network":    {ledger.ErrHolder, func(a *attempt) { a.certify(1, func(c *ledger.NodeCertificate) { c.Network = "test-other" }) }},
		"holder that is not admitted":  {ledger.ErrHolder, func(a *attempt) { a.stranger() }},
		"holder twice":                 {ledger.ErrHolder, func(a *attempt) { a.twice() }},
		"holder's certificate expired": {ledger.ErrExpired, func(a *attempt) { a.certify(1, func(c *ledger.NodeCertificate) { c.Expires = ledger.Millis(a.now) }) }},
		"holder's certificate too early": {ledger.ErrExpired, func(a *attempt) {
			a.certify(1, func(c *ledger.NodeCertificate) { c.Issued = ledger.Millis(a.now.Add(ledger.ClockSkew + time.Second)) })
		}},
		"holder's certificate forged": {ident.ErrSignature, func(a *attempt) {
			holders := append([]ledgertest.Member(nil), a.commit.Holders...)
			holders[2].Certificate.Signature[0] ^= 1
			a.commit.Holders = holders
		}},

		"receipt by another key":     {ident.ErrSignature, func(a *attempt) { a.commit.Holders = withVote(a.commit.Holders, 2, ledgertest.Key("thief")) }},
		"receipt of another vault":   {ledger.ErrMismatch, func(a *attempt) { a.commit.Receipts[0].Vault = other }},
		"receipt of another charter": {ledger.ErrReceipt, func(a *attempt) { a.commit.Receipts[0].Charter = other }},
		"receipt for another device": {ledger.ErrReceipt, func(a *attempt) { a.commit.Receipts[0].Device = a.other.Key.Public() }},
		"receipt of another node":    {ledger.ErrReceipt, func(a *attempt) { a.commit.Receipts[0].Node = a.commit.Receipts[1].Node }},
		"receipt for another nonce":  {ledger.ErrReceipt, func(a *attempt) { a.commit.Receipts[0].Nonce[0] ^= 1 }},
		"nonce of later placements": {ledger.ErrReceipt, func(a *attempt) {
			a.commit.Body.Nonce = [16]byte{}
			a.commit.Promise(a.lane)
		}},
		"receipt that ends early": {ledger.ErrReceipt, func(a *attempt) {
			a.now = ledger.Time(a.commit.Receipts[3].Until).Add(-ledger.LeastLeft + time.Millisecond)
		}},
		"receipt without a shard": {ledger.ErrReceipt, func(a *attempt) {
			a.commit.Receipts[1].Shards = a.commit.Receipts[1].Shards[1:]
		}},
		"receipt with another shard": {ledger.ErrReceipt, func(a *attempt) {
			a.commit.Receipts[1].Shards[0].Shard = ident.SumRaw([]byte("other"))
		}},
		"receipt with a shard too many": {ledger.ErrReceipt, func(a *attempt) {
			a.commit.Receipts[1].Shards = append(a.commit.Receipts[1].Shards, ledger.ReceiptShard{Segment: other, Shard: ident.SumRaw(nil)})
		}},

		"base that is not known":            {ledger.ErrRefs, func(a *attempt) { a.commit.Refs.Base = other }},
		"base of another lane":              {ledger.ErrRefs, func(a *attempt) { a.commit.Refs.Base = a.other.Head }},
		"new segment that is not in it":     {ledger.ErrRefs, func(a *attempt) { a.own().Spans = []int64{4, 1} }},
		"number that does not exist":        {ledger.ErrRefs, func(a *attempt) { a.own().Spans = []int64{3, 3} }},
		"their number that does not exist":  {ledger.ErrRefs, func(a *attempt) { a.their().Spans = []int64{0, 3} }},
		"upto that is not known":            {ledger.ErrRefs, func(a *attempt) { a.their().UpTo = other }},
		"upto of another lane":              {ledger.ErrRefs, func(a *attempt) { a.their().UpTo = a.lane.Head }},
		"drop of what the base has not":     {ledger.ErrRefs, func(a *attempt) { a.own().Drop = []int64{3, 1} }},
		"a full set without the new":        {ledger.ErrRefs, func(a *attempt) { a.commit.Refs = a.lane.Set.Full() }},
		"the sixty-fourth delta after full": {ledger.ErrRefs, func(a *attempt) { a.deepen(ledger.MaxDeltas) }},
	}
}

func TestCheckProposalRefuses(t *testing.T) {
	for name, row := range refusals() {
		t.Run(name, func(t *testing.T) {
			a := newAttempt(t)
			row.spoil(a)
			if err := a.check(); !errors.Is(err, row.want) {
				t.Errorf("%v; want %v", err, row.want)
			} else if !strings.HasPrefix(err.Error(), "check entry ") {
				t.Errorf("error does not name the entry: %v", err)
			}
		})
	}
}

// What stands close to a refusal and is allowed.
func TestCheckProposalAccepts(t *testing.T) {
	for name, change := range map[string]func(*attempt){
		"as it is":                    func(*attempt) {},
		"device with full rights":     func(a *attempt) { a.regrant(func(g *ledger.Grant) { g.Rights = ledger.Full }) },
		"grant that expires later":    func(a *attempt) { a.regrant(func(g *ledger.Grant) { g.Expires = ledger.Millis(a.now) + 1 }) },
		"one shard missing":           func(a *attempt) { a.place(0, 0, 1, 2, 255) },
		"another lawful code":         func(a *attempt) { a.recode(1, 4) },
		"a full set":                  func(a *attempt) { a.fullSet() },
		"the sixty-third delta":       func(a *attempt) { a.deepen(ledger.MaxDeltas - 1) },
		"an admitted operator":        func(a *attempt) { a.stranger(); a.admit() },
		"a clock of the device's own": func(a *attempt) { a.changeEntry = func(e *ledger.Entry) { e.Clock = 0 } },
		"a checkpoint":                func(a *attempt) { a.commit.Body.Partial = true },
		"a later attempt":             func(a *attempt) { a.changeRequest = func(p *ledger.Proposal) { p.Attempt = 1 } },
		"a receipt that just holds": func(a *attempt) {
			a.now = ledger.Time(a.commit.Receipts[3].Until).Add(-ledger.LeastLeft)
		},
		"an issuer's clock ahead": func(a *attempt) {
			a.certify(1, func(c *ledger.NodeCertificate) { c.Issued = ledger.Millis(a.now.Add(ledger.ClockSkew)) })
		},
		"a device that is enrolled again": func(a *attempt) { a.enrolled(a.owner.Enrol(a.vault.Grant(a.other.Key, ledger.Read))) },
		"a key that never was a device":   func(a *attempt) { a.enrolled(a.owner.Revoke(ledgertest.Key("stolen").Public())) },
	} {
		t.Run(name, func(t *testing.T) {
			a := newAttempt(t)
			change(a)
			if err := a.check(); err != nil {
				t.Error(err)
			}
		})
	}
}

// What an entry changes is told to whoever asked.
func TestEffects(t *testing.T) {
	a := newAttempt(t)
	s := a.lane.Finish(a.commit)
	eff, err := ledger.CheckProposal(a.view, s.Propose(), s.Entry, s.Body, a.now)
	if err != nil || len(eff.Segments) != 2 || len(eff.Refs) == 0 || !eff.Enrolled.IsZero() || !eff.Revoked.IsZero() {
		t.Errorf("snapshot: %+v, %v", eff, err)
	}
	if want := ident.SumDagCBOR(a.commit.Body.Segments[1].Descriptor); eff.Segments[1].CID != want {
		t.Errorf("segment %s, want %s", eff.Segments[1].CID, want)
	}
	grant := a.vault.Grant(ledgertest.Key("new"), ledger.Read)
	s = a.owner.Enrol(grant)
	eff, err = ledger.ReadEffect(a.vault.Charter, s.Entry, s.Body)
	if err != nil || eff.Enrolled.CID() != grant.CID() || eff.Grant.Rights != ledger.Read {
		t.Errorf("enrol: %+v, %v", eff, err)
	}
	s = a.owner.Revoke(a.lane.Key.Public())
	eff, err = ledger.ReadEffect(a.vault.Charter, s.Entry, s.Body)
	if err != nil || eff.Revoked != a.lane.Key.Public() {
		t.Errorf("revoke: %+v, %v", eff, err)
	}
}
