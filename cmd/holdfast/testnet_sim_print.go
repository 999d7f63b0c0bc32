package main

import (
	"fmt"
	"time"

	"holdfast/testnet/sim"
)

// printSim says what a simulation came to, common causes first.
func (a *app) printSim(r sim.Report) {
	c := r.Config
	a.printf("%d nodes of %d operators in %d zones, code %v, %s on each: %d vault(s) of up to %d operators; seed %d\n",
		c.Nodes, c.Operators, c.Zones, c.Code, formatSize(c.NodeData), r.Vaults, min(c.Admitted, c.Operators), c.Seed)
	a.printf("\n%-65s %8s  %-30s  %s\n", "one segment in a year in which", "chance", "is lost with", "which adds")
	for _, cause := range r.Causes {
		a.printf("  %-63s %8.2g  %-30s  %s\n", cause.Name, cause.Chance, chance(cause.Loss), chance(cause.Part()))
	}
	a.printf("all together: lost in a year with %s; %s nines\n", chance(r.Annual), r.Annual.Nines())
	a.printf("(95 %% intervals from %d repetitions; \"below\" is a bound: too few of them came to a loss)\n", c.Runs)
	a.printSimHistories(r)
}

func (a *app) printSimHistories(r sim.Report) {
	c := r.Config
	a.printf("\nin %d histories of a vault, %g years each, all causes\n", r.Played, c.Years)
	a.printf("  lost: %d of %d segments, in %d vaults; chance for a vault in %g years: %s (%s)\n",
		r.Lost, r.Segments, r.VaultsHurt, c.Years, chance(r.VaultLoss), r.VaultLoss.Method)
	a.printf("  lowest margin: %d shards beyond k = %d\n", r.Worst, c.Code.K)
	a.printf("  repair traffic, a node and day: %s\n", rangeOf(r.Traffic, func(v float64) string { return formatSize(int64(v)) }))
	a.printf("  rebuilt: %d shards (each stands for as many as fill the nodes), %d of them of holders that came back\n", r.Rebuilt, r.Needless)
	away := "never seen"
	if r.Unreadable.Estimate > 0 {
		away = chance(r.Unreadable) + " of the time"
	}
	a.printf("  unreadable for a while: %s; independent absences alone would make it %.2g of the time\n", away, r.Away)
	if r.Formula > 0 {
		a.printf("\nclosed formula for independent losses, repaired in %v: %.2g a year\n", r.FormulaRepair.Round(time.Minute), r.Formula)
	}
}

// chance writes an interval of a chance, and of one that was not seen its bound alone.
func chance(i sim.Interval) string {
	if i.Estimate == 0 || i.Method == sim.Beyond {
		return fmt.Sprintf("below %.2g", i.High)
	}
	return rangeOf(i, func(v float64) string { return fmt.Sprintf("%.2g", v) })
}

func rangeOf(i sim.Interval, text func(float64) string) string {
	if i.High > 1e300 { // of one value nothing is known but itself
		return text(i.Estimate)
	}
	return fmt.Sprintf("%s (%s to %s)", text(i.Estimate), text(i.Low), text(i.High))
}

// emitSim writes a simulation as one JSON line.
func (a *app) emitSim(r sim.Report) {
	causes := make([]map[string]any, 0, len(r.Causes))
	for _, c := range r.Causes {
		causes = append(causes, map[string]any{"cause": c.Name, "chance": c.Chance, "loss": finite(c.Loss), "adds": finite(c.Part()), "steps": c.Steps})
	}
	a.emit(map[string]any{
		"message_type": "testnet_sim", "config": r.Config, "code": r.Config.Code.String(),
		"outage_seconds": r.Config.Outage.Seconds(), "grace_seconds": r.Config.Grace.Seconds(), "replace_seconds": r.Config.Replace.Seconds(),
		"vaults": r.Vaults, "annual": finite(r.Annual), "nines": r.Annual.Nines(), "causes": causes,
		"histories": r.Played, "segments": r.Segments, "lost": r.Lost, "vaults_hurt": r.VaultsHurt, "vault_loss": finite(r.VaultLoss),
		"lowest_margin": r.Worst, "traffic_per_node_day": finite(r.Traffic), "rebuilt": r.Rebuilt, "needless": r.Needless, "unreadable": finite(r.Unreadable),
		"formula": r.Formula, "formula_repair_seconds": r.FormulaRepair.Seconds(), "formula_unreadable": r.Away,
	})
}

// finite is an interval for JSON, which has no number for an end that is not known.
func finite(i sim.Interval) map[string]any {
	out := map[string]any{"low": i.Low, "estimate": i.Estimate, "high": i.High, "method": i.Method}
	if i.High > 1e300 {
		out["high"] = nil
	}
	return out
}
