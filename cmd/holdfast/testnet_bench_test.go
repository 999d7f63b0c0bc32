package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"holdfast/testnet/bench"
)

func sampleReport() bench.Report {
	floor := bench.Floor{Cores: 2, Disk: 300, Terms: []bench.Term{{Primitive: "read", Factor: 1, CPU: 0.25}, {Primitive: "channel", Factor: 2, CPU: 3.75}}}
	return bench.Report{
		Machine:    bench.Machine{System: "linux/amd64", Cores: 2},
		Primitives: []bench.Primitive{{Name: "channel", OneMBps: 700, AllMBps: 950, Copies: 8, CPUperGB: 1.875}},
		Rows: []bench.Row{
			{Part: bench.Put, Source: "file", Op: "put", Bytes: 1e9, Files: 1, Runs: 3, Seconds: bench.Spread{Median: 5, Min: 4, Max: 8}, MBps: bench.Spread{Median: 200, Min: 125, Max: 250},
				ClientCPU: 2, NodesCPU: 3, RestCPU: 0.5, ClientMem: 251e6, NodeMem: 43e6, Floor: floor},
			{Part: bench.Commit, Source: "small", Op: "commit", Bytes: 1024, Files: 1, Runs: 1, Seconds: bench.Spread{Median: 1}, Segments: 2, Below: true,
				Latency: bench.Latency{Count: 10, P50: 0.0417, P99: 0.0523}, NodeMem: 41e6},
		},
	}
}

func TestBenchTable(t *testing.T) {
	var out bytes.Buffer
	(&app{out: &out}).printBench(sampleReport())
	lines := map[string][]string{
		"channel ":     {"700", "950,", "8", "1.875"},
		"read ":        {"1.00", "x", "0.250", "=", "0.250", "6", "%"},
		"sum ":         {"=", "4.000", "2", "cores:", "500", "MB/s"},
		"the disk":     {"alone:", "300", "MB/s"},
		"file put":     {"200", "125..250", "5.00", "2.00", "3.00", "0.50", "251", "43", "0.67", "1.25"},
		"small commit": {"41.7", "52.3", "10", "2", "41", "acknowledged", "below", "the", "target"},
	}
	for begins, want := range lines {
		if got := lineOf(out.String(), begins); strings.Join(strings.Fields(got), " ") != strings.Join(want, " ") && !strings.HasPrefix(strings.Join(strings.Fields(got), " "), strings.Join(want, " ")) {
			t.Errorf("%q: %q, not %q", begins, got, want)
		}
	}
	head, row := lineOf(out.String(), "what  "), lineOf(out.String(), "file put")
	if strings.Index(out.String(), "client MB") < 0 || len(strings.TrimRight(head, " ")) == 0 || len(row) == 0 {
		t.Error(out.String())
	}
	if t.Failed() {
		t.Log(out.String())
	}
}

// lineOf returns what stands behind the beginning of the first line that has it.
func lineOf(text, begins string) string {
	for line := range strings.SplitSeq(text, "\n") {
		if rest, ok := strings.CutPrefix(line, begins); ok {
			return rest
		}
	}
	return ""
}

// TestBenchColumns: a head ends where its figures end.
func TestBenchColumns(t *testing.T) {
	var out bytes.Buffer
	writeRates(&out, sampleReport().Rows)
	lines := strings.Split(out.String(), "\n")
	for _, c := range []struct{ head, figure string }{{"MB/s", "200"}, {"min..max", "125..250"}, {"rest", "0.50"}, {"of floor", "0.67"}, {"CPU/floor", "1.25"}} {
		if h, f := strings.Index(lines[0], c.head)+len(c.head), strings.Index(lines[1], c.figure)+len(c.figure); h != f {
			t.Errorf("%s ends at %d, its figure at %d:\n%s", c.head, h, f, out.String())
		}
	}
}

func TestBenchJSON(t *testing.T) {
	var out bytes.Buffer
	(&app{out: &out, json: true}).printBench(sampleReport())
	var lines []map[string]any
	for line := range strings.Lines(out.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		lines = append(lines, m)
	}
	if len(lines) != 4 || lines[0]["message_type"] != "bench_machine" || lines[0]["cores"] != 2.0 {
		t.Fatal(out.String())
	}
	for i, want := range []map[string]any{
		1: {"message_type": "bench_primitive", "name": "channel", "mb_s_one": 700.0, "mb_s": 950.0, "copies": 8.0, "cpu_s_per_gb": 1.875},
		2: {"message_type": "bench_row", "part": "put", "op": "put", "mb_s": 200.0, "mb_s_min": 125.0, "seconds": 5.0, "cpu_client_s_per_gb": 2.0, "cpu_nodes_s_per_gb": 3.0,
			"rss_client_mb": 251.0, "rss_node_mb": 43.0, "floor_mb_s": 300.0, "floor_cpu_s_per_gb": 4.0, "cpu_ratio": 1.25, "runs": 3.0, "complete": true},
		3: {"message_type": "bench_row", "op": "commit", "p50_ms": 41.7, "p99_ms": 52.3, "segments": 2.0, "complete": false},
	} {
		for k, v := range want {
			if bench.Accounted || k != "cpu_ratio" {
				if lines[i][k] != v {
					t.Errorf("%s: %v, not %v", k, lines[i][k], v)
				}
			}
		}
	}
	if _, there := lines[3]["mb_s"]; there {
		t.Error("a latency with a rate")
	}
}
