package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"holdfast/internal/ident"
	"holdfast/store"
	"holdfast/store/disk"
	"holdfast/store/pool"
)

// disks are the volumes of a node besides the main one: shards and nothing else. Each is
// opened and closed by itself, as it comes and goes and as its operator wants it. While
// one is away the others and the node go on, and of its shards nothing is said.
//
// A volume that was emptied does not come back: its marker is gone, and what node.toml
// names is a marker's ID.
type disks struct {
	settings *volumeList
	pool     *pool.Pool
	main     *disk.Disk
	node     ident.PublicKey
	open     func(ctx context.Context, v VolumeConfig, id disk.VolumeID) (*disk.Disk, error)
	back     func() // called when one is there that was not
	log      *slog.Logger

	mu    sync.Mutex // one look at a time
	there map[string]*disk.Disk
	away  map[string]string // why, as it was logged
}

// follow makes what is open agree with what is there and with what node.toml says.
func (d *disks) follow(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	wanted := d.settings.all()
	var errs []error
	for _, v := range wanted {
		errs = append(errs, d.followOne(ctx, v))
	}
	for _, name := range slices.Collect(maps.Keys(d.away)) {
		if !slices.ContainsFunc(wanted, func(v VolumeConfig) bool { return v.Name == name }) {
			errs = append(errs, d.leave(name, errRemoved), d.pool.Forget(name))
			delete(d.away, name)
		}
	}
	return errors.Join(errs...)
}

var (
	errRemoved  = fmt.Errorf("%w: it was removed", store.ErrPaused)
	errOperator = fmt.Errorf("%w: its operator wants it so", store.ErrPaused)
)

func (d *disks) followOne(ctx context.Context, v VolumeConfig) error {
	draining := v.State == VolumeDraining
	if v.Name == MainVolume {
		d.main.Resize(v.Capacity)
		return d.pool.SetDraining(v.Name, draining)
	}
	if _, known := d.away[v.Name]; !known {
		if err := d.pool.Add(pool.Volume{Name: v.Name, Free: func(u store.Usage) int64 { return freeSpace(v.Path, u) }}); err != nil {
			return err
		}
		d.away[v.Name] = ""
	}
	if err := d.pool.SetDraining(v.Name, draining); err != nil {
		return err
	}
	open := d.there[v.Name]
	switch {
	case v.State == VolumePaused:
		return d.leave(v.Name, errOperator)
	case open == nil:
		return d.enter(ctx, v)
	}
	open.Resize(v.Capacity)
	if err := open.Check(ctx); errors.Is(err, store.ErrPaused) {
		return d.leave(v.Name, err)
	}
	return nil
}

// enter opens a volume. That it cannot be opened is no error: it is away.
func (d *disks) enter(ctx context.Context, v VolumeConfig) error {
	opened, err := d.openOne(ctx, v)
	if err != nil {
		return d.leave(v.Name, err)
	}
	if err := d.pool.Attach(v.Name, opened); err != nil {
		return errors.Join(err, opened.Close())
	}
	d.there[v.Name], d.away[v.Name] = opened, ""
	d.log.Info("volume is there", "volume", v.Name, "path", v.Path)
	d.back()
	return nil
}

func (d *disks) openOne(ctx context.Context, v VolumeConfig) (*disk.Disk, error) {
	id, err := v.id()
	if err != nil {
		return nil, err
	}
	marker, err := disk.ReadMarker(v.Path)
	if err != nil {
		return nil, fmt.Errorf("%w (%w)", store.ErrPaused, err)
	}
	// The vote key is not compared: no vote is remembered there.
	if marker.Node != d.node {
		return nil, fmt.Errorf("%w: %s belongs to another node", store.ErrPaused, v.Path)
	}
	return d.open(ctx, v, id)
}

// leave takes a volume out of use, and closes it if it is open.
func (d *disks) leave(name string, why error) error {
	if err := d.pool.Detach(name, why); err != nil {
		return err
	}
	if d.away[name] != why.Error() {
		d.away[name] = why.Error()
		d.tell(name, why)
	}
	open := d.there[name]
	if open == nil {
		return nil
	}
	delete(d.there, name)
	if err := open.Close(); err != nil && !errors.Is(err, store.ErrPaused) {
		d.log.Warn("volume closed", "volume", name, "error", err)
	}
	return nil
}

func (d *disks) tell(name string, why error) {
	if errors.Is(why, errRemoved) || errors.Is(why, errOperator) {
		d.log.Info("volume is closed", "volume", name, "reason", why)
		return
	}
	d.log.Error("volume is away: nothing is said of what is on it, and nothing is written in its place", "volume", name, "error", why)
}

// all returns what is open, the main one too.
func (d *disks) all() []*disk.Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]*disk.Disk{d.main}, slices.Collect(maps.Values(d.there))...)
}

// close closes all but the main one.
func (d *disks) close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var errs []error
	for name, open := range d.there {
		if err := open.Close(); err != nil && !errors.Is(err, store.ErrPaused) {
			errs = append(errs, fmt.Errorf("close volume %s: %w", name, err))
		}
	}
	clear(d.there)
	return errors.Join(errs...)
}
