package ledger_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
)

const day = 24 * time.Hour

// hearing is a case in the making, two days after the request was seen: charter with
// three guardians of whom two must approve, 14 days of cooling-off, 30 of retention.
type hearing struct {
	vault    *ledgertest.Vault
	request  ledger.Request
	signed   ident.Signed
	approve  []int // guardians
	veto     []int
	stranger bool // one more approval, of nobody
	next     ledger.Charter
	c        ledger.Case
	f        ledger.Facts
	target   ledger.Target
	at       time.Duration // since the request was seen
}

func newHearing(guardians int, kind ledger.RequestKind, change ...func(*ledger.Charter)) *hearing {
	h := &hearing{}
	h.vault = ledgertest.NewVault("hearing", 4).Change("hearing", func(c *ledger.Charter) {
		if guardians > 0 {
			ledgertest.Guardians(guardians, 2)(c)
		}
		c.Expiry = ledger.Expiry{After: int64(90 * day / time.Second), Newer: 3}
		for _, f := range change {
			f(c)
		}
	})
	h.request = h.vault.DraftRequest(kind, ident.SumDagCBOR([]byte("target")))
	if kind == ledger.RequestCharter {
		h.request.Targets = nil
		next := h.vault.Draft("hearing")
		ledgertest.Guardians(guardians-1, 2)(&next) // the last guardian would go
		next.Number, next.Vault, next.Prev = 2, h.vault.ID(), h.vault.Charter.CID()
		signed := must(ledger.SignCharter(h.vault.Owner, next))
		h.next = must(ledger.VerifyNextCharter(signed, h.vault.Charter))
		h.c.Successor, h.request.Successor = signed, signed.CID()
	}
	h.c.First = ledger.Millis(ledgertest.Start())
	h.f = ledger.Facts{Charter: h.vault.Charter, Next: h.next, Terms: h.vault.Charter.Terms()}
	h.target = ledger.Target{Certified: true, Since: ledgertest.Start().Add(-400 * day), Newer: 3}
	return h
}

func (h *hearing) judge() (ledger.CaseState, string) {
	if h.c.Request.IsZero() {
		h.c.Request = must(ledger.SignRequest(h.vault.Owner, h.request))
	}
	c := h.c
	for _, g := range h.approve {
		c.Approvals = append(c.Approvals, h.vault.Opinion(ledgertest.GuardianKey(g), ledger.Approve, c.Request.CID()))
	}
	if h.stranger {
		c.Approvals = append(c.Approvals, h.vault.Opinion(h.vault.Owner, ledger.Approve, c.Request.CID()))
	}
	for _, g := range h.veto {
		c.Vetoes = append(c.Vetoes, h.vault.Opinion(ledgertest.GuardianKey(g), ledger.Veto, c.Request.CID()))
	}
	h.f.Targets = func() []ledger.Target { return []ledger.Target{h.target} }
	return must(ledger.NewCase(c)).Judge(h.f, ledgertest.Start().Add(h.at))
}

// approved makes the case one that two guardians approved a day after it was seen.
func (h *hearing) approved(at time.Duration) *hearing {
	h.approve, h.c.Approved, h.at = []int{0, 1}, ledger.Millis(ledgertest.Start().Add(day)), at
	return h
}

// One row for each way in which a request goes on, or does not.
func TestCaseJudge(t *testing.T) {
	with := func(h *hearing, f func(*hearing)) *hearing { f(h); return h }
	release := func() *hearing { return newHearing(3, ledger.RequestRelease) }
	expiry := func() *hearing { return newHearing(0, ledger.RequestExpiry) }
	charter := func() *hearing { return newHearing(4, ledger.RequestCharter) }
	for name, c := range map[string]struct {
		h    *hearing
		want ledger.CaseState
	}{
		"no approval":                     {release(), ledger.StateRequested},
		"one approval":                    {with(release(), func(h *hearing) { h.approve = []int{2} }), ledger.StateRequested},
		"one approval twice":              {with(release(), func(h *hearing) { h.approve = []int{2, 2} }), ledger.StateRequested},
		"one approval and a stranger's":   {with(release(), func(h *hearing) { h.approve, h.stranger = []int{2}, true }), ledger.StateRequested},
		"cooling":                         {release().approved(15*day - time.Second), ledger.StateCooling},
		"cooled":                          {release().approved(15 * day), ledger.StatePassed},
		"vetoed":                          {with(release().approved(20*day), func(h *hearing) { h.veto = []int{2} }), ledger.StateVetoed},
		"approved and vetoed by one":      {with(release().approved(20*day), func(h *hearing) { h.veto = []int{0} }), ledger.StateVetoed},
		"last day":                        {release().approved(90 * day), ledger.StatePassed},
		"expired":                         {release().approved(90*day + time.Second), ledger.StateExpired},
		"expired without approval":        {with(release(), func(h *hearing) { h.at = 91 * day }), ledger.StateExpired},
		"a clock in the past":             {with(release().approved(20*day), func(h *hearing) { h.request.Clock -= int64(80 * day / time.Millisecond) }), ledger.StateExpired},
		"another charter":                 {with(release().approved(20*day), func(h *hearing) { h.request.Charter = ident.SumDagCBOR([]byte("before")) }), ledger.StateVoid},
		"who asked was revoked":           {with(release().approved(20*day), func(h *hearing) { h.f.Revoked = true }), ledger.StateVoid},
		"a release was taken back":        {with(release().approved(20*day), func(h *hearing) { h.c.Undone = []ident.CID{ident.SumDagCBOR(nil)} }), ledger.StateUndone},
		"target not here":                 {with(release().approved(20*day), func(h *hearing) { h.target = ledger.Target{} }), ledger.StateRetained},
		"target too young":                {with(release().approved(20*day), func(h *hearing) { h.target.Since = ledgertest.Start().Add(-9 * day) }), ledger.StateRetained},
		"target of an age":                {with(release().approved(20*day), func(h *hearing) { h.target.Since = ledgertest.Start().Add(-10 * day) }), ledger.StatePassed},
		"no guardians, cooling":           {with(newHearing(0, ledger.RequestRelease), func(h *hearing) { h.at = 14*day - 1 }), ledger.StateCooling},
		"no guardians, cooled":            {with(newHearing(0, ledger.RequestRelease), func(h *hearing) { h.at = 14 * day }), ledger.StatePassed},
		"expiry":                          {expiry(), ledger.StatePassed},
		"expiry with guardians":           {newHearing(3, ledger.RequestExpiry), ledger.StatePassed},
		"expiry vetoed":                   {with(newHearing(3, ledger.RequestExpiry), func(h *hearing) { h.veto = []int{1} }), ledger.StateVetoed},
		"expiry of what is too young":     {with(expiry(), func(h *hearing) { h.target.Since = ledgertest.Start().Add(-90*day + 1) }), ledger.StateRetained},
		"expiry with too few newer":       {with(expiry(), func(h *hearing) { h.target.Newer = 2 }), ledger.StateRetained},
		"expiry not agreed":               {with(expiry(), func(h *hearing) { h.f.Terms.Expiry = ledger.Expiry{} }), ledger.StateRetained},
		"expiry within retention":         {with(expiry(), func(h *hearing) { h.f.Terms.Retention = 401 * day }), ledger.StateRetained},
		"charter":                         {charter().approved(15 * day), ledger.StatePassed},
		"charter, too few approve":        {with(charter(), func(h *hearing) { h.approve = []int{1} }), ledger.StateRequested},
		"charter, vetoed by who stays":    {with(charter().approved(95*day), func(h *hearing) { h.veto, h.approve = []int{0}, []int{1, 2} }), ledger.StateVetoed},
		"charter, vetoed by who goes":     {with(charter().approved(95*day), func(h *hearing) { h.veto = []int{3} }), ledger.StateVetoed},
		"charter, all others, 90 days":    {with(charter().approved(91*day), func(h *hearing) { h.veto, h.approve = []int{3}, []int{0, 1, 2} }), ledger.StatePassed},
		"charter, all others, 89 days":    {with(charter().approved(91*day-1), func(h *hearing) { h.veto, h.approve = []int{3}, []int{0, 1, 2} }), ledger.StateCooling},
		"charter, all others, 181 days":   {with(charter().approved(181*day), func(h *hearing) { h.veto, h.approve = []int{3}, []int{0, 1, 2} }), ledger.StateExpired},
		"charter, another successor":      {with(charter().approved(91*day), func(h *hearing) { h.veto, h.approve, h.f.Next = []int{3}, []int{0, 1, 2}, ledger.Charter{} }), ledger.StateVetoed},
		"charter, who stays vetoes too":   {with(charter().approved(91*day), func(h *hearing) { h.veto, h.approve = []int{3, 2}, []int{0, 1, 2} }), ledger.StateVetoed},
		"release, all others and 90 days": {with(release().approved(90*day), func(h *hearing) { h.veto, h.approve = []int{2}, []int{0, 1} }), ledger.StateVetoed},
	} {
		if got, why := c.h.judge(); got != c.want || got != ledger.StatePassed && why == "" {
			t.Errorf("%s: %s (%s), want %s", name, got, why, c.want)
		}
	}
}

// Time leads forward only: what has passed stays so until it expires, and nothing that
// has ended comes back.
func TestJudgeGoesForward(t *testing.T) {
	rank := map[ledger.CaseState]int{
		ledger.StateRequested: 0, ledger.StateCooling: 1, ledger.StateRetained: 2, ledger.StatePassed: 3, ledger.StateExpired: 4,
	}
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom([]ledger.RequestKind{ledger.RequestRelease, ledger.RequestExpiry, ledger.RequestCharter}).Draw(t, "kind")
		h := newHearing(3, kind)
		if rapid.Bool().Draw(t, "approved") {
			h.approved(0)
		}
		h.target.Since = ledgertest.Start().Add(-time.Duration(rapid.IntRange(0, 200).Draw(t, "age")) * day)
		was := -1
		for _, hours := range rapid.SliceOfN(rapid.IntRange(0, 24*100), 2, 12).Draw(t, "steps") {
			h.at += time.Duration(hours) * time.Hour
			state, why := h.judge()
			now, ok := rank[state]
			if !ok || now < was {
				t.Fatalf("%s (%s) after rank %d", state, why, was)
			}
			was = now
		}
	})
}

// The strictest of all charters counts, whichever came last.
func TestStrictest(t *testing.T) {
	long, short := ledger.Charter{Retention: 100, Cooling: 7, Trash: 9, Expiry: ledger.Expiry{After: 50, Newer: 1}},
		ledger.Charter{Retention: 10, Cooling: 70, Trash: 1, Expiry: ledger.Expiry{After: 5, Newer: 9}}
	want := ledger.Terms{
		Retention: 100 * time.Second, Cooling: 70 * time.Second, Trash: 9 * time.Second, Expiry: ledger.Expiry{After: 50, Newer: 9},
	}
	for _, got := range []ledger.Terms{ledger.Strictest(long, short), ledger.Strictest(short, long), ledger.Strictest(long, short, long)} {
		if got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	if got := ledger.Strictest(long, ledger.Charter{}).Expiry; got != (ledger.Expiry{}) {
		t.Errorf("expiry %+v that one of them does not agree to", got)
	}
}
