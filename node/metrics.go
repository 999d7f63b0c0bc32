package node

import (
	"context"
	"log/slog"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"holdfast/store"
	"holdfast/store/disk"
)

// meters are what a node counts about itself. Names follow Prometheus's rules: base
// units, _total for counters, no label per object.
type meters struct {
	stored, served         prometheus.Counter
	receipts, votes, acks  prometheus.Counter
	letGo, released        prometheus.Counter
	refusals               map[string]*prometheus.CounterVec // by protocol
	corrupt, lost, trouble prometheus.Counter
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
	return &meters{
		refusals: refusals,
		stored:   counter("holdfast_shard_put_bytes_total", "Payload bytes put on the volume."),
		served:   counter("holdfast_shard_get_bytes_total", "Payload bytes served."),
		receipts: counter("holdfast_receipts_total", "Receipts signed."),
		votes:    counter("holdfast_votes_total", "Votes signed."),
		acks:     counter("holdfast_acks_total", "Certificates stored and acknowledged."),
		letGo:    counter("holdfast_shards_let_go_total", "Provisional shards removed because no entry ever named them."),
		released: counter("holdfast_released_bytes_total", "Bytes erased because a release of their vault was certified."),
		corrupt:  counter("holdfast_shards_corrupt_total", "Shards found corrupt and put into quarantine."),
		lost:     counter("holdfast_shards_lost_total", "Shards that are gone although nobody removed them."),
		trouble:  counter("holdfast_volume_io_errors_total", "Other trouble with the volume."),
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

// report counts and logs what the shelf has found out.
func (m *meters) report(log *slog.Logger) func(disk.Event) {
	return func(e disk.Event) {
		switch e.Kind {
		case disk.Corrupt:
			m.corrupt.Inc()
		case disk.Lost:
			m.lost.Inc()
		default:
			m.trouble.Inc()
		}
		log.Error(e.Kind.String(), "shard", e.Key.String(), "error", e.Err)
	}
}

// registerGauges registers what is read from the node when somebody looks.
func (n *Node) registerGauges(r prometheus.Registerer) {
	gauge := func(name, help string, f func() float64) {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f))
	}
	usage := func(pick func(u store.Usage) int64) func() float64 {
		return func() (v float64) {
			ctx := context.Background()
			_ = n.volume.use(ctx, func(p *parts) error { // 0 while it is paused
				u, err := p.shelf.Usage(ctx)
				v = float64(pick(u))
				return err
			})
			return v
		}
	}
	gauge("holdfast_node_start_time_seconds", "When the node was started.", func() float64 { return float64(n.started.Unix()) })
	gauge("holdfast_node_serving", "1 while the volume is there and the node serves.", func() float64 {
		if state, _ := n.state(); state == StateServing {
			return 1
		}
		return 0
	})
	gauge("holdfast_certificate_expiry_timestamp_seconds", "When the node's certificate expires.", func() float64 { return float64(n.keys.cert.Expires / 1000) })
	gauge("holdfast_volume_used_bytes", "Bytes on the volume.", usage(func(u store.Usage) int64 { return u.Used }))
	gauge("holdfast_volume_allocated_bytes", "Bytes that the operator offers.", func() float64 { return float64(n.config.Capacity) })
	gauge("holdfast_volume_free_bytes", "Bytes that can still be put.", func() float64 { return float64(n.space()) })
	gauge("holdfast_trash_bytes", "Bytes in the trash.", usage(func(u store.Usage) int64 { return u.Trashed }))
	gauge("holdfast_clock_doubt", "1 while this machine's clock is not believed.", func() float64 {
		if n.clock.doubt() != nil {
			return 1
		}
		return 0
	})
	gauge("holdfast_shards_stored", "Shards on the volume.", usage(func(u store.Usage) int64 { return u.Shards }))
	gauge("holdfast_peers", "Other nodes that are up.", func() float64 { count, _ := n.around.seen(); return float64(count) })
	gauge("holdfast_clock_offset_seconds", "This clock less the median of the others'.", func() float64 { _, skew := n.around.seen(); return -skew.Seconds() })
	gauge("holdfast_vaults", "Vaults of which something is kept.", func() (v float64) {
		_ = n.volume.use(context.Background(), func(p *parts) error {
			v = float64(len(p.vaultStatus()))
			return nil
		})
		return v
	})
}
