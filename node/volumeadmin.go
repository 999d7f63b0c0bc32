package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"holdfast/store"
	"holdfast/store/disk"
)

const (
	volumesPath = "/volumes"
	changeLimit = 64 << 10
)

// serveVolumes changes a volume and answers how all are.
func (n *Node) serveVolumes(w http.ResponseWriter, r *http.Request) {
	var ch VolumeChange
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, changeLimit)).Decode(&ch); err != nil {
		http.Error(w, "no change of a volume", http.StatusBadRequest)
		return
	}
	all, err := n.changeVolume(r.Context(), ch)
	if err != nil {
		refuse(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(all); err != nil {
		n.log.Debug("answer not sent", "error", err)
	}
}

func (n *Node) changeVolume(ctx context.Context, ch VolumeChange) ([]VolumeStatus, error) {
	b := builder{dir: n.dir, keys: n.keys, now: n.now, empty: func(v VolumeConfig) (bool, error) { return n.emptyVolume(ctx, v) }}
	if err := b.change(n.volumes, ch); err != nil {
		return nil, err
	}
	n.log.Info("volume changed by its operator", "what", string(ch.Do), "volume", ch.Name)
	if err := n.volume.use(ctx, func(p *parts) error { return p.disks.follow(ctx) }); err != nil && !errors.Is(err, store.ErrPaused) {
		return nil, err
	}
	n.drains.Trigger()
	return n.volumeStatus(ctx), nil
}

// emptyVolume looks whether a volume of the node that runs is empty.
func (n *Node) emptyVolume(ctx context.Context, v VolumeConfig) (empty bool, err error) {
	err = n.volume.use(ctx, func(p *parts) (err error) {
		empty, err = p.shelf.Empty(ctx, v.Name)
		return err
	})
	if errors.Is(err, store.ErrPaused) {
		if _, there := disk.ReadMarker(v.Path); there == nil && v.State == VolumePaused {
			return false, nil // closed by its operator, and not away
		}
		err = fmt.Errorf("%w (%w)", ErrVolumeAway, err)
	}
	return empty, err
}
