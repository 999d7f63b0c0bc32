package node

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
)

// gauges are the metrics that say how the node is: all of them are read from one
// Status, so that metrics, page and `node status` never disagree. Some are counters.
type gauges struct {
	status func(ctx context.Context) Status
	all    []gauge
}

// gauge is one metric. Labels have few values: states, classes, this node's volumes,
// never vaults, segments or shards.
type gauge struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	read func(s Status, set func(value float64, labels ...string))
}

func newGauge(name, help string, read func(s Status, set func(value float64, labels ...string)), labels ...string) gauge {
	return gauge{prometheus.NewDesc(name, help, labels, nil), prometheus.GaugeValue, read}
}

// plain is a gauge without labels.
func plain(name, help string, value func(s Status) float64) gauge {
	return newGauge(name, help, func(s Status, set func(float64, ...string)) { set(value(s)) })
}

func newGauges(status func(ctx context.Context) Status) *gauges {
	g := &gauges{status: status}
	for _, group := range [][]gauge{nodeGauges(), volumeGauges(), trafficGauges(), segmentGauges(), catalogGauges(), repairGauges(), auditGauges()} {
		g.all = append(g.all, group...)
	}
	return g
}

// counted is a counter without labels.
func counted(name, help string, value func(s Status) int64) gauge {
	g := plain(name, help, func(s Status) float64 { return float64(value(s)) })
	g.kind = prometheus.CounterValue
	return g
}

// Describe is of prometheus.Collector.
func (g *gauges) Describe(to chan<- *prometheus.Desc) {
	for _, one := range g.all {
		to <- one.desc
	}
}

// Collect is of prometheus.Collector.
func (g *gauges) Collect(to chan<- prometheus.Metric) {
	s := g.status(context.Background())
	for _, one := range g.all {
		one.read(s, func(v float64, labels ...string) {
			to <- prometheus.MustNewConstMetric(one.desc, one.kind, v, labels...)
		})
	}
}

func nodeGauges() []gauge {
	return []gauge{
		newGauge("holdfast_node_state", "1 for the state that the node is in.", func(s Status, set func(float64, ...string)) {
			oneOf(s.State, nodeStates(), func(v float64, state string) { set(v, state) })
		}, "state"),
		plain("holdfast_node_start_time_seconds", "When the node was started.", func(s Status) float64 { return float64(s.Started.Unix()) }),
		plain("holdfast_certificate_expiry_timestamp_seconds", "When the node's certificate expires.", func(s Status) float64 { return float64(s.Expires.Unix()) }),
		plain("holdfast_clock_doubt", "1 while this machine's clock is not believed.", func(s Status) float64 { return truth(s.Doubt != "") }),
		plain("holdfast_clock_offset_seconds", "This clock less the median of the others'.", func(s Status) float64 { return s.Skew }),
		plain("holdfast_peers", "Other nodes that are up.", func(s Status) float64 { return float64(s.Peers) }),
		newGauge("holdfast_alert", "Alerts that stand, as in the node's status.", func(s Status, set func(float64, ...string)) {
			count := map[[2]string]float64{}
			for _, a := range s.Alerts {
				count[[2]string{string(a.Severity), a.Category}]++
			}
			for of, n := range count {
				set(n, of[0], of[1])
			}
		}, "severity", "category"),
		plain("holdfast_provide_due_records", "Vaults that this node is to announce to the network.", func(s Status) float64 { return float64(s.Announce) }),
		plain("holdfast_provide_overdue_records", "Of these, nobody has heard for a quarter of an hour.", func(s Status) float64 { return float64(s.AnnounceOverdue) }),
		plain("holdfast_vaults", "Vaults of which something is kept.", func(s Status) float64 { return float64(len(s.Vaults)) }),
	}
}

func volumeGauges() []gauge {
	bytes := func(what, help string, pick func(v VolumeStatus) int64) gauge {
		return newGauge("holdfast_volume_"+what+"_bytes", help, func(s Status, set func(float64, ...string)) {
			for _, v := range s.Volumes {
				set(float64(pick(v)), v.Name)
			}
		}, "volume")
	}
	return []gauge{
		newGauge("holdfast_volume_state", "1 for the state that the volume is in.", func(s Status, set func(float64, ...string)) {
			for _, v := range s.Volumes {
				oneOf(v.State, volumeStates(), func(on float64, state string) { set(on, v.Name, state) })
			}
		}, "volume", "state"),
		bytes("allocated", "Bytes that the operator offers.", func(v VolumeStatus) int64 { return v.Capacity }),
		bytes("used", "Bytes on the volume, trash and quarantine included.", func(v VolumeStatus) int64 { return v.Used }),
		bytes("free", "Bytes that can still be put.", func(v VolumeStatus) int64 { return v.Free }),
		bytes("trash", "Bytes in the trash.", func(v VolumeStatus) int64 { return v.Trash }),
		bytes("reclaimable", "Bytes in quarantine, which the operator may remove.", func(v VolumeStatus) int64 { return v.Damaged }),
		newGauge("holdfast_shards_stored", "Shards on the volume.", func(s Status, set func(float64, ...string)) {
			for _, v := range s.Volumes {
				set(float64(v.Shards), v.Name)
			}
		}, "volume"),
	}
}

func trafficGauges() []gauge {
	moved := newGauge("holdfast_transfer_bytes_total", "Payload bytes that came in and went out, by what they were moved for.", func(s Status, set func(float64, ...string)) {
		for _, c := range s.Traffic.Classes {
			set(float64(c.In), "in", c.Class)
			set(float64(c.Out), "out", c.Class)
		}
	}, "dir", "class")
	moved.kind = prometheus.CounterValue
	return []gauge{moved, newGauge("holdfast_rate_limit_bytes", "The limit that holds now, in bytes a second; 0 for none.", func(s Status, set func(float64, ...string)) {
		set(float64(s.Traffic.LimitIn), "in")
		set(float64(s.Traffic.LimitOut), "out")
	}, "dir")}
}

// oneOf sets 1 for a state and 0 for the others, so that a state that was left does
// not linger in a graph.
func oneOf(state string, all []string, set func(value float64, state string)) {
	for _, s := range all {
		set(truth(s == state), s)
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
