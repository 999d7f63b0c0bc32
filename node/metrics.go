package node

import (
	"log/slog"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"holdfast/store/disk"
)

// meters are what a node counts about itself. Names follow Prometheus's rules: base
// units, _total for counters, no label per object.
type meters struct {
	stored, served        prometheus.Counter
	receipts, votes, acks prometheus.Counter
	letGo, released       prometheus.Counter
	refusals              map[string]*prometheus.CounterVec // by protocol
	requests              *prometheus.HistogramVec
	corrupt, lost         prometheus.Counter
	trouble               *prometheus.CounterVec
}

func newMeters(r prometheus.Registerer) *meters {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
		r.MustRegister(c)
		return c
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "holdfast_build_info", Help: "Always 1; the version is a label.",
		ConstLabels: prometheus.Labels{"version": Version()},
	})
	build.Set(1)
	r.MustRegister(build)
	refusals := map[string]*prometheus.CounterVec{}
	for _, protocol := range []string{protocolLedger, protocolShard} {
		refusals[protocol] = prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "holdfast_" + protocol + "_refusals_total", Help: "Requests refused, by the number of the refusal in docs/protocol.md.",
		}, []string{"number"})
		r.MustRegister(refusals[protocol])
	}
	requests := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "holdfast_request_duration_seconds", Help: "How long requests of peers took, from the end of the question to the end of the answer.",
		Buckets: []float64{.001, .005, .02, .1, .5, 2, 10, 60},
	}, []string{"rpc", "code"})
	trouble := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "holdfast_volume_io_errors_total", Help: "Files that could not be read or moved, and failures of the index.",
	}, []string{"volume", "op"})
	r.MustRegister(requests, trouble)
	return &meters{
		refusals: refusals, requests: requests, trouble: trouble,
		stored:   counter("holdfast_shard_put_bytes_total", "Payload bytes put on the volume."),
		served:   counter("holdfast_shard_get_bytes_total", "Payload bytes served."),
		receipts: counter("holdfast_receipts_total", "Receipts signed."),
		votes:    counter("holdfast_votes_total", "Votes signed."),
		acks:     counter("holdfast_acks_total", "Certificates stored and acknowledged."),
		letGo:    counter("holdfast_shards_let_go_total", "Provisional shards removed because no entry ever named them."),
		released: counter("holdfast_released_bytes_total", "Bytes erased because a release of their vault was certified."),
		corrupt:  counter("holdfast_shards_corrupt_total", "Shards found corrupt and put into quarantine."),
		lost:     counter("holdfast_shards_lost_total", "Shards that are gone although nobody removed them."),
	}
}

// The protocols whose refusals are counted, as metrics name them.
const (
	protocolLedger = "ledger"
	protocolShard  = "shard"
)

// refused counts the refusals of a protocol.
func (m *meters) refused(protocol string) func(number uint64) {
	of := m.refusals[protocol]
	return func(number uint64) { of.WithLabelValues(strconv.FormatUint(number, 10)).Inc() }
}

// answered counts the requests of a protocol. The code is 0, or the number of the refusal.
func (m *meters) answered(protocol string) func(verb string, number uint64, took time.Duration) {
	return func(verb string, number uint64, took time.Duration) {
		m.requests.WithLabelValues(protocol+"/"+verb, strconv.FormatUint(number, 10)).Observe(took.Seconds())
	}
}

// report counts and logs what the shelf of a volume has found out.
func (m *meters) report(log *slog.Logger, volume string) func(disk.Event) {
	for _, op := range []string{opRead, opIndex} {
		m.trouble.WithLabelValues(volume, op)
	}
	return func(e disk.Event) {
		switch e.Kind {
		case disk.Corrupt:
			m.corrupt.Inc()
		case disk.Lost:
			m.lost.Inc()
		case disk.Unreadable:
			m.trouble.WithLabelValues(volume, opRead).Inc()
		default:
			m.trouble.WithLabelValues(volume, opIndex).Inc()
		}
		log.Error(e.Kind.String(), "volume", volume, "shard", e.Key.String(), "error", e.Err)
	}
}

// What can go wrong with a volume, as metrics name it.
const (
	opRead  = "read"
	opIndex = "index"
)
