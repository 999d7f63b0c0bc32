package ledger

import (
	"fmt"
	"slices"
	"time"

	"holdfast/internal/ident"
)

// CaseState is how far a request has come, in words for people and programs.
type CaseState string

// The states of a request. Members consent to releases only where it has passed.
// StateCertified is for people: a release of it is certified and not taken back,
// whatever Judge says about more of them.
const (
	StateRequested CaseState = "requested" // approvals are missing
	StateCooling   CaseState = "cooling"   // approved, and the cooling-off is not over
	StateRetained  CaseState = "retained"  // cooled off, and a target's time is not over, or it is not known here
	StatePassed    CaseState = "passed"
	StateCertified CaseState = "certified"
	StateVetoed    CaseState = "vetoed"
	StateExpired   CaseState = "expired" // open for 90 days
	StateVoid      CaseState = "void"    // another charter is in force, or who asked has lost the right to
	StateUndone    CaseState = "undone"  // its release was taken back
)

// Open reports whether a request in a state can still pass.
func (s CaseState) Open() bool {
	return s == StateRequested || s == StateCooling || s == StateRetained || s == StatePassed
}

// Facts is what a member knows about a case besides the papers in it.
type Facts struct {
	Charter Charter         // in force
	Next    Charter         // verified successor, for a request of that kind
	Terms   Terms           // the strictest since the targets were certified
	Targets func() []Target // in the request's order; called only where they decide
	Revoked bool            // who asked has lost the right to
}

// Target is a snapshot that a request names, as one member knows it. The zero value
// is one that is not certified here.
type Target struct {
	Certified bool // a certified snapshot entry
	// Since is when its retention began: the entry's time, or this member's own first
	// sight of it if that is later.
	Since time.Time
	// Newer is how many newer complete snapshots of the same lane and source there are
	// that are neither targets of this request nor released.
	Newer int64
}

// Judge says how far a case has come, and why it goes no further. It is pure: the
// same case, facts and time give the same answer, and apart from StateVoid,
// StateVetoed and StateExpired a later time never gives an earlier state.
func (c Case) Judge(f Facts, now time.Time) (CaseState, string) {
	r := c.request
	switch {
	case len(c.Undone) > 0:
		return StateUndone, "a release of it was taken back"
	case r.Charter != f.Charter.CID():
		return StateVoid, "another charter is in force"
	case f.Revoked:
		return StateVoid, "who asked has lost the right to"
	}
	override := c.override(f)
	if vetoers := c.Vetoers(); len(vetoers) > 0 && !override {
		return StateVetoed, fmt.Sprintf("vetoed by %s", nameOf(f.Charter, vetoers[0]))
	}
	if now.After(c.expires(override)) {
		return StateExpired, "it was not settled in time"
	}
	return c.progress(f, override, now)
}

// progress goes through what an open request waits for, in its order.
func (c Case) progress(f Facts, override bool, now time.Time) (CaseState, string) {
	r := c.request
	if r.Kind != RequestExpiry {
		if have, need := c.approving(f.Charter), needed(f.Charter, override); have < need {
			return StateRequested, fmt.Sprintf("%d of %d approvals", have, need)
		}
		// SPEC: cooling-off on each member's own clock, from when it first held the request
		// with m approvals
		wait := f.Terms.Cooling
		if override {
			// SPEC: overridden only by approvals of all the others and 90 days
			wait = max(wait, RequestLife)
		}
		if until := Time(c.cooledFrom(f.Charter)).Add(wait); now.Before(until) {
			return StateCooling, "cooling off until " + until.UTC().Format(time.RFC3339)
		}
	}
	if r.Kind == RequestCharter {
		return StatePassed, ""
	}
	return c.targets(f, now)
}

// targets holds what is asked of each snapshot.
func (c Case) targets(f Facts, now time.Time) (CaseState, string) {
	t := f.Terms
	if c.request.Kind == RequestExpiry && t.Expiry == (Expiry{}) {
		return StateRetained, "the charter agrees to no routine expiry"
	}
	for i, target := range f.Targets() {
		name := c.request.Targets[i].Hex()[:8]
		age := t.Retention
		if c.request.Kind == RequestExpiry {
			age = max(age, seconds(t.Expiry.After))
		}
		switch {
		case !target.Certified:
			return StateRetained, fmt.Sprintf("snapshot %s is not certified here", name)
		// SPEC: retention of every target is over, from the entry's time or the member's
		// own first sight if later
		case now.Before(target.Since.Add(age)):
			return StateRetained, fmt.Sprintf("snapshot %s is kept until %s", name, target.Since.Add(age).UTC().Format(time.RFC3339))
		// SPEC: at least `newer` newer complete snapshots of the same lane and source that
		// are not themselves targets or forgotten
		case c.request.Kind == RequestExpiry && target.Newer < t.Expiry.Newer:
			return StateRetained, fmt.Sprintf("snapshot %s has %d newer ones of %d", name, target.Newer, t.Expiry.Newer)
		}
	}
	return StatePassed, ""
}

// expires returns the last moment of an open request. A clock in the past, which who
// asks may claim, harms only himself.
//
// SPEC: Requests expire after 90 days.
func (c Case) expires(override bool) time.Time {
	life := RequestLife
	if override {
		life = 2 * RequestLife
	}
	return Time(min(c.First, c.request.Clock)).Add(life)
}

// cooledFrom returns when the cooling-off began: with guardians when m of them had
// approved, without them at first sight. c.Approved is 0 until then.
func (c Case) cooledFrom(ch Charter) int64 {
	if len(ch.Guardians) == 0 {
		return c.First
	}
	return c.Approved
}

// needed returns how many approvals a request needs.
func needed(ch Charter, override bool) int {
	if override {
		return 0 // override has counted
	}
	return int(ch.Threshold)
}

// approving counts the guardians of a charter that approve.
func (c Case) approving(ch Charter) int {
	n := 0
	for _, k := range c.Approvers() {
		if _, ok := ch.Guardian(k); ok {
			n++
		}
	}
	return n
}

// ApprovedBy reports whether enough guardians of a charter approve.
func (c Case) ApprovedBy(ch Charter) bool { return c.approving(ch) >= int(ch.Threshold) }

// override reports whether all vetoes are guardians' who would be removed, and all
// others approve.
//
// SPEC: A guardian's veto of his own removal is overridden only by all the others and
// 90 days.
func (c Case) override(f Facts) bool {
	if c.request.Kind != RequestCharter || len(c.vetoes) == 0 || f.Next.CID() != c.request.Successor {
		return false
	}
	vetoers, approvers := c.Vetoers(), c.Approvers()
	for _, k := range vetoers {
		_, stays := f.Next.Guardian(k)
		if _, was := f.Charter.Guardian(k); !was || stays {
			return false
		}
	}
	for _, g := range f.Charter.Guardians {
		if !slices.Contains(vetoers, g.Key) && !slices.Contains(approvers, g.Key) {
			return false
		}
	}
	return len(vetoers) < len(f.Charter.Guardians)
}

// Guardian returns the guardian with an approval key.
func (c Charter) Guardian(key ident.PublicKey) (Guardian, bool) {
	i := slices.IndexFunc(c.Guardians, func(g Guardian) bool { return g.Key == key })
	if i < 0 {
		return Guardian{}, false
	}
	return c.Guardians[i], true
}

func nameOf(ch Charter, key ident.PublicKey) string {
	if g, ok := ch.Guardian(key); ok {
		return g.Name
	}
	return key.Short()
}
