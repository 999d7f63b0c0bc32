package vault

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// Case is a request with what was said about it, put together from what the members
// show. What is signed was verified; what only members say stands in Views.
type Case struct {
	Request   ledger.Request
	Approvals []Voice
	Vetoes    []Voice
	Views     []CaseView // of the members that answered and know it
	Members   int        // that there are
	Quorum    int

	// State is how far the request has come: no further than a quorum of the members
	// goes along. Why says what is missing, in the words of one of them.
	State ledger.CaseState
	Why   string

	Releases []ident.CID // that a quorum has certified, and not taken back; verified
	Segments int         // in all that were certified

	papers papers
}

// Voice is one approval or veto.
type Voice struct {
	Key  ident.PublicKey
	Name string    // the guardian's, or the device's
	Time time.Time // on the clock of who signed
	Kept int       // members that have it
}

// CaseView is what one member says about a case.
type CaseView struct {
	Member   string
	State    ledger.CaseState
	Why      string
	First    time.Time // when the member first saw the request
	Approved time.Time // when it had all the approvals; zero before
}

// papers are the signed parts of a case, and who has them.
type papers struct {
	request, successor ident.Signed
	opinions           map[ledger.Stance]map[ident.PublicKey]ident.Signed
	held               map[ident.PublicKey]*ledger.Case // member's node -> what it showed
	answered           map[ident.PublicKey]bool         // members' nodes
}

// maxCasePages bounds how much of its past one member is heard about.
const maxCasePages = 16

// cases asks all members for their cases and puts them together, the newest first.
func (c council) cases(ctx context.Context) ([]Case, Standing, error) {
	answers := ask(ctx, c, func(ctx context.Context, m seat) ([]ledger.Case, error) {
		return c.casesOf(ctx, m)
	})
	st := c.standing(succeeded(answers))
	for _, a := range answers {
		if a.Err != nil {
			st.Silent = append(st.Silent, a.Member.Name)
		}
	}
	if st.Answers == 0 {
		return nil, st, fmt.Errorf("ask members for requests: %w: %w", ErrNetwork, noneAnswers(answers))
	}
	return c.merge(answers), st, nil
}

func (c council) standing(answers int) Standing {
	n := len(c.charter.Members)
	return Standing{Answers: answers, Members: n, Freshness: ledger.Judge(n, answers)}
}

// casesOf fetches the cases of one member, page by page.
func (c council) casesOf(ctx context.Context, m seat) ([]ledger.Case, error) {
	var out []ledger.Case
	var after ident.CID
	for range maxCasePages {
		page, err := m.Cases(ctx, c.charter.ID(), after)
		if err != nil || len(page) == 0 {
			return out, err
		}
		for _, p := range page {
			k, err := ledger.VerifyCase(p, c.charter.ID())
			if err != nil {
				return out, fmt.Errorf("%w: %w", ErrFork, err)
			}
			out = append(out, k)
			after = k.Asked().CID()
		}
	}
	return out, nil
}

// merge puts the members' cases together. It is pure.
func (c council) merge(answers []answer[[]ledger.Case]) []Case {
	all := map[ident.CID]*Case{}
	answered := map[ident.PublicKey]bool{}
	for _, a := range answers {
		if a.Err != nil {
			continue
		}
		answered[a.Member.Node] = true
		for i := range a.Value {
			c.take(all, a.Member, &a.Value[i])
		}
	}
	var out []Case
	for _, k := range all {
		if c.counts(*k) {
			c.conclude(k)
			k.papers.answered = answered
			out = append(out, *k)
		}
	}
	slices.SortFunc(out, func(a, b Case) int {
		return cmp.Or(-a.first().Compare(b.first()), a.Request.CID().Compare(b.Request.CID()))
	})
	return out
}

// take adds one member's case to what others have shown of it.
func (c council) take(all map[ident.CID]*Case, m ledger.Member, shown *ledger.Case) {
	r := shown.Asked()
	k := all[r.CID()]
	if k == nil {
		k = &Case{Request: r, Members: len(c.charter.Members), Quorum: c.quorum(), papers: papers{
			request: shown.Request, opinions: map[ledger.Stance]map[ident.PublicKey]ident.Signed{ledger.Approve: {}, ledger.Veto: {}},
			held: map[ident.PublicKey]*ledger.Case{},
		}}
		all[r.CID()] = k
	}
	if k.papers.held[m.Node] != nil {
		return // a member that shows a case twice is heard once
	}
	k.papers.held[m.Node] = shown
	if k.papers.successor.IsZero() {
		k.papers.successor = shown.Successor
	}
	k.Approvals = c.hear(k, k.Approvals, ledger.Approve, shown.Approvals)
	k.Vetoes = c.hear(k, k.Vetoes, ledger.Veto, shown.Vetoes)
	v := CaseView{Member: m.Name, State: shown.State, Why: shown.Why, First: ledger.Time(shown.First)}
	if shown.Approved > 0 {
		v.Approved = ledger.Time(shown.Approved)
	}
	k.Views = append(k.Views, v)
}

// hear adds the opinions that a member has to the voices, where who signed has a say.
func (c council) hear(k *Case, voices []Voice, stance ledger.Stance, list []ident.Signed) []Voice {
	for _, signed := range list {
		o, err := ledger.ReadOpinion(signed, stance)
		if err != nil || ledger.CheckVoice(c, stance, o.By, c.now()) != nil {
			continue
		}
		i := slices.IndexFunc(voices, func(v Voice) bool { return v.Key == o.By })
		if i < 0 {
			k.papers.opinions[stance][o.By] = signed
			voices = append(voices, Voice{Key: o.By, Name: c.nameOf(o.By), Time: ledger.Time(o.Clock)})
			i = len(voices) - 1
		}
		voices[i].Kept++
	}
	return voices
}

// nameOf returns how a key that may ask or have a say is called.
func (c council) nameOf(key ident.PublicKey) string {
	if g, ok := c.charter.Guardian(key); ok {
		return g.Name
	}
	if key == c.charter.Owner {
		return "the owner"
	}
	if g, ok, _ := c.grants(key); ok {
		return g.Name
	}
	return key.Short()
}

// counts reports whether a request is worth a person's time: who asks may ask, or more
// members than can lie say that they keep it.
func (c council) counts(k Case) bool {
	return ledger.CheckAsker(c, k.Request, c.now()) == nil || len(k.Views) > ledger.Faults(k.Members)
}

// progress orders the states of a request that is not at its end.
var progress = []ledger.CaseState{ledger.StateRequested, ledger.StateCooling, ledger.StateRetained, ledger.StatePassed, ledger.StateCertified}

// conclude says how far a case has come. A veto is proved by its signature. Everything
// else takes as many members as are needed to act, or so many that no quorum is left
// without one of them.
func (c council) conclude(k *Case) {
	if len(k.Vetoes) > 0 && k.says(ledger.StateVetoed) > 0 {
		k.State, k.Why = ledger.StateVetoed, "vetoed by "+k.Vetoes[0].Name
		return
	}
	for _, end := range []ledger.CaseState{ledger.StateUndone, ledger.StateVoid, ledger.StateExpired} {
		if k.says(end) > k.Members-k.Quorum {
			k.State = end
			k.Why = k.why(end)
			return
		}
	}
	k.State = ledger.StateRequested
	for i := len(progress) - 1; i >= 0; i-- {
		if k.says(progress[i:]...) >= k.Quorum {
			k.State = progress[i]
			break
		}
	}
	k.Why = k.why(k.State)
	if k.Why == "" && k.State == ledger.StateRequested {
		k.Why = fmt.Sprintf("%d of %d members know it", len(k.Views), k.Members)
	}
}

// says counts the members in one of the states.
func (k Case) says(states ...ledger.CaseState) int {
	n := 0
	for _, v := range k.Views {
		if slices.Contains(states, v.State) {
			n++
		}
	}
	return n
}

// why returns a reason of a member in a state: of those that the quorum waits for. The
// reasons of one state differ in times at most.
func (k Case) why(state ledger.CaseState) string {
	var reasons []string
	for _, v := range k.Views {
		if v.State == state && v.Why != "" {
			reasons = append(reasons, v.Why)
		}
	}
	if len(reasons) == 0 {
		return ""
	}
	slices.SortFunc(reasons, strings.Compare)
	return reasons[min(len(reasons), k.Quorum)-1]
}

// first returns when a member first saw the request: the middle one's word.
func (k Case) first() time.Time {
	var all []time.Time
	for _, v := range k.Views {
		all = append(all, v.First)
	}
	slices.SortFunc(all, time.Time.Compare)
	return all[len(all)/2]
}

// CoolsUntil returns when enough members will have waited for the cooling-off of the
// charter in force, by their own clocks; false while too few have begun to.
func (k Case) CoolsUntil(cooling time.Duration, guardians bool) (time.Time, bool) {
	var begun []time.Time
	for _, v := range k.Views {
		from := v.First
		if guardians {
			from = v.Approved
		}
		if !from.IsZero() {
			begun = append(begun, from)
		}
	}
	if len(begun) < k.Quorum || k.Request.Kind == ledger.RequestExpiry {
		return time.Time{}, false
	}
	slices.SortFunc(begun, time.Time.Compare)
	return begun[k.Quorum-1].Add(cooling), true
}

// spread hands the papers of open cases, and vetoes, to the members that lack them:
// whoever looks helps, so that what one member has heard all come to know. What a
// member does not take is missing in its next answer, too.
func (c council) spread(ctx context.Context, cases []Case) {
	for _, k := range cases {
		if !k.State.Open() && k.State != ledger.StateVetoed {
			continue
		}
		for _, m := range c.charter.Members {
			if k.papers.answered[m.Node] {
				c.handOver(ctx, m, k)
			}
		}
	}
}

// handOver brings one member what it did not show.
func (c council) handOver(ctx context.Context, m ledger.Member, k Case) {
	p, vault := k.papers, c.charter.ID()
	held := p.held[m.Node]
	if held == nil {
		if c.member(m).Request(ctx, vault, p.request, p.successor) != nil {
			return
		}
		held = &ledger.Case{}
	}
	for stance, has := range map[ledger.Stance][]ident.PublicKey{ledger.Approve: held.Approvers(), ledger.Veto: held.Vetoers()} {
		for by, signed := range p.opinions[stance] {
			if !slices.Contains(has, by) && c.member(m).Opine(ctx, vault, stance, signed) != nil {
				return
			}
		}
	}
}
