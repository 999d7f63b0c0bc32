package node

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"holdfast/store"
	"holdfast/store/disk"
)

// VolumeVerb is what can be done with a volume.
type VolumeVerb string

// What can be done with a volume.
const (
	VolumeAdd    VolumeVerb = "add"
	VolumeResize VolumeVerb = "resize"
	VolumeDrain  VolumeVerb = "drain"
	VolumePause  VolumeVerb = "pause"
	VolumeResume VolumeVerb = "resume" // ends a pause or a drain
	VolumeRemove VolumeVerb = "remove"
)

// VolumeChange is what an operator wants done with one volume.
type VolumeChange struct {
	Do       VolumeVerb `json:"do"`
	Name     string     `json:"name"`
	Path     string     `json:"path,omitempty"`     // to add: absolute
	Capacity int64      `json:"capacity,omitempty"` // to add and to resize
	Lost     bool       `json:"lost,omitempty"`     // to remove: the disk is gone for good, with what is on it
}

// ChangeVolume changes a volume of the node in dir, by its admin listener if it runs, and
// in node.toml if it does not. It returns how the volumes are, of a node that does not
// run only what node.toml says. What was changed holds at once, and after a restart.
func ChangeVolume(ctx context.Context, dir string, ch VolumeChange) ([]VolumeStatus, error) {
	all, err := askForChange(ctx, dir, ch)
	if errors.Is(err, ErrNotRunning) {
		all, err = changeAlone(ctx, dir, ch)
	}
	if err != nil {
		return nil, fmt.Errorf("%s volume %s: %w", ch.Do, ch.Name, err)
	}
	return all, nil
}

func askForChange(ctx context.Context, dir string, ch VolumeChange) (all []VolumeStatus, err error) {
	p, err := adminPost(ctx, dir, volumesPath, ch)
	if err == nil {
		err = json.Unmarshal(p, &all)
	}
	return all, err
}

// changeAlone changes a volume of a node that does not run.
func changeAlone(ctx context.Context, dir string, ch VolumeChange) (all []VolumeStatus, err error) {
	config, err := readConfig(dir)
	if err != nil {
		return nil, err
	}
	unlock, err := lockFolder(dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	keys, err := readKeys(dir)
	if err != nil {
		return nil, err
	}
	b := builder{dir: dir, keys: keys, now: time.Now, empty: func(v VolumeConfig) (bool, error) { return emptyAlone(ctx, v) }}
	list := newVolumeList(dir, config)
	if err := b.change(list, ch); err != nil {
		return nil, err
	}
	return VolumesOf(dir)
}

// emptyAlone looks whether a volume that nobody has open is empty.
func emptyAlone(ctx context.Context, v VolumeConfig) (empty bool, err error) {
	id, err := v.id()
	if err != nil {
		return false, err
	}
	d, err := disk.Open(ctx, disk.Config{Dir: v.Path, Capacity: v.Capacity, Volume: id})
	if errors.Is(err, store.ErrPaused) {
		return false, fmt.Errorf("%w (%w)", ErrVolumeAway, err)
	}
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	u, err := d.Usage(ctx)
	return err == nil && !d.Stale() && u.Shards == 0 && u.Trashed == 0, err
}

// VolumesOf returns what node.toml says of the volumes of the node in dir.
func VolumesOf(dir string) ([]VolumeStatus, error) {
	c, err := readConfig(dir)
	if err != nil {
		return nil, err
	}
	all := []VolumeStatus{}
	for _, v := range c.volumes() {
		if v.Name == MainVolume {
			v.Path = filepath.Join(dir, volumeName)
		}
		state := string(v.State)
		if v.State == VolumeServing {
			state = StateServing
		}
		all = append(all, VolumeStatus{Name: v.Name, Path: v.Path, ID: v.ID, State: state, Capacity: v.Capacity})
	}
	return all, nil
}

// builder carries out changes of volumes.
type builder struct {
	dir   string
	keys  keyring
	now   clock
	empty func(v VolumeConfig) (bool, error) // ErrVolumeAway if that cannot be seen
}

// change carries out one change. For one that cannot be, nothing is changed.
func (b builder) change(list *volumeList, ch VolumeChange) error {
	v, err := list.get(ch.Name)
	switch {
	case ch.Do == VolumeAdd:
		return b.add(list, ch)
	case err != nil:
		return err
	case ch.Do == VolumeRemove:
		return b.remove(list, v, ch.Lost)
	}
	return list.change(func(c *Config) error { return c.changeVolume(ch) })
}

// changeVolume is for the changes that are words in node.toml alone.
func (c *Config) changeVolume(ch VolumeChange) error {
	v, err := c.volume(ch.Name)
	if err != nil {
		return err
	}
	switch ch.Do {
	case VolumeResize:
		v.Capacity = ch.Capacity
		err = roomy(ch.Capacity)
	case VolumeDrain:
		v.State = VolumeDraining
		err = hasOther(c.volumes(), ch.Name)
	case VolumePause:
		v.State = VolumePaused
		err = notMain(ch.Name)
	case VolumeResume:
		v.State = VolumeServing
	default:
		err = fmt.Errorf("%w: %q is nothing that is done with a volume", ErrConfig, ch.Do)
	}
	if err == nil {
		c.setVolume(v)
	}
	return err
}

func roomy(capacity int64) error {
	if capacity < MinCapacity {
		return fmt.Errorf("%w: capacity %d is below %d bytes", ErrConfig, capacity, int64(MinCapacity))
	}
	return nil
}

func notMain(name string) error {
	if name == MainVolume {
		return ErrMainVolume
	}
	return nil
}

// hasOther refuses to drain a volume whose shards have nowhere to go.
func hasOther(all []VolumeConfig, name string) error {
	for _, v := range all {
		if v.Name != name && v.State == VolumeServing {
			return nil
		}
	}
	return ErrNowhereToMove
}

// add makes a volume, or takes one of this node's as it is. The marker is made before
// node.toml names it: whoever is interrupted in between adds it again.
func (b builder) add(list *volumeList, ch VolumeChange) error {
	if err := errors.Join(roomy(ch.Capacity), notMain(ch.Name)); err != nil {
		return err
	}
	v := VolumeConfig{Name: ch.Name, Path: filepath.Clean(ch.Path), Capacity: ch.Capacity, ID: disk.VolumeID{}.String()}
	for _, o := range list.all() {
		if v.clashes(o) {
			return fmt.Errorf("%w: %s at %s", ErrVolumeTaken, o.Name, o.Path)
		}
	}
	if err := v.check(); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	id, err := b.makeDisk(v.Path)
	if err != nil {
		return err
	}
	if main, err := disk.ReadMarker(filepath.Join(b.dir, volumeName)); err == nil && main.Volume == id {
		return fmt.Errorf("%w: %s is the main volume", ErrVolumeTaken, v.Path)
	}
	v.ID = id.String()
	return list.change(func(c *Config) error {
		c.setVolume(v)
		return nil
	})
}

func (b builder) makeDisk(path string) (disk.VolumeID, error) {
	m, err := disk.ReadMarker(path)
	switch {
	case err == nil && m.Node == b.keys.cert.Node:
		return m.Volume, nil
	case err == nil:
		return m.Volume, fmt.Errorf("%w: %s belongs to another node", disk.ErrVolumeExists, path)
	case !errors.Is(err, fs.ErrNotExist):
		return m.Volume, err
	}
	if err := vacant(path); errors.Is(err, ErrVolumeInUse) {
		return m.Volume, fmt.Errorf("%w: %s", ErrNotEmpty, path)
	} else if err != nil {
		return m.Volume, err
	}
	m = disk.Marker{Node: b.keys.cert.Node, Vote: b.keys.cert.Vote, Created: b.now().Unix()}
	if _, err := rand.Read(m.Volume[:]); err != nil {
		return m.Volume, err
	}
	return m.Volume, disk.Create(path, m)
}

// remove ends a volume's part in the node: one that is drained, or one that is lost with
// what was on it. Its folder is left alone.
func (b builder) remove(list *volumeList, v VolumeConfig, lost bool) error {
	if err := notMain(v.Name); err != nil {
		return err
	}
	// A volume that takes new shards is not known to be empty a moment later.
	empty, err := false, error(nil)
	if v.State == VolumeDraining || lost {
		empty, err = b.empty(v)
	}
	switch {
	case lost && err == nil:
		return ErrVolumeThere
	case lost && !errors.Is(err, ErrVolumeAway) && err != nil:
		return err
	case !lost && err != nil:
		return err
	case !lost && !empty:
		return ErrVolumeHolds
	}
	return list.change(func(c *Config) error {
		if now, err := c.volume(v.Name); err != nil || now.State != v.State {
			return errors.Join(err, ErrVolumeHolds) // its operator wants something else by now
		}
		c.dropVolume(v.Name)
		return nil
	})
}
