package ledger_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
)

// certified is a vault of n members and one step in it.
func certified(n int) (*ledgertest.Vault, ledgertest.Step) {
	v := ledgertest.NewVault("certificate", n)
	return v, v.OwnerLane().Enrol(v.Grant(ledgertest.Key("device"), ledger.Append))
}

// encode makes a certificate that NewCertificate would not.
func encodeCertificate(s ledgertest.Step, votes ...ident.Signed) []byte {
	return must(wire.Encode(ledger.Certificate{V: 1, Entry: s.Entry.CID(), Votes: votes}))
}

func TestCertificateRefusals(t *testing.T) {
	v, s := certified(4)
	votes := v.Votes(s, 4)
	other := v.OwnerLane().Enrol(v.Grant(ledgertest.Key("other"), ledger.Append))
	again := s.Propose().Place
	again.Attempt = 1
	m := v.Members[2]
	later := must(ledger.SignVote(m.Vote, ledger.Vote{Place: again, Entry: s.Entry.CID(), Operator: m.Operator.Public()}))
	higher := s.Propose().Place
	higher.Height++
	above := must(ledger.SignVote(m.Vote, ledger.Vote{Place: higher, Entry: s.Entry.CID(), Operator: m.Operator.Public()}))
	stranger := ledgertest.NewMember("stranger")
	stolen := must(ledger.SignVote(stranger.Vote, ledger.Vote{Place: s.Propose().Place, Entry: s.Entry.CID(), Operator: m.Operator.Public()}))
	elsewhere, _ := certified(7)
	for what, c := range map[string]struct {
		votes []ident.Signed
		want  error
	}{
		"no votes":                  {nil, ledger.ErrNoQuorum},
		"too few":                   {votes[:2], ledger.ErrNoQuorum},
		"one twice":                 {[]ident.Signed{votes[0], votes[0], votes[1]}, ledger.ErrInvalid},
		"one twice besides enough":  {[]ident.Signed{votes[0], votes[1], votes[1], votes[2]}, ledger.ErrInvalid},
		"not sorted":                {[]ident.Signed{votes[1], votes[0], votes[2]}, ledger.ErrInvalid},
		"more votes than members":   {append(slices.Clone(votes), votes[0]), ledger.ErrInvalid},
		"vote of a stranger":        {[]ident.Signed{votes[0], votes[1], stranger.VoteFor(s, ledgertest.Start())}, ledger.ErrNotMember},
		"vote by a stranger's key":  {[]ident.Signed{votes[0], votes[1], stolen}, ident.ErrSignature},
		"vote for another entry":    {[]ident.Signed{votes[0], votes[1], m.VoteFor(other, ledgertest.Start())}, ledger.ErrMismatch},
		"all for another entry":     {v.Votes(other, 3), ledger.ErrMismatch},
		"vote at another attempt":   {[]ident.Signed{votes[0], votes[1], later}, ledger.ErrMismatch},
		"vote at another height":    {[]ident.Signed{votes[0], votes[1], above}, ledger.ErrMismatch},
		"votes in another vault":    {elsewhere.Votes(s, 3), ledger.ErrNotMember},
		"grants in place of a vote": {[]ident.Signed{votes[0], votes[1], v.Grant(ledgertest.Key("x"), ledger.Full)}, wire.ErrMalformed},
	} {
		if _, err := ledger.VerifyCertificate(encodeCertificate(s, c.votes...), v.Charter); !errors.Is(err, c.want) {
			t.Errorf("%s: %v; want %v", what, err, c.want)
		}
	}
	for n := 3; n <= 4; n++ {
		c, err := ledger.VerifyCertificate(encodeCertificate(s, votes[:n]...), v.Charter)
		if err != nil {
			t.Errorf("%d votes of 4: %v", n, err)
		}
		if err := c.Certifies(s.Entry); err != nil {
			t.Error(err)
		}
		if err := c.Certifies(other.Entry); !errors.Is(err, ledger.ErrMismatch) {
			t.Errorf("another entry: %v", err)
		}
	}
}

// For every size of a vault: q votes are enough and one less is not.
func TestCertificateNeedsTheQuorum(t *testing.T) {
	for n := 1; n <= 14; n++ {
		v, s := certified(n)
		q := ledger.Quorum(n)
		if _, err := ledger.NewCertificate(v.Votes(s, q), v.Charter); err != nil {
			t.Errorf("n = %d: %d votes: %v", n, q, err)
		}
		if _, err := ledger.NewCertificate(v.Votes(s, q-1), v.Charter); !errors.Is(err, ledger.ErrNoQuorum) {
			t.Errorf("n = %d: %d votes: %v", n, q-1, err)
		}
	}
}

// Votes arrive in any order and more than once.
func TestNewCertificateSorts(t *testing.T) {
	v, s := certified(4)
	votes := v.Votes(s, 4)
	want := must(ledger.NewCertificate(votes, v.Charter))
	slices.Reverse(votes)
	got, err := ledger.NewCertificate(append(votes, votes...), v.Charter)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%x, %v", got, err)
	}
	other := v.OwnerLane().Enrol(v.Grant(ledgertest.Key("other"), ledger.Append))
	if _, err := ledger.NewCertificate(append(votes[:3:3], v.Members[0].VoteFor(other, ledgertest.Start())), v.Charter); err == nil {
		t.Error("votes for two entries make a certificate")
	}
}

// The time of an entry is the median of the clocks, the lower one of two: f liars do
// not move it out of what honest clocks say.
func TestCertificateTime(t *testing.T) {
	for _, c := range []struct {
		clocks []int64
		want   int64
	}{
		{[]int64{3, 1, 2}, 2},
		{[]int64{4, 1, 3, 2}, 2},
		{[]int64{0, 1000, 1001, 1002}, 1000},
		{[]int64{1000, 1001, 1002, 253402300799999}, 1001},
		{[]int64{5, 5, 5}, 5},
	} {
		v, s := certified(4)
		var votes []ident.Signed
		for i, clock := range c.clocks {
			votes = append(votes, v.Members[i].VoteFor(s, time.UnixMilli(clock)))
		}
		cert, err := ledger.VerifyCertificate(must(ledger.NewCertificate(votes, v.Charter)), v.Charter)
		if err != nil || ledger.Millis(cert.Time()) != c.want {
			t.Errorf("%v: %d, %v", c.clocks, ledger.Millis(cert.Time()), err)
		}
	}
}

// A link is verified as far as it goes.
func TestLinkVerifies(t *testing.T) {
	v, s := certified(4)
	_, next := certified(5)
	whole := v.Link(s)
	for what, c := range map[string]struct {
		change func(*ledger.Link)
		want   error
	}{
		"whole":              {func(*ledger.Link) {}, nil},
		"without body":       {func(l *ledger.Link) { l.Body = nil }, nil},
		"without cert":       {func(l *ledger.Link) { l.Cert = nil }, nil},
		"another body":       {func(l *ledger.Link) { l.Body = []byte("x") }, ledger.ErrBody},
		"forged entry":       {func(l *ledger.Link) { l.Entry.Signature[3] ^= 1 }, ident.ErrSignature},
		"another vault's":    {func(l *ledger.Link) { *l = ledger.Link{Entry: next.Signed} }, ledger.ErrMismatch},
		"another's cert":     {func(l *ledger.Link) { l.Cert = otherCertificate(v) }, ledger.ErrMismatch},
		"cert of too few":    {func(l *ledger.Link) { l.Cert = encodeCertificate(s, v.Votes(s, 2)...) }, ledger.ErrNoQuorum},
		"cert that is empty": {func(l *ledger.Link) { l.Cert = ledger.Raw{0xa0} }, wire.ErrMalformed},
	} {
		l := whole
		c.change(&l)
		read, err := ledger.ParseLink(must(l.Encode()))
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if _, _, err := read.Verify(v.Charter); !errors.Is(err, c.want) {
			t.Errorf("%s: %v; want %v", what, err, c.want)
		}
	}
}

func otherCertificate(v *ledgertest.Vault) []byte {
	return v.Certificate(v.OwnerLane().Enrol(v.Grant(ledgertest.Key("other"), ledger.Append)))
}

// Reports for an attempt: a quorum of distinct members, all for that place.
func TestReports(t *testing.T) {
	w := newWorld()
	ch := w.vault.Charter
	propose := func(reports ...ident.Signed) error {
		p := w.second.Propose()
		p.Attempt, p.Reports = 1, reports
		s, err := ledger.SignProposal(w.device, p)
		if err != nil {
			return err
		}
		return w.verifyProposal(s)
	}
	sign := func(i int, change func(*ledger.Report)) ident.Signed {
		r := w.report(i)
		change(&r)
		return must(ledger.SignReport(w.vault.Members[i].Vote, r))
	}
	good := w.reports()
	for what, c := range map[string]struct {
		reports []ident.Signed
		want    error
	}{
		"a quorum":        {good, nil},
		"none":            {nil, ledger.ErrInvalid},
		"too few":         {good[:2], ledger.ErrNoQuorum},
		"one twice":       {[]ident.Signed{good[0], good[1], good[1]}, ledger.ErrInvalid},
		"another attempt": {append(good[:2:2], sign(2, func(r *ledger.Report) { r.Attempt = 2 })), ledger.ErrMismatch},
		"another height":  {append(good[:2:2], sign(2, func(r *ledger.Report) { r.Height = 1 })), ledger.ErrMismatch},
		"by a stranger":   {append(good[:2:2], must(ledger.SignReport(ledgertest.Key("x"), w.report(2)))), ident.ErrSignature},
		"certificate of another height": {append(good[:2:2], sign(2, func(r *ledger.Report) {
			r.Highest = w.vault.Certificate(w.first)
		})), ledger.ErrMismatch},
		"certificate of this attempt": {append(good[:2:2], sign(2, func(r *ledger.Report) {
			r.Attempt, r.Highest = 0, w.vault.Certificate(w.second)
		})), ledger.ErrMismatch},
		"certificate of too few": {append(good[:2:2], sign(2, func(r *ledger.Report) {
			r.Highest = encodeCertificate(w.second, w.vault.Votes(w.second, 2)...)
		})), ledger.ErrNoQuorum},
	} {
		if err := propose(c.reports...); !errors.Is(err, c.want) {
			t.Errorf("%s: %v; want %v", what, err, c.want)
		}
	}
	r, err := ledger.VerifyReport(good[0], ch)
	if c, ok := r.Certificate(); err != nil || !ok || c.Entry != w.second.Entry.CID() {
		t.Errorf("certificate of a report: %v, %v", ok, err)
	}
	if r, err := ledger.VerifyReport(good[1], ch); err != nil || !r.Highest.IsZero() {
		t.Errorf("report without: %v", err)
	}
	early := w.second.Propose()
	early.Reports = good
	if _, err := ledger.SignProposal(w.device, early); !errors.Is(err, ledger.ErrInvalid) {
		t.Errorf("reports at attempt 0: %v", err)
	}
}
