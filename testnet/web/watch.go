package web

import (
	"context"
	"sync"
	"time"

	"holdfast/testnet"
)

// watch looks at the network now and then, so that however many pages are open its
// nodes are asked once.
type watch struct {
	config Config

	mu    sync.Mutex
	seen  seen
	past  []sample
	fault error // why the network could not be looked at
}

// seen is the network at one moment.
type seen struct {
	at        time.Time
	name, dir string
	bootstrap string // the file
	nodes     []testnet.NodeState
}

// sample is what is remembered of a moment: how many segments there were, and how many
// of them lacked a shard, or nearly too many.
type sample struct{ segments, below, risk int64 }

// samples is how many are remembered: with one a second, ten minutes.
const samples = 600

func newWatch(c Config) *watch { return &watch{config: c} }

func (w *watch) look(ctx context.Context) error {
	n, err := w.config.Network()
	if err != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.fault = err
		return err
	}
	s := seen{at: w.config.Now(), name: n.Name(), dir: n.Dir(), bootstrap: n.BootstrapFile(), nodes: n.Status(ctx)}
	one := sum(vaultsOf(s.nodes))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen, w.fault = s, nil
	w.past = append(w.past, one)
	w.past = w.past[max(0, len(w.past)-samples):]
	return nil
}

// sum adds up the vaults.
func sum(vaults []vaultView) (s sample) {
	for _, v := range vaults {
		s.segments += v.Segments
		s.below += v.Below
		s.risk += v.AtRisk
	}
	return s
}
