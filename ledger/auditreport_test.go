package ledger_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/quick"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
)

func (w *world) auditReport() ledger.AuditReport {
	clock := ledger.Millis(ledgertest.Start())
	return ledger.AuditReport{
		Vault: w.vault.ID(), Charter: w.vault.Charter.CID(), Nonce: custodyNonce, Operator: w.vault.Members[2].Operator.Public(), Clock: clock,
		Holders: []ledger.HolderReport{
			{Node: w.vault.Members[0].Node.Public(), State: ledger.HolderOK, Since: clock - 86400000, Proof: clock - 3600000, Weight: 1000, Shards: 12},
			{Node: w.vault.Members[1].Node.Public(), State: ledger.HolderPaused, Since: clock - 60000, Weight: 50, Shards: 12, Missing: 1, Why: "its volume is not there"},
		},
	}
}

func (w *world) ofAudits() []structure {
	m := w.vault.Members[2]
	member, _ := w.vault.Charter.Member(m.Operator.Public())
	report := must(ledger.SignAuditReport(m.Vote, w.auditReport()))
	return []structure{{"audit-report", ledger.LabelAuditReport, w.vault.ID(), report, func(s ident.Signed) error {
		_, err := ledger.VerifyAuditReport(s, w.vault.Charter, member, custodyNonce)
		return err
	}}}
}

func TestAuditReportRules(t *testing.T) {
	w := newWorld()
	m := w.vault.Members[2].Vote
	rules(t, w, "audit-report", m, ledger.ErrMismatch, map[string]func(*ledger.AuditReport){
		"another vault":    func(r *ledger.AuditReport) { r.Vault = ident.SumDagCBOR(nil) },
		"another nonce":    func(r *ledger.AuditReport) { r.Nonce[0]++ },
		"another operator": func(r *ledger.AuditReport) { r.Operator = w.vault.Members[1].Operator.Public() },
	})
	rules(t, w, "audit-report", m, ledger.ErrInvalid, map[string]func(*ledger.AuditReport){
		"charter of raw bytes": func(r *ledger.AuditReport) { r.Charter = ident.SumRaw(nil) },
		"clock before 1970":    func(r *ledger.AuditReport) { r.Clock = -1 },
		"not sorted":           func(r *ledger.AuditReport) { slices.Reverse(r.Holders) },
		"one twice":            func(r *ledger.AuditReport) { r.Holders[1] = r.Holders[0] },
		"since before 1970":    func(r *ledger.AuditReport) { r.Holders[0].Since = -1 },
		"proof too late":       func(r *ledger.AuditReport) { r.Holders[0].Proof = late },
		"weight below 0":       func(r *ledger.AuditReport) { r.Holders[0].Weight = -1 },
		"weight above full":    func(r *ledger.AuditReport) { r.Holders[0].Weight = ledger.FullWeight + 1 },
		"missing below 0":      func(r *ledger.AuditReport) { r.Holders[0].Missing = -1 },
		"more missing than it": func(r *ledger.AuditReport) { r.Holders[0].Missing = 13 },
		"no state":             func(r *ledger.AuditReport) { r.Holders[0].State = "" },
		"long state":           func(r *ledger.AuditReport) { r.Holders[0].State = "a state of 17 byt" },
		"long reason":          func(r *ledger.AuditReport) { r.Holders[0].Why = strings.Repeat("x", ledger.MaxReason+1) },
	})
	r := w.auditReport()
	r.Holders[0].State = "a later word"
	if _, err := ledger.SignAuditReport(m, r); err != nil {
		t.Error("a state that is not known yet:", err)
	}
}

// What f of 2f+1 members say moves no figure beyond what an honest one has said.
func TestJudged(t *testing.T) {
	w := newWorld()
	node := w.vault.Members[0].Node.Public()
	report := func(h ledger.HolderReport) ledger.AuditReport {
		h.Node = node
		return ledger.AuditReport{Holders: []ledger.HolderReport{h}}
	}
	states := []ledger.HolderState{ledger.HolderOK, ledger.HolderDraining, ledger.HolderPaused, ledger.HolderAway, ledger.HolderSuspect, ledger.HolderGone, "a later word"}
	rank := func(s ledger.HolderState) int { return slices.Index(states, s) % 6 }
	check := func(seed uint64, f uint8, spare bool) bool {
		random := rand.New(rand.NewPCG(seed, 0))
		liars, honest := int(f%5), int(f%5)+1
		if spare {
			honest++
		}
		var all []ledger.AuditReport
		var said []ledger.HolderReport
		for range honest {
			h := ledger.HolderReport{
				State: states[random.IntN(6)], Proof: 1 + random.Int64N(1000), Weight: random.Int64N(1001), Shards: 50 + random.Int64N(50), Missing: random.Int64N(50),
			}
			said = append(said, h)
			all = append(all, report(h))
		}
		for range liars {
			lie := ledger.HolderReport{State: states[0], Proof: ledger.Never, Weight: 1000, Shards: 1 << 40}
			if random.IntN(2) == 0 {
				lie = ledger.HolderReport{State: states[5], Shards: 1 << 40, Missing: 1 << 40}
			}
			all = append(all, report(lie))
		}
		random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		h, members := ledger.Judged(all, node)
		between := func(got int64, of func(ledger.HolderReport) int64) bool {
			return slices.ContainsFunc(said, func(s ledger.HolderReport) bool { return of(s) <= got }) &&
				slices.ContainsFunc(said, func(s ledger.HolderReport) bool { return of(s) >= got })
		}
		return members == len(all) && h.Node == node &&
			between(h.Proof, func(s ledger.HolderReport) int64 { return s.Proof }) &&
			between(h.Weight, func(s ledger.HolderReport) int64 { return s.Weight }) &&
			between(h.Shards, func(s ledger.HolderReport) int64 { return s.Shards }) &&
			between(h.Missing, func(s ledger.HolderReport) int64 { return s.Missing }) &&
			between(int64(rank(h.State)), func(s ledger.HolderReport) int64 { return int64(rank(s.State)) })
	}
	if err := quick.Check(check, nil); err != nil {
		t.Error(err)
	}
	if h, members := ledger.Judged([]ledger.AuditReport{{}}, node); members != 0 || h != (ledger.HolderReport{}) {
		t.Errorf("of nobody: %+v, %d", h, members)
	}
	if h, _ := ledger.Judged([]ledger.AuditReport{report(ledger.HolderReport{State: "a later word"})}, node); h.State != ledger.HolderSuspect {
		t.Errorf("a word that is not known is read as %s", h.State)
	}
}
