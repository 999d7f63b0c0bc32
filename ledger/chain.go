package ledger

import (
	"fmt"
	"slices"
	"time"

	"holdfast/internal/ident"
)

// Chain is the charters of a vault that have been in force, each verified under the
// one before, and where each starts in every lane. It is a value: Append returns
// another. The zero value is no chain.
type Chain struct{ steps []step }

// step is one charter. The first has no link.
type step struct {
	signed  ident.Signed
	charter Charter
	starts  []LaneStart // sorted by lane
	base    int         // the step whose members Lowers counts from
	since   time.Time   // of the link's certificate
	link    Link        // with body and acks
}

// NewChain begins a chain with a vault's first charter.
func NewChain(first ident.Signed) (Chain, error) {
	ch, err := VerifyFirstCharter(first)
	if err != nil {
		return Chain{}, err
	}
	return Chain{[]step{{signed: first, charter: ch}}}, nil
}

// ParseChain makes a chain of the first charter and the links of its successors, in
// order, as Append takes them.
func ParseChain(first ident.Signed, successors []Link) (Chain, error) {
	c, err := NewChain(first)
	for _, l := range successors {
		if err != nil {
			break
		}
		c, err = c.Append(l)
	}
	return verified(c, err)
}

// Append returns c and a charter that follows the one in force. The link holds the
// entry, its certificate, its body, and acks of a quorum, all under the charter in
// force. What is missing is ErrNoQuorum or ErrInvalid; whether a charter that lowers
// protection had waited long enough, those who voted for it have judged.
func (c Chain) Append(l Link) (Chain, error) {
	now := c.last()
	e, cert, err := l.Verify(now.charter)
	if err != nil {
		return Chain{}, err
	}
	switch {
	case len(c.steps) >= MaxCharters:
		return Chain{}, fmt.Errorf("charter after %s: %w: %d charters", now.charter.CID(), ErrTooLarge, len(c.steps))
	case len(l.Acks) == 0:
		return Chain{}, fmt.Errorf("entry %s: %w: no acks", e.CID(), ErrNoQuorum)
	case l.Body == nil:
		return Chain{}, invalid(labelLink, "a charter without its body")
	}
	eff, err := ReadEffect(now.charter, e, l.Body)
	if err != nil {
		return Chain{}, err
	}
	s := eff.Succession
	if err := c.CheckSuccession(s); err != nil {
		return Chain{}, err
	}
	next := step{signed: s.Signed, charter: s.Charter, starts: s.Starts, base: now.base, since: cert.Time(), link: l}
	if s.Waited {
		next.base = len(c.steps)
	}
	return Chain{append(slices.Clip(c.steps), next)}, nil
}

// CheckSuccession checks that a verified successor of the charter in force says
// truly whether it had to wait, and that it may exist at all.
func (c Chain) CheckSuccession(s Succession) error {
	waits, err := CheckLowering(c.Base(), c.Current(), s.Charter)
	// SPEC: waited is true if and only if the successor had to wait
	if err == nil && waits != s.Waited {
		err = fmt.Errorf("charter %s: %w: it must say whether it waited", s.Charter.CID(), ErrLowers)
	}
	return err
}

func (c Chain) last() step { return c.steps[len(c.steps)-1] }

// IsZero reports whether there is no chain.
func (c Chain) IsZero() bool { return len(c.steps) == 0 }

// Len returns the number of charters.
func (c Chain) Len() int { return len(c.steps) }

// ID returns the vault's ID.
func (c Chain) ID() ident.CID { return c.steps[0].charter.CID() }

// First returns the vault's first charter.
func (c Chain) First() Charter { return c.steps[0].charter }

// Current returns the newest charter of the chain.
func (c Chain) Current() Charter { return c.last().charter }

// Base returns the charter from which Lowers counts replaced members: the first, or
// the last that waited.
func (c Chain) Base() Charter { return c.steps[c.last().base].charter }

// Starts returns after which entries the newest charter starts, sorted by lane: what
// a member must hold before it signs anything under it. The first charter has none.
func (c Chain) Starts() []LaneStart { return slices.Clone(c.last().starts) }

// At returns one of the charters.
func (c Chain) At(charter ident.CID) (Charter, bool) {
	i := c.find(charter)
	if i < 0 {
		return Charter{}, false
	}
	return c.steps[i].charter, true
}

// Under returns the charter under which an entry at a height of a lane stands.
func (c Chain) Under(lane ident.PublicKey, height int64) Charter {
	i := len(c.steps) - 1
	for i > 0 && startOf(c.steps[i].starts, lane).Height >= height {
		i--
	}
	return c.steps[i].charter
}

// Since returns the charters from one on, to the newest; none if it is not there.
func (c Chain) Since(charter ident.CID) []Charter {
	var out []Charter
	if i := c.find(charter); i >= 0 {
		for _, s := range c.steps[i:] {
			out = append(out, s.charter)
		}
	}
	return out
}

// Charters returns the charters as signed, from the first to the newest.
func (c Chain) Charters() []ident.Signed {
	out := make([]ident.Signed, len(c.steps))
	for i, s := range c.steps {
		out[i] = s.signed
	}
	return out
}

// Successions returns the links by which the charters after the first came into
// force, with bodies and acks.
func (c Chain) Successions() []Link {
	var out []Link
	for _, s := range c.steps[min(1, len(c.steps)):] {
		out = append(out, s.link)
	}
	return out
}

func (c Chain) find(charter ident.CID) int {
	return slices.IndexFunc(c.steps, func(s step) bool { return s.charter.CID() == charter })
}

// Verify is Link.Verify under the charter that the entry names, and checks that the
// entry stands where that charter counts.
func (c Chain) Verify(l Link) (Entry, Certificate, error) {
	fail := func(err error) (Entry, Certificate, error) { return Entry{}, Certificate{}, err }
	e, err := VerifyEntry(l.Entry)
	if err != nil {
		return fail(err)
	}
	ch, ok := c.At(e.Charter)
	if !ok {
		return fail(fmt.Errorf("entry %s: %w: %s", e.CID(), ErrCharter, e.Charter))
	}
	e, cert, err := l.Verify(ch)
	if err == nil {
		err = c.Allows(e)
	}
	if err != nil {
		return fail(err)
	}
	return e, cert, nil
}

// Allows checks that an entry stands where its charter counts: above the charter's
// start in its lane, and going on from it, and not above the start of the charter
// after. What is between is for the hash links to prove.
func (c Chain) Allows(e Entry) error { return c.Stands(e, e.CID()) }

// Stands is Allows for an entry that was verified before, whose name is known.
func (c Chain) Stands(e Entry, name ident.CID) error {
	i := c.find(e.Charter)
	if i < 0 {
		return fmt.Errorf("entry %s: %w: %s", name, ErrCharter, e.Charter)
	}
	start := startOf(c.steps[i].starts, e.Lane)
	if e.Height <= start.Height || e.Height == start.Height+1 && e.Prev != start.Entry {
		return fmt.Errorf("entry %s: %w: height %d of a charter that starts after %d", name, ErrVoid, e.Height, start.Height)
	}
	if i == len(c.steps)-1 {
		return nil
	}
	// SPEC: a certificate under v above the start of v+1 is void
	end := startOf(c.steps[i+1].starts, e.Lane)
	if e.Height > end.Height || e.Height == end.Height && name != end.Entry {
		return fmt.Errorf("entry %s: %w: height %d, the next charter starts after %d", name, ErrVoid, e.Height, end.Height)
	}
	return nil
}

// Start returns after which entry a charter goes on in a lane: height 0 for the first
// charter, and for a lane that begins under it.
func (c Chain) Start(charter ident.CID, lane ident.PublicKey) LaneStart {
	i := c.find(charter)
	if i < 0 {
		return LaneStart{Lane: lane}
	}
	return startOf(c.steps[i].starts, lane)
}

// VerifyPlacement is Placement.Verify under the charter that the receipt names, and in
// that charter's time.
func (c Chain) VerifyPlacement(l Placement) (Receipt, NodeCertificate, error) {
	var r Receipt
	if err := parse(LabelReceipt, l.Receipt.Object, MaxReceipt, &r); err != nil {
		return Receipt{}, NodeCertificate{}, err
	}
	ch, ok := c.At(r.Charter)
	if !ok {
		return Receipt{}, NodeCertificate{}, fmt.Errorf("%w: %s", ErrCharter, r.Charter)
	}
	r, cert, err := l.Verify(ch)
	if err == nil {
		err = c.checkLate(r)
	}
	return r, cert, err
}

// checkLate decides whether a later receipt is of its charter's time. Who is admitted no
// more could go on to sign that he holds shards, in the name of the charter that admitted
// him.
//
// SPEC: A receipt under a charter that has a successor is older than that one's
// certificate, or an hour younger at most: its holder had not heard of it.
func (c Chain) checkLate(r Receipt) error {
	i := c.find(r.Charter)
	if i+1 < len(c.steps) && Time(r.Time).After(c.steps[i+1].since.Add(LateReceipt)) {
		return fmt.Errorf("%w: it was given after its charter's time", ErrReceipt)
	}
	return nil
}
