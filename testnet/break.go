package testnet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"holdfast/node"
	"holdfast/store/disk"
)

// Harm is a way to break a node.
type Harm string

// The ways to break a node.
const (
	Kill    Harm = "kill"    // kill -9
	Stop    Harm = "stop"    // SIGSTOP: it is there and answers nothing
	Wipe    Harm = "wipe"    // the main volume is emptied under the running node, marker and ledger included
	Corrupt Harm = "corrupt" // a bit is flipped in every shard file, on all volumes
	Fill    Harm = "fill"    // the node offers no more than it has taken
)

// Harms lists them all.
func Harms() []Harm { return []Harm{Kill, Stop, Wipe, Corrupt, Fill} }

// ErrHarm says that there is no such way to break a node.
var ErrHarm = errors.New("not a way to break a node")

const volumeName = "volume"

// Break harms a node, or all nodes of an operator, and returns which.
func (n *Network) Break(ctx context.Context, how Harm, target string) ([]string, error) {
	names, err := n.Targets(target)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if err := n.breakNode(ctx, how, name); err != nil {
			return nil, fmt.Errorf("%s %s: %w", how, name, err)
		}
	}
	return names, nil
}

func (n *Network) breakNode(ctx context.Context, how Harm, name string) error {
	dir := n.NodeDir(name)
	switch how {
	case Kill:
		return n.runner.kill(ctx, name, dir)
	case Stop:
		return n.runner.freeze(name, dir)
	case Wipe:
		return n.wipe(ctx, name)
	case Corrupt:
		return n.corrupt(name)
	case Fill:
		return n.fill(ctx, name)
	}
	return fmt.Errorf("%w: %q", ErrHarm, how)
}

// corrupt goes through all volumes of a node.
func (n *Network) corrupt(name string) error {
	dir := n.NodeDir(name)
	config, err := node.ReadConfig(dir)
	if err != nil {
		return err
	}
	volumes := []string{filepath.Join(dir, volumeName)}
	for _, v := range config.Volumes {
		if v.Name != node.MainVolume {
			volumes = append(volumes, v.Path)
		}
	}
	var errs []error
	for _, v := range volumes {
		_, err := corruptShards(filepath.Join(v, "shards"), name)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// wipe empties the main volume, the marker first, and waits until a node that is up has
// noticed.
func (n *Network) wipe(ctx context.Context, name string) error {
	volume := filepath.Join(n.NodeDir(name), volumeName)
	if err := os.Remove(filepath.Join(volume, disk.MarkerName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := emptyFolder(volume); err != nil {
		return err
	}
	if !n.state(name).up() {
		return nil
	}
	return n.awaitState(ctx, name, node.StatePaused)
}

// emptyFolder removes what is in a folder, and again if something came meanwhile.
func emptyFolder(dir string) error {
	const tries = 10
	var failed error
	for range tries {
		left, err := os.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) || err == nil && len(left) == 0 {
			return nil
		}
		failed = err
		for _, e := range left {
			failed = errors.Join(failed, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	return errors.Join(fmt.Errorf("%s is not empty", dir), failed)
}

// fill takes away the node's free space: it is started again with a capacity of what
// it uses.
func (n *Network) fill(ctx context.Context, name string) error {
	s, err := node.Ask(ctx, n.NodeDir(name))
	if err != nil {
		return err
	}
	if err := n.setCapacity(ctx, name, max(1, s.Used)); err != nil {
		return err
	}
	if err := n.start(ctx, name); err != nil {
		return err
	}
	return n.awaitReady(ctx, []string{name})
}
