package testnet

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"holdfast/node"
)

// Config describes a network to be started.
type Config struct {
	Dir       string // an empty or absent folder
	Nodes     int
	Operators int    // 0: one for each node
	Zones     int    // 0: one for each operator
	Network   string // must begin with "test-"
	Capacity  int64  // bytes that each node offers

	Program  string // the holdfast executable; a copy of it is kept in Dir
	Attached bool   // nodes end when this process does
	Log      *slog.Logger

	// Apart are nodes that run in a network namespace of their own, so that the network
	// can be split. Such a network ends with the process that has started it.
	Apart []string

	// Node may set keys of a node's node.toml before the node is made; nil leaves the
	// defaults. Network, zone, listen and bootstrap are set after it.
	Node func(name string, c *node.Config)

	// Clock returns a node's clock; InProcess alone can give one to a node. The
	// system's if nil.
	Clock func(node string) func() time.Time
}

// Limits and defaults of a test network.
const (
	MaxNodes        = 256
	DefaultCapacity = 20 << 30
	DefaultNetwork  = "test-local"
)

// What can be wrong with a test network.
var (
	ErrConfig = errors.New("not a network that can be started")
	ErrExists = errors.New("the folder already holds something")
)

// clock is a node's clock.
func (c *Config) clock(node string) func() time.Time {
	if c.Clock == nil {
		return time.Now
	}
	return c.Clock(node)
}

// begin completes and checks a configuration, and makes the network's folders.
func (c *Config) begin() error {
	if err := c.fill(); err != nil {
		return err
	}
	return c.prepare()
}

func (c *Config) fill() error {
	if c.Operators == 0 {
		c.Operators = c.Nodes
	}
	if c.Zones == 0 {
		c.Zones = c.Operators
	}
	if c.Network == "" {
		c.Network = DefaultNetwork
	}
	if c.Capacity == 0 {
		c.Capacity = DefaultCapacity
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	switch {
	case c.Nodes < 1 || c.Nodes > MaxNodes:
		return fmt.Errorf("%w: %d nodes; 1 to %d can be", ErrConfig, c.Nodes, MaxNodes)
	case c.Operators < 1 || c.Operators > c.Nodes:
		return fmt.Errorf("%w: %d operators for %d nodes", ErrConfig, c.Operators, c.Nodes)
	case c.Zones < 1 || c.Zones > c.Operators:
		return fmt.Errorf("%w: %d zones for %d operators", ErrConfig, c.Zones, c.Operators)
	case !strings.HasPrefix(c.Network, "test-"):
		return fmt.Errorf("%w: its name must begin with test-", ErrConfig)
	}
	var err error
	c.Dir, err = filepath.Abs(c.Dir)
	return err
}

// prepare makes the network's folders in one that is empty or absent.
func (c *Config) prepare() error {
	entries, err := os.ReadDir(c.Dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("make network: %w", err)
	}
	if len(entries) > 0 {
		return fmt.Errorf("%w: %s", ErrExists, c.Dir)
	}
	for _, d := range []string{"nodes", "operators", "bin"} {
		if err := os.MkdirAll(filepath.Join(c.Dir, d), 0o700); err != nil {
			return fmt.Errorf("make network: %w", err)
		}
	}
	return nil
}
