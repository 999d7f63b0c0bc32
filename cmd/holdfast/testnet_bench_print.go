package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"holdfast/testnet/bench"
)

func partNames() string {
	var names []string
	for _, p := range bench.Parts() {
		names = append(names, string(p))
	}
	return strings.Join(names, ",")
}

func (a *app) printBench(r bench.Report) {
	if a.json {
		return
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	defer w.Flush()
	fmt.Fprintln(w, "what\tMB/s\tmin..max\tseconds\tCPU s/GB client\tnodes\tpeak MB client\tnode")
	for _, row := range r.Rows {
		fmt.Fprintf(w, "%s %s\t%.0f\t%.0f..%.0f\t%.2f\t%.2f\t%.2f\t%.0f\t%.0f\n", row.Source, row.Op, row.MBps.Median, row.MBps.Min, row.MBps.Max, row.Seconds.Median, row.ClientCPU, row.NodesCPU, float64(row.ClientMem)/1e6, float64(row.NodeMem)/1e6)
	}
}
