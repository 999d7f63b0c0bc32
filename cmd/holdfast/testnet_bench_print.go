package main

import (
	"fmt"
	"io"
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

// printBench prints the report: a table for people, or a JSON line for each row.
func (a *app) printBench(r bench.Report) {
	if a.json {
		a.emitBench(r)
		return
	}
	writePrimitives(a.out, r)
	writeFloors(a.out, r)
	writeRows(a.out, r)
}

func columns(w io.Writer) *tabwriter.Writer { return tabwriter.NewWriter(w, 0, 0, 2, ' ', 0) }

func writePrimitives(out io.Writer, r bench.Report) {
	if len(r.Primitives) == 0 {
		return
	}
	fmt.Fprintf(out, "Primitives on this machine (%s, %d cores)\n\n", r.Machine.System, r.Machine.Cores)
	w := columns(out)
	fmt.Fprintf(w, "primitive\t%12s\t%12s\t%9s\twhat\n", "MB/s, one", "MB/s, n", "CPU s/GB")
	for _, p := range r.Primitives {
		fmt.Fprintf(w, "%s\t%12.0f\t%7.0f, %2d\t%9.3f\t%s\n", p.Name, p.OneMBps, p.AllMBps, p.Copies, p.CPUperGB, p.What())
	}
	w.Flush()
	fmt.Fprintln(out)
}

// writeFloors shows what each floor is made of.
func writeFloors(out io.Writer, r bench.Report) {
	for _, row := range r.Rows {
		if len(row.Floor.Terms) == 0 || row.Part == bench.Degraded { // its floor is that of the healthy read
			continue
		}
		fmt.Fprintf(out, "Floor of %s %s: CPU seconds for 10^9 bytes of the source\n\n", row.Source, row.Op)
		w := columns(out)
		for _, t := range row.Floor.Terms {
			fmt.Fprintf(w, "%s\t%5.2f x %6.3f\t= %6.3f\t%3.0f %%\n", t.Primitive, t.Factor, t.CPU/t.Factor, t.CPU, 100*t.CPU/row.Floor.CPU())
		}
		fmt.Fprintf(w, "sum\t\t= %6.3f\t%d cores: %.0f MB/s\n", row.Floor.CPU(), row.Floor.Cores, float64(row.Floor.Cores)*1000/row.Floor.CPU())
		w.Flush()
		if row.Floor.Disk > 0 {
			fmt.Fprintf(out, "the disk alone: %.0f MB/s\n", row.Floor.Disk)
		}
		fmt.Fprintln(out)
	}
}

func writeRows(out io.Writer, r bench.Report) {
	if len(r.Rows) == 0 {
		return
	}
	fmt.Fprintln(out, "Measured. MB: 10^6 bytes of the source. CPU: seconds for 10^9 of them, of the client, all nodes, and the\nrest of the machine. Memory: the peak in MB, of the client and the largest node.")
	if !bench.Accounted {
		fmt.Fprintln(out, "CPU and memory of processes are not to be had on this system.")
	}
	fmt.Fprintln(out)
	writeRates(out, r.Rows)
	writeLatencies(out, r.Rows)
}

func writeRates(out io.Writer, rows []bench.Row) {
	w := columns(out)
	defer w.Flush()
	fmt.Fprintf(w, "what\t%6s\t%11s\t%8s\t%6s\t%6s\t%6s\t%9s\t%8s\t%8s\t%9s\t\n",
		"MB/s", "min..max", "seconds", "client", "nodes", "rest", "client MB", "node MB", "of floor", "CPU/floor")
	for _, row := range rows {
		if row.Latency.Count > 0 {
			continue
		}
		fmt.Fprintf(w, "%s %s\t%6.0f\t%11s\t%8.2f\t%6.2f\t%6.2f\t%6.2f\t%9s\t%8s\t%8s\t%9s\t%s\n", row.Source, row.Op, row.MBps.Median,
			fmt.Sprintf("%.0f..%.0f", row.MBps.Min, row.MBps.Max), row.Seconds.Median, row.ClientCPU, row.NodesCPU, row.RestCPU,
			megabytes(row.ClientMem), megabytes(row.NodeMem), ratio(row.FloorRatio()), ratio(row.CPURatio()), below(row))
	}
}

func writeLatencies(out io.Writer, rows []bench.Row) {
	w := columns(out)
	defer w.Flush()
	head := "\nwhat\t%8s\t%8s\t%5s\t%8s\t%9s\t%8s\t\n"
	for _, row := range rows {
		if row.Latency.Count == 0 {
			continue
		}
		if head != "" {
			fmt.Fprintf(w, head, "p50 ms", "p99 ms", "of", "segments", "client MB", "node MB")
			head = ""
		}
		segments := ""
		if row.Segments > 0 {
			segments = fmt.Sprint(row.Segments)
		}
		fmt.Fprintf(w, "%s %s\t%8.1f\t%8.1f\t%5d\t%8s\t%9s\t%8s\t%s\n", row.Source, row.Op, row.Latency.P50*1e3, row.Latency.P99*1e3,
			row.Latency.Count, segments, megabytes(row.ClientMem), megabytes(row.NodeMem), below(row))
	}
}

func megabytes(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%.0f", float64(n)/1e6)
}

func ratio(x float64) string {
	if x == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", x)
}

func below(row bench.Row) string {
	if row.Below {
		return "acknowledged below the target"
	}
	return ""
}

func (a *app) emitBench(r bench.Report) {
	a.emit(map[string]any{"message_type": "bench_machine", "system": r.Machine.System, "cores": r.Machine.Cores, "accounted": bench.Accounted})
	for _, p := range r.Primitives {
		a.emit(map[string]any{
			"message_type": "bench_primitive", "name": p.Name, "what": p.What(), "mb_s_one": p.OneMBps, "mb_s": p.AllMBps, "copies": p.Copies, "cpu_s_per_gb": p.CPUperGB,
		})
	}
	for _, row := range r.Rows {
		a.emit(benchRow(row))
	}
}

// benchRow has the fields of a row that mean something.
func benchRow(row bench.Row) map[string]any {
	m := map[string]any{
		"message_type": "bench_row", "part": string(row.Part), "source": row.Source, "op": row.Op, "bytes": row.Bytes, "files": row.Files, "runs": row.Runs,
		"seconds": row.Seconds.Median, "rss_client_mb": float64(row.ClientMem) / 1e6, "rss_node_mb": float64(row.NodeMem) / 1e6,
		"segments": row.Segments, "complete": !row.Below,
	}
	if l := row.Latency; l.Count > 0 {
		m["count"], m["p50_ms"], m["p99_ms"] = l.Count, l.P50*1e3, l.P99*1e3
		return m
	}
	m["seconds_min"], m["seconds_max"] = row.Seconds.Min, row.Seconds.Max
	m["mb_s"], m["mb_s_min"], m["mb_s_max"] = row.MBps.Median, row.MBps.Min, row.MBps.Max
	m["cpu_client_s_per_gb"], m["cpu_nodes_s_per_gb"], m["cpu_rest_s_per_gb"] = row.ClientCPU, row.NodesCPU, row.RestCPU
	if len(row.Floor.Terms) > 0 {
		var terms []map[string]any
		for _, t := range row.Floor.Terms {
			terms = append(terms, map[string]any{"primitive": t.Primitive, "factor": t.Factor, "cpu_s_per_gb": t.CPU})
		}
		m["floor_mb_s"], m["floor_cpu_s_per_gb"], m["floor_terms"] = row.Floor.MBps(), row.Floor.CPU(), terms
		m["floor_ratio"], m["cpu_ratio"] = row.FloorRatio(), row.CPURatio()
	}
	return m
}
