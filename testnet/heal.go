package testnet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"holdfast/node"
	"holdfast/store/disk"
)

// Heal makes a node, or all nodes of an operator, work again: a held process goes
// on, a dead one is started, a full one gets its space back, and a wiped one gets a
// new, empty volume with a new vote key. It returns which, when they are ready.
// Shards that are corrupt stay so.
func (n *Network) Heal(ctx context.Context, target string) ([]string, error) {
	names, err := n.Targets(target)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if err := n.healNode(ctx, name); err != nil {
			return nil, fmt.Errorf("heal %s: %w", name, err)
		}
	}
	return names, n.awaitReady(ctx, names)
}

func (n *Network) healNode(ctx context.Context, name string) error {
	dir := n.NodeDir(name)
	if n.state(name).frozen {
		if err := n.runner.thaw(name, dir); err != nil {
			return err
		}
	}
	if err := n.renewIfWiped(ctx, name); err != nil {
		return err
	}
	if err := n.setCapacity(ctx, name, n.desc.Capacity); err != nil {
		return err
	}
	return n.start(ctx, name)
}

func (n *Network) renewIfWiped(ctx context.Context, name string) error {
	dir := n.NodeDir(name)
	volume := filepath.Join(dir, volumeName)
	if _, err := disk.ReadMarker(volume); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := n.runner.stop(ctx, name, dir); err != nil {
		return err
	}
	if err := emptyFolder(volume); err != nil {
		return err
	}
	key, operator, err := node.ReadKeyFile(n.OperatorKey(n.OperatorOf(name)), node.OperatorKey)
	if err != nil {
		return err
	}
	_, err = node.Renew(dir, key, operator, time.Now)
	return err
}

// setCapacity changes how much a node offers. If it runs it is stopped for that.
func (n *Network) setCapacity(ctx context.Context, name string, capacity int64) error {
	dir := n.NodeDir(name)
	config, err := node.ReadConfig(dir)
	if err != nil || config.Capacity == capacity {
		return err
	}
	if err := n.runner.stop(ctx, name, dir); err != nil {
		return err
	}
	return node.SetCapacity(dir, capacity)
}

// Restart stops a node as its operator would and starts it again.
func (n *Network) Restart(ctx context.Context, name string) error {
	if err := n.runner.stop(ctx, name, n.NodeDir(name)); err != nil {
		return err
	}
	if err := n.start(ctx, name); err != nil {
		return err
	}
	return n.awaitReady(ctx, []string{name})
}

// Down ends every node, the held ones too, and returns when they are gone. The
// folder stays.
func (n *Network) Down(ctx context.Context) error {
	err := each(n.Names(), func(name string) error { return n.runner.stop(ctx, name, n.NodeDir(name)) })
	if n.border != nil {
		err = errors.Join(err, n.border.close())
	}
	return err
}
