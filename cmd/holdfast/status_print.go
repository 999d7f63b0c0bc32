package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"holdfast/ledger"
	"holdfast/ledger/custody"
	"holdfast/vault"
)

// statusJSON is what can be counted of a status. Margins are counts of segments by their
// margin; a margin below 0 is out of reach. What is safe is all that there is: where newer
// snapshots may exist that nobody has shown, it is not said.
func statusJSON(st vault.Status, standing vault.Standing) map[string]any {
	r := st.Report
	margins := map[string]int{}
	for margin, n := range r.Margins {
		margins[fmt.Sprint(margin)] = n
	}
	fields := map[string]any{
		"safe": st.Safe() && standing.Freshness != ledger.FreshUnknown, "segments": r.Segments, "bytes": r.Bytes, "shards": r.Shards, "present": r.Live, "unplaced": st.Unplaced,
		"worst": r.Worst.Live, "margin": r.Worst.Margin(), "k": r.Worst.Code.K, "n": r.Worst.Code.N, "margins": margins, "below_target": r.Below,
		"lost": r.LostCount, "lost_bytes": r.LostBytes, "operators_may_be_lost": st.Withstands, "nodes_may_be_lost": st.Nodes, "alone": aloneJSON(st.Alone),
		"effective_operators": thousandths(st.Effective.Operators), "effective_zones": thousandths(st.Effective.Zones), "largest_share": thousandths(st.Effective.Largest),
		"law": listOf(st.Law), "law_count": st.LawCount, "repairing": st.Repairing, "proof_time": st.Asked, "audits_heard": st.Members, "holders": holdersJSON(st),
	}
	if oldest, ok := st.Oldest(); ok {
		fields["audit_proof_time"], fields["audit_proof_age"] = oldest, st.Asked.Sub(oldest).Seconds()
	}
	return fields
}

// thousandths rounds what is no more exact than that.
func thousandths(x float64) float64 { return math.Round(1000*x) / 1000 }

func aloneJSON(all []vault.Alone) map[string]any {
	out := map[string]any{}
	for _, x := range all {
		out[string(x.Kind)] = map[string]any{"name": x.Name, "margin": x.Margin}
	}
	return out
}

func holdersJSON(st vault.Status) []map[string]any {
	out := []map[string]any{}
	for _, h := range st.Holders {
		fields := map[string]any{
			"node": h.Node.String(), "operator": h.Name, "zone": h.Zone, "shards": h.Shards, "missing": h.Missing,
			"answered": h.Err == nil, "challenged": h.Asked, "proved": h.Proved, "lied": h.Lied, "state": h.State, "why": h.Why,
		}
		if h.Err != nil {
			fields["error"] = oneLine(h.Err.Error())
		}
		if !h.Proof.IsZero() {
			fields["audit_proof_time"] = h.Proof
		}
		out = append(out, fields)
	}
	return out
}

// printHolders says what was asked, what came of it, and how evenly the shards lie.
func (a *app) printHolders(st vault.Status) {
	if st.Report.Segments == 0 {
		return
	}
	answered, proved, asked := 0, 0, 0
	for _, h := range st.Holders {
		proved, asked = proved+h.Proved, asked+h.Asked
		if h.Err == nil {
			answered++
		}
	}
	a.printf("asked just now: %d of %s answered for all their shards, %d of %s of bytes proved\n", answered, plural(len(st.Holders), "holder"), proved, plural(asked, "sample"))
	a.printf("audits: %s\n", proof(st))
	for _, h := range st.Holders {
		if line := trouble(h); line != "" {
			a.printf("  operator %s, node %s: %s\n", h.Name, h.Node.Short(), line)
		}
	}
	a.printf("spread: %.1f effective operators, %.1f effective zones; the largest operator holds %.0f %%\n", st.Effective.Operators, st.Effective.Zones, 100*st.Effective.Largest)
	if line := alone(st.Alone); line != "" {
		a.printf("%s\n", line)
	}
	for _, line := range st.Law {
		a.printf("law: %s\n", line)
	}
	if more := st.LawCount - len(st.Law); more > 0 {
		a.printf("law: and %d more\n", more)
	}
	if st.Repairing > 0 {
		a.printf("repair: members know of %s to bring back\n", plural(int(st.Repairing), "shard"))
	}
}

// proof says since when everything is proved by the members' audits.
func proof(st vault.Status) string {
	if st.Members == 0 {
		return "no member says what its audits have found"
	}
	if st.Members < st.Believable {
		return fmt.Sprintf("only %s told what audits have found; %d have to, since some may lie", plural(st.Members, "member"), st.Believable)
	}
	oldest, ok := st.Oldest()
	if !ok {
		return fmt.Sprintf("some holders have not proved everything yet (as %s say)", plural(st.Members, "member"))
	}
	age := max(st.Asked.Sub(oldest), 0)
	return fmt.Sprintf("every holder has proved what it holds; the oldest proof is of %s ago (as %s say)", formatSpan(age.Truncate(time.Second)), plural(st.Members, "member"))
}

// trouble says what is wrong with a holder; nothing if all is well.
func trouble(h vault.HolderStatus) string {
	var parts []string
	switch {
	case h.Err != nil:
		parts = append(parts, fmt.Sprintf("%s; %s", reason(h.Err), notShown(h.Shards)))
	case h.Missing > 0:
		parts = append(parts, fmt.Sprintf("%d of %s are not there", h.Missing, plural(int(h.Shards), "shard")))
	}
	if h.State != "" && h.State != ledger.HolderOK {
		parts = append(parts, "audits call it "+string(h.State))
	}
	if len(parts) > 0 && h.Why != "" {
		parts = append(parts, h.Why)
	}
	return strings.Join(parts, "; ")
}

func notShown(shards int64) string {
	if shards == 1 {
		return "1 shard is not shown"
	}
	return plural(int(shards), "shard") + " are not shown"
}

// alone says what one loss would do: of a node, of an operator, of a zone.
func alone(all []vault.Alone) string {
	var parts []string
	for _, x := range all {
		what := fmt.Sprintf("leaves a margin of %d", x.Margin)
		if x.Margin < 0 {
			what = "loses data"
		}
		who := map[custody.Domain]string{custody.Node: "node", custody.Operator: "operator", custody.Zone: "zone"}[x.Kind]
		parts = append(parts, fmt.Sprintf("%s (%s) %s", who, x.Name, what))
	}
	if len(parts) == 0 {
		return ""
	}
	return "the worst loss of one " + strings.Join(parts, ", of one ")
}

// printHeard says when the guardians have last spoken with their keys.
func (a *app) printHeard(ch ledger.Charter, cases []vault.Case) {
	for _, g := range ch.Guardians {
		if at := heard(g, cases); !at.IsZero() {
			a.printf("  %s has spoken %s ago\n", g.Name, age(at, time.Now()))
		}
	}
}

// heard returns when a guardian has last approved or vetoed anything; zero for never.
func heard(g ledger.Guardian, cases []vault.Case) (last time.Time) {
	for _, k := range cases {
		for _, voices := range [][]vault.Voice{k.Approvals, k.Vetoes} {
			for _, v := range voices {
				if v.Key == g.Key && v.Time.After(last) {
					last = v.Time
				}
			}
		}
	}
	return last
}

func heardJSON(ch ledger.Charter, cases []vault.Case) []map[string]any {
	out := []map[string]any{}
	for _, g := range ch.Guardians {
		fields := map[string]any{"name": g.Name}
		if at := heard(g, cases); !at.IsZero() {
			fields["time"] = at
		}
		out = append(out, fields)
	}
	return out
}

// safety answers the one question, and says what is next.
func safety(st vault.Status, ch ledger.Charter, standing vault.Standing) string {
	r := st.Report
	switch {
	case r.Segments == 0:
		return "nothing is stored yet; next: holdfast backup PATH"
	case r.LostCount > 0:
		return "not safe: " + plural(r.LostCount, "segment") + " cannot be rebuilt from what answers now"
	case st.Safe() && standing.Freshness == ledger.FreshUnknown:
		return "all " + plural(int(r.Shards), "shard") + " that this machine knows of are there, but only " + plural(standing.Answers, "member") +
			" answered: newer snapshots may exist, and nothing is known of these"
	case st.Safe():
		return "every byte is safe: all " + plural(int(r.Shards), "shard") + " are there (asked just now); any " + plural(st.Withstands, "operator") + " may be lost"
	}
	return fmt.Sprintf("every byte can be read, but shards are missing: the worst segment has %s and needs %d; %s; %s",
		plural(r.Worst.Live, "shard"), r.Worst.Code.K, mayGo(st.Withstands), outlook(st, ch, standing.Answers))
}

// outlook says what becomes of missing shards: members rebuild them if a quorum is up, and
// if there are n operators to hold them, as far as one can tell from those that do not
// answer. What a holder that answers has lost goes back to itself.
func outlook(st vault.Status, ch ledger.Charter, answers int) string {
	var away []string
	able := ch.Operators()
	for _, h := range st.Holders {
		if h.Err == nil || slices.Contains(away, h.Name) {
			continue
		}
		away = append(away, h.Name)
		if ch.Admits(h.Operator) {
			able--
		}
	}
	switch {
	case answers < ch.Quorum():
		return fmt.Sprintf("nothing is repaired or backed up before %d of the %d members answer", ch.Quorum(), len(ch.Members))
	case len(away) > 0 && able < ch.Coded().N && ch.Roster.IsZero():
		return fmt.Sprintf("the vault admits no other operator to take what %s held: bring it back, or put another in its place: holdfast vault change --replace OLD=NEW", strings.Join(away, ", "))
	}
	return "the members bring back what stays away; look again: holdfast status"
}

// mayGo says how many operators may be lost besides.
func mayGo(withstands int) string {
	if withstands <= 0 {
		return "no further operator may be lost"
	}
	return "any " + plural(withstands, "more operator") + " may be lost"
}
