package node

import (
	"context"
	"errors"
	"time"

	"holdfast/store"
)

// moveEvery is how often what could not be moved is tried again.
const moveEvery = time.Minute

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
	began, tried := n.now(), 0
	wanted := func() bool {
		v, err := n.volumes.get(name)
		return err == nil && v.State == VolumeDraining
	}
	var left bool
	err := n.volume.use(ctx, func(p *parts) (err error) {
		left, err = p.shelf.Drain(ctx, name, func() bool {
			tried++
			return wanted() && !p.isGone()
		})
		return err
	})
	if errors.Is(err, store.ErrPaused) || !wanted() {
		return nil // it goes on when the volume is back, or its operator wants something else by now
	}
	if err == nil && !left && tried > 0 {
		n.log.Info("volume is drained", "volume", name, "took", n.now().Sub(began).Round(time.Second).String())
	}
	return err
}
