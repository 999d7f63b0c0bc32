package ledger_test

import (
	"errors"
	"testing"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
)

// chained is a SuccessionView over memory.
type chained struct {
	*memory
	chain   ledger.Chain
	frozen  bool
	ended   ident.CID // brings a successor
	lacks   ident.CID // a start that is not here
	waiting error     // what Passed says
}

func (c *chained) Chain() ledger.Chain              { return c.chain }
func (c *chained) Frozen() bool                     { return c.frozen }
func (c *chained) Succeeds(entry ident.CID) bool    { return entry == c.ended }
func (c *chained) Holds(l ledger.LaneStart) bool    { return l.Entry != c.lacks }
func (c *chained) Passed(next ledger.Charter) error { return c.waiting }

var errWaiting = errors.New("it cools")

// candidacy is a valid successor's entry before it is signed, with what the member
// knows.
type candidacy struct {
	*reigns
	view *chained
	body ledger.CharterBody
}

func newCandidacy() *candidacy {
	h := newReigns()
	c := &candidacy{reigns: h, view: &chained{memory: newMemory(h.vault.Charter), chain: h.chain(), frozen: true}}
	for _, l := range []*ledgertest.Lane{h.owner, h.lane} {
		head := h.links[len(h.links)-1].Entry
		if l == h.owner {
			head = h.successions[1].Entry
		}
		c.view.heads[l.Key.Public()] = must(ledger.VerifyEntry(head))
	}
	c.body = ledger.CharterBody{Charter: h.vault.Next(nil), Freezes: h.vault.Freezes(h.owner, h.lane)}
	return c
}

func (c *candidacy) check(s ledgertest.Step) error {
	p := must(ledger.VerifyProposal(s.Proposal))
	_, err := ledger.CheckProposal(c.view, p, s.Entry, s.Body, ledgertest.Start())
	return err
}

// One row for each rule by which a member votes for a charter.
func TestCharterIsVotedFor(t *testing.T) {
	for what, row := range map[string]struct {
		spoil func(c *candidacy)
		want  error
	}{
		"valid":                               {func(*candidacy) {}, nil},
		"not frozen before":                   {func(c *candidacy) { c.view.frozen = false }, nil},
		"a start is missing":                  {func(c *candidacy) { c.view.lacks = c.lane.Head }, ledger.ErrBehind},
		"one is certified":                    {func(c *candidacy) { c.view.ended = c.owner.Head }, ledger.ErrFrozen},
		"it lowers and has passed":            {func(c *candidacy) { c.lower() }, nil},
		"it lowers and has not passed":        {func(c *candidacy) { c.lower(); c.view.waiting = errWaiting }, errWaiting},
		"it lowers and says that it does not": {func(c *candidacy) { c.lower(); c.body.Waited = false }, ledger.ErrLowers},
	} {
		t.Run(what, func(t *testing.T) {
			c := newCandidacy()
			row.spoil(c)
			err := c.check(c.owner.Succession(c.body))
			if !errors.Is(err, row.want) || row.want == nil && err != nil {
				t.Errorf("%v", err)
			}
		})
	}
}

// lower makes the successor the one that appoints the first guardians.
func (c *candidacy) lower() {
	g := guardedOf(4)
	c.body.Charter = c.vault.Next(func(ch *ledger.Charter) { ch.Guardians, ch.Threshold = g.Guardians, g.Threshold })
	c.body.Waited = true
}

// A frozen charter lets no other kind of entry pass, and a device's lane has no charter.
func TestFrostAdmits(t *testing.T) {
	c := newCandidacy()
	enrol := c.owner.Enrol(c.vault.Grant(ledgertest.Key("late"), ledger.Read))
	if err := c.check(enrol); !errors.Is(err, ledger.ErrFrozen) {
		t.Errorf("an enrolment: %v", err)
	}
	c.view.frozen = false
	if err := c.check(enrol); err != nil {
		t.Errorf("an enrolment before the freeze: %v", err)
	}
	device := c.vault.Lane(c.lane.Key)
	device.Height, device.Head = c.lane.Height, c.lane.Head
	c.view.grants[c.lane.Key.Public()] = must(ledger.VerifyGrant(c.vault.Grant(c.lane.Key, ledger.Append), c.vault.Charter.Owner, c.vault.ID()))
	if err := c.check(device.Succession(c.body)); !errors.Is(err, ledger.ErrKind) {
		t.Errorf("a device's charter: %v", err)
	}
	bare := c.view.memory
	p := must(ledger.VerifyProposal(c.owner.Succession(c.body).Proposal))
	s := c.owner.Succession(c.body)
	if _, err := ledger.CheckProposal(bare, p, s.Entry, s.Body, ledgertest.Start()); !errors.Is(err, ledger.ErrKind) {
		t.Errorf("where no chain is known: %v", err)
	}
}

// A member freezes for what may follow, and for nothing else.
func TestCheckFreeze(t *testing.T) {
	for what, row := range map[string]struct {
		change  func(*ledger.Charter)
		waiting error
		want    error
	}{
		"nothing new":              {nil, errWaiting, nil},
		"first guardians, passed":  {func(c *ledger.Charter) { g := guardedOf(4); c.Guardians, c.Threshold = g.Guardians, g.Threshold }, nil, nil},
		"first guardians, waiting": {func(c *ledger.Charter) { g := guardedOf(4); c.Guardians, c.Threshold = g.Guardians, g.Threshold }, errWaiting, errWaiting},
		"lowers without guardians": {func(c *ledger.Charter) { c.Retention-- }, nil, ledger.ErrForbidden},
		"of another charter":       {func(c *ledger.Charter) { c.Prev = ident.SumDagCBOR(nil) }, nil, ledger.ErrCharter},
	} {
		c := newCandidacy()
		c.view.waiting = row.waiting
		next := c.vault.Charter
		signed := c.vault.Next(row.change)
		if n, err := ledger.VerifyNextCharter(signed, next); err == nil {
			next = n
		} else {
			next.Prev = ident.SumDagCBOR(nil)
		}
		if err := ledger.CheckFreeze(c.view, next); !errors.Is(err, row.want) || row.want == nil && err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}
