package node

import (
	"context"
	"errors"
	"time"

	"holdfast/store"
)

const (
	moveEvery   = time.Minute // how often what could not be moved is tried again
	drainAtOnce = 64          // shards, before the volume is looked at anew
)

// drainVolumes moves what is on volumes that are being drained to the others, until nothing is
// left or nothing can be moved. It may be killed at any moment.
func (n *Node) drainVolumes(ctx context.Context) error {
	var errs []error
	for _, v := range n.volumes.all() {
		if v.State == VolumeDraining {
			errs = append(errs, n.drainOne(ctx, v.Name))
		}
	}
	return errors.Join(errs...)
}

func (n *Node) drainOne(ctx context.Context, name string) error {
	began, moved := n.now(), 0
	for left := true; left; moved++ {
		if v, err := n.volumes.get(name); err != nil || v.State != VolumeDraining {
			return nil // its operator wants something else by now
		}
		err := n.volume.use(ctx, func(p *parts) (err error) {
			left, err = p.shelf.Drain(ctx, name, drainAtOnce)
			return err
		})
		if errors.Is(err, store.ErrPaused) {
			return nil // it goes on when the volume is back
		}
		if err != nil {
			return err
		}
	}
	if moved > 1 {
		n.log.Info("volume is drained", "volume", name, "took", n.now().Sub(began).Round(time.Second).String())
	}
	return nil
}
