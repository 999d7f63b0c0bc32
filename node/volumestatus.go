package node

import (
	"context"
	"path/filepath"

	"holdfast/store/pool"
)

// volumeDrained is the state of a volume that is being drained and has nothing left: it
// can be removed.
const volumeDrained = "drained"

// volumeStatus says how the volumes are, the main one first.
func (n *Node) volumeStatus(ctx context.Context) []VolumeStatus {
	states := map[string]pool.State{}
	why := n.volume.use(ctx, func(p *parts) error {
		for _, s := range p.shelf.States(ctx) {
			states[s.Name] = s
		}
		return nil
	})
	all := []VolumeStatus{}
	for _, v := range n.volumes.all() {
		if v.Name == MainVolume {
			v.Path = filepath.Join(n.dir, volumeName)
		}
		s, known := states[v.Name]
		if !known {
			s.Away = why
		}
		all = append(all, statusOf(v, s))
	}
	return all
}

func statusOf(v VolumeConfig, s pool.State) VolumeStatus {
	out := VolumeStatus{
		Name: v.Name, Path: v.Path, ID: v.ID, State: StateServing, Capacity: v.Capacity,
		Used: s.Usage.Used, Trash: s.Usage.Trashed, Damaged: s.Usage.Damaged, Free: s.Free, Shards: s.Usage.Shards,
	}
	switch {
	case v.State == VolumePaused:
		out.State, out.Reason = StatePaused, "its operator wants it so"
	case s.Away != nil:
		out.State, out.Reason = StatePaused, s.Away.Error()
	case v.State == VolumeDraining && s.Usage.Shards == 0 && s.Usage.Trashed == 0:
		out.State = volumeDrained
	case v.State == VolumeDraining:
		out.State = StateDraining
	}
	return out
}
