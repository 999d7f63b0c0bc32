package vault

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/custody"
)

// Status says whether every byte is safe, and what could still be lost. It is what the
// holders have shown when they were asked, held against the ledger; what members' audits
// have found says how long ago all of it was proved.
type Status struct {
	Report     custody.Report // of what has been shown
	Withstands int            // operators that may be lost besides, whichever they are; -1: not now
	Nodes      int            // nodes that may be, the same way
	Alone      []Alone        // what the loss of one party alone would do besides: node, operator, zone
	Effective  custody.Effective
	Law        []string // who holds more of a segment than may be lost, a line each: the first ones
	LawCount   int      // of all such segments and parties
	Holders    []HolderStatus
	Unplaced   int64     // shards that nobody was ever given
	Repairing  int64     // shards that most members know to be missing, or with somebody who is gone
	Asked      time.Time // when the holders were
	Members    int       // whose audits were heard
	Believable int       // that have to speak of a holder before its State, Proof and Why are said

	Guardians    []Confirmed // see Session.Confirmations
	GuardiansErr error       // why no member says what they confirm
}

// Alone is the party of its kind whose loss would do most harm.
type Alone struct {
	Kind   custody.Domain
	Name   string
	Margin int // shards left of the segment that it harms most, minus k
}

// HolderStatus is one node that must have shards of the vault.
type HolderStatus struct {
	Node     ident.PublicKey
	Operator ident.PublicKey
	Name     string // of its operator
	Zone     string
	Shards   int64
	Missing  int64 // of these, that it has not shown now
	Asked    int   // groups of bytes that it was asked for, now
	Proved   int   // and has sent
	Lied     int   // and has sent wrong
	Err      error // why it has not answered; nil if it has

	State ledger.HolderState // by the members' audits; empty if too few speak of it
	Proof time.Time          // it has held everything since before then, by the same; zero for never
	Why   string             // what keeps its standing from being the best
	known int64              // shards that it lacks, by the same
}

// Safe reports whether every shard of every segment is where it must be.
func (st Status) Safe() bool { return st.Report.Live == st.Report.Shards }

// Lied counts the groups of bytes that holders have sent wrong.
func (st Status) Lied() (n int) {
	for _, h := range st.Holders {
		n += h.Lied
	}
	return n
}

// Oldest is the time since when everything is proved by the members' audits; false if a
// holder was never audited to the end.
func (st Status) Oldest() (time.Time, bool) {
	var oldest time.Time
	for _, h := range st.Holders {
		if h.Proof.IsZero() {
			return time.Time{}, false
		}
		if oldest.IsZero() || h.Proof.Before(oldest) {
			oldest = h.Proof
		}
	}
	return oldest, !oldest.IsZero()
}

// maxLawLines bounds the list of a Status.
const maxLawLines = 16

// StatusSamples and AuditSamples are how many groups of bytes a status and an audit ask
// of each holder. One that has lost a hundredth of what it holds, and says that it has
// it, is found by 459 with a chance of 99 in 100: 1 - 0.99^459.
const (
	StatusSamples = 16
	AuditSamples  = 459
)

// Status asks all holders now, each for so many groups of bytes. Sync has to be called
// before. What cannot be asked counts as lost: nothing is said from memory.
func (s *Session) Status(ctx context.Context, samples int) (Status, error) {
	m, err := s.custody(ctx)
	if err != nil {
		return Status{}, fmt.Errorf("status: %w", err)
	}
	st := Status{Asked: s.options.Now(), Believable: s.believable()}
	audits := make(chan []ledger.AuditReport, 1)
	go func() { audits <- s.askAudits(ctx) }()
	confirmed := make(chan struct{})
	go func() {
		defer close(confirmed)
		st.Guardians, st.GuardiansErr = s.Confirmations(ctx)
	}()
	rolls, err := s.rollCall(samples).call(ctx, m)
	reports := <-audits
	<-confirmed
	if err != nil {
		return st, fmt.Errorf("status: %w", err)
	}
	loss := m.Loss()
	for _, r := range rolls {
		st.Holders = append(st.Holders, s.holderStatus(m, r, loss, reports))
	}
	slices.SortFunc(st.Holders, func(a, b HolderStatus) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), a.Node.Compare(b.Node))
	})
	st.Members = len(reports)
	s.weighLoss(&st, m, loss)
	return st, nil
}

// holderStatus takes one holder's answer into the loss.
func (s *Session) holderStatus(m *custody.Map, r roll, loss *custody.Loss, reports []ledger.AuditReport) HolderStatus {
	h := HolderStatus{
		Node: r.node, Operator: s.operatorOf(r.node), Name: s.nameOf(r.node), Zone: m.Holders()[r.holder].Zone, Shards: r.shards,
		Asked: r.asked, Proved: r.proved, Lied: r.lied, Err: r.err,
	}
	if judged, ok := audited(reports, r.node, s.believable()); ok {
		h.State, h.Why = judged.State, judged.Why
		if judged.Proof > 0 {
			h.Proof = ledger.Time(judged.Proof)
		}
		h.known = judged.Missing
	}
	if r.err != nil {
		loss.Holder(r.holder)
		h.Missing = r.shards
		return h
	}
	missing := distinct(r.missing)
	for _, shard := range missing {
		loss.Shard(shard.Segment, shard.Index)
	}
	h.Missing = int64(len(missing))
	return h
}

func distinct(shards []custody.Shard) []custody.Shard {
	seen := map[custody.Shard]bool{}
	return slices.DeleteFunc(slices.Clone(shards), func(sh custody.Shard) bool {
		again := seen[sh]
		seen[sh] = true
		return again
	})
}

// weighLoss says what is left after a loss, and what may be lost besides.
func (s *Session) weighLoss(st *Status, m *custody.Map, loss *custody.Loss) {
	var group sync.WaitGroup
	group.Go(func() { st.Report, st.Nodes = m.Judge(loss), m.WithstandsNodes(loss) })
	group.Go(func() { st.Effective, st.Alone = m.Effective(), s.alone(m, loss) })
	law, count := m.Law(s.zonesKnown(m), maxLawLines)
	st.Withstands = m.Withstands(loss)
	group.Wait()
	held := int64(0)
	for _, h := range st.Holders {
		held += h.Shards
		if h.State == ledger.HolderGone {
			h.known = h.Shards
		}
		st.Repairing += h.known
	}
	st.Unplaced = st.Report.Shards - held
	st.LawCount = count
	for _, v := range law {
		st.Law = append(st.Law, s.violation(m, v))
	}
}

// alone names the parties whose loss alone would do most harm besides a loss.
func (s *Session) alone(m *custody.Map, loss *custody.Loss) (out []Alone) {
	all := m.Alone(loss)
	for _, kind := range []custody.Domain{custody.Node, custody.Operator, custody.Zone} {
		a := all[kind]
		if a.Holder == custody.Nowhere {
			continue
		}
		out = append(out, Alone{kind, s.partyName(kind, m.Holders()[a.Holder]), a.Margin})
	}
	return out
}

// partyName is what people call a party of a kind that a holder belongs to.
func (s *Session) partyName(kind custody.Domain, h custody.Holder) string {
	switch kind {
	case custody.Operator:
		return s.operatorName(h.Operator)
	case custody.Zone:
		return h.Zone
	}
	return h.Node.Short()
}

// zonesKnown counts the zones in which the vault's members and holders are.
func (s *Session) zonesKnown(m *custody.Map) int {
	zones := map[string]bool{}
	for _, h := range m.Holders() {
		zones[h.Zone] = true
	}
	for _, member := range s.charter.Members {
		zones[member.Zone] = true
	}
	delete(zones, "")
	return len(zones)
}

// violation says in a line who holds too much of a segment.
func (s *Session) violation(m *custody.Map, v custody.Violation) string {
	who := s.partyName(v.Domain, m.Holders()[v.Holder])
	return fmt.Sprintf("%s %s holds %d shards of segment %.8s, of which %d may be lost", v.Domain, who, v.Shards, v.Segment.Hex(), v.Most)
}
