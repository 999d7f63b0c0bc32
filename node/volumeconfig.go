package node

import (
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"holdfast/ledger"
	"holdfast/store/disk"
)

// VolumeConfig is one more disk of a node: [[volume]] in node.toml. The one of the name
// MainVolume is the volume in the node's own folder: of it only the state stands here.
type VolumeConfig struct {
	Name     string      `toml:"name"`
	Path     string      `toml:"path,omitempty"`    // absolute
	Capacity int64       `toml:"capacity,omitzero"` // bytes that shards may take
	ID       string      `toml:"id,omitempty"`      // 32 hexadecimal digits, those of its marker
	State    VolumeState `toml:"state,omitempty"`
}

// VolumeState is what an operator wants of a volume.
type VolumeState string

// What an operator can want of a volume.
const (
	VolumeServing  VolumeState = ""
	VolumePaused   VolumeState = "paused"   // closed: its disk can be taken out
	VolumeDraining VolumeState = "draining" // takes nothing new, and its shards go to the others
)

// MainVolume is the name of the volume in the node's own folder, which has the book and
// the ledgers besides shards.
const MainVolume = "main"

// MaxVolumes bounds how many a node may have: each is asked for every shard.
const MaxVolumes = 64

// What can stand in the way of a change of volumes.
var (
	ErrNoVolume      = errors.New("the node has no such volume")
	ErrVolumeTaken   = errors.New("the node has a volume of that name, path or ID")
	ErrMainVolume    = errors.New("the main volume has the ledgers: it is neither paused nor removed")
	ErrVolumeHolds   = errors.New("the volume has shards, or still takes them")
	ErrVolumeAway    = errors.New("the volume is not there")
	ErrVolumeThere   = errors.New("the volume is there")
	ErrNotEmpty      = errors.New("the folder for a volume is not empty")
	ErrNowhereToMove = errors.New("there is no other volume that takes shards")
)

// volumes returns all volumes, the main one first.
func (c Config) volumes() []VolumeConfig {
	main := VolumeConfig{Name: MainVolume, Capacity: c.Capacity}
	var rest []VolumeConfig
	for _, v := range c.Volumes {
		if v.Name == MainVolume {
			main.State = v.State
			continue
		}
		rest = append(rest, v)
	}
	return append([]VolumeConfig{main}, rest...)
}

// total is what all volumes offer.
func (c Config) total() (n int64) {
	for _, v := range c.volumes() {
		n += v.Capacity
	}
	return n
}

// checkVolumes is a part of Validate.
func (c Config) checkVolumes() error {
	if len(c.Volumes) > MaxVolumes {
		return fmt.Errorf("%w: more than %d volumes", ErrConfig, MaxVolumes)
	}
	for i, v := range c.Volumes {
		if err := v.check(); err != nil {
			return fmt.Errorf("%w: volume %q: %w", ErrConfig, v.Name, err)
		}
		for _, o := range c.Volumes[:i] {
			if v.clashes(o) {
				return fmt.Errorf("%w: %w: %q", ErrConfig, ErrVolumeTaken, v.Name)
			}
		}
	}
	for _, v := range c.volumes() {
		if v.Capacity > MaxCapacity {
			return fmt.Errorf("%w: volume %q: capacity is above %d bytes", ErrConfig, v.Name, int64(MaxCapacity))
		}
	}
	return nil
}

// MaxCapacity is the most that a volume may offer: more than any disk has, and so little
// that the sum of all volumes is a number.
const MaxCapacity = 1 << 56

func (v VolumeConfig) clashes(o VolumeConfig) bool {
	return v.Name == o.Name || v.Path != "" && v.Path == o.Path || v.ID != "" && v.ID == o.ID
}

func (v VolumeConfig) check() error {
	const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789-"
	if v.Name == "" || len(v.Name) > ledger.MaxName || strings.Trim(v.Name, alphabet) != "" {
		return fmt.Errorf("name must have 1 to %d of a-z, 0-9 and -", ledger.MaxName)
	}
	if v.Name == MainVolume {
		if v.Path != "" || v.ID != "" || v.Capacity != 0 {
			return errors.New("it is in the node's own folder, and its capacity is that of the node")
		}
		if v.State == VolumePaused {
			return ErrMainVolume
		}
	} else if _, err := v.id(); err != nil || !filepath.IsAbs(v.Path) || v.Capacity < 1 {
		return errors.New("path must be absolute, capacity a number of bytes, and id what holdfast node volume add has written")
	}
	if !slices.Contains([]VolumeState{VolumeServing, VolumePaused, VolumeDraining}, v.State) {
		return fmt.Errorf("state is none of %q, %q and nothing", VolumePaused, VolumeDraining)
	}
	return nil
}

func (v VolumeConfig) id() (id disk.VolumeID, err error) {
	p, err := hex.DecodeString(v.ID)
	if err != nil || len(p) != len(id) {
		return id, fmt.Errorf("%q is no volume's ID", v.ID)
	}
	return disk.VolumeID(p), nil
}

// setVolume replaces what is said of a volume, or adds it.
func (c *Config) setVolume(v VolumeConfig) {
	c.Volumes = slices.Clone(c.Volumes)
	if v.Name == MainVolume {
		c.Capacity, v.Capacity = v.Capacity, 0
	}
	i := slices.IndexFunc(c.Volumes, func(o VolumeConfig) bool { return o.Name == v.Name })
	switch {
	case v.Name == MainVolume && v.State == VolumeServing:
		c.dropVolume(MainVolume)
	case i < 0:
		c.Volumes = append(c.Volumes, v)
	default:
		c.Volumes[i] = v
	}
}

func (c *Config) dropVolume(name string) {
	c.Volumes = slices.DeleteFunc(slices.Clone(c.Volumes), func(v VolumeConfig) bool { return v.Name == name })
}

// volume returns what is said of a volume.
func (c Config) volume(name string) (VolumeConfig, error) {
	for _, v := range c.volumes() {
		if v.Name == name {
			return v, nil
		}
	}
	return VolumeConfig{}, fmt.Errorf("%w: %q", ErrNoVolume, name)
}
