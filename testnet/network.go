package testnet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"holdfast/internal/atomicfile"
)

// Network is a running test network.
type Network struct {
	dir    string
	runner runner
	log    *slog.Logger
	border *border // nil where no node runs apart

	adding sync.Mutex // one node at a time
	mu     sync.Mutex
	desc   description // Add makes it longer
}

// description is what network.json holds, so that another process can take over.
type description struct {
	Network  string     `json:"network"`
	Capacity int64      `json:"capacity"`
	Nodes    []nodeDesc `json:"nodes"`
}

type nodeDesc struct {
	Name     string `json:"name"`
	Operator string `json:"operator"`
	Zone     string `json:"zone"`
	Addr     string `json:"addr"` // with /p2p/
}

// listen is the address without the node's name.
func (d nodeDesc) listen() string {
	addr, _, _ := strings.Cut(d.Addr, "/p2p/")
	return addr
}

// runner starts and ends nodes, as processes or in this one.
type runner interface {
	// start returns when the node's process or goroutine has begun; it may not be
	// ready. A node that runs is left alone.
	start(ctx context.Context, name, dir string) error
	// stop ends a node as its operator would, or at once, as kill -9 does, and waits.
	stop(ctx context.Context, name, dir string) error
	kill(ctx context.Context, name, dir string) error
	// freeze and thaw hold it in place (SIGSTOP, SIGCONT).
	freeze(name, dir string) error
	thaw(name, dir string) error
	// state says how it is.
	state(name, dir string) running
}

// running is how a node's process is.
type running struct {
	pid    int // 0 if none runs
	frozen bool
}

// up reports whether it can be expected to answer.
func (r running) up() bool { return r.pid != 0 && !r.frozen }

const (
	descriptionName = "network.json"
	descriptionMax  = 1 << 20
)

// nodes are those of the description, in the order in which they were made.
func (n *Network) nodes() []nodeDesc {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.desc.Nodes)
}

func (n *Network) save() error {
	n.mu.Lock()
	p, err := json.MarshalIndent(n.desc, "", "  ")
	n.mu.Unlock()
	if err != nil {
		return fmt.Errorf("save network: %w", err)
	}
	if err := atomicfile.WriteFile(filepath.Join(n.dir, descriptionName), append(p, '\n'), 0o600); err != nil {
		return fmt.Errorf("save network: %w", err)
	}
	lines := strings.Join(n.Bootstrap(), "\n") + "\n"
	if err := atomicfile.WriteFile(n.BootstrapFile(), []byte(lines), 0o644); err != nil {
		return fmt.Errorf("save network: %w", err)
	}
	return nil
}

// ErrNoNetwork says that a folder holds no test network.
var ErrNoNetwork = errors.New("no test network is in this folder")

// Attach takes over a network of real processes that another process has started in
// dir.
func Attach(dir string, log *slog.Logger) (*Network, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("attach to network: %w", err)
	}
	path := filepath.Join(dir, descriptionName)
	if fi, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrNoNetwork, dir)
	} else if err != nil || fi.Size() > descriptionMax {
		return nil, errors.Join(fmt.Errorf("%w: %s cannot be read", ErrNoNetwork, path), err)
	}
	p, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("attach to network: %w", err)
	}
	n := &Network{dir: dir, log: log}
	if err := json.Unmarshal(p, &n.desc); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrNoNetwork, path, err)
	}
	n.runner = newProcesses(filepath.Join(dir, programName), false, len(n.desc.Nodes))
	return n, nil
}

// Dir is the network's folder.
func (n *Network) Dir() string { return n.dir }

// Name is the network's name.
func (n *Network) Name() string { return n.desc.Network }

// BootstrapFile holds a multiaddr a line.
func (n *Network) BootstrapFile() string { return filepath.Join(n.dir, "bootstrap") }

// Bootstrap returns the addresses by which the network is joined.
func (n *Network) Bootstrap() []string {
	var addrs []string
	for _, d := range n.nodes() {
		addrs = append(addrs, d.Addr)
	}
	return addrs
}

// NodeDir is the folder of one node.
func (n *Network) NodeDir(name string) string { return filepath.Join(n.dir, "nodes", name) }

// OperatorKey is the key file of one operator.
func (n *Network) OperatorKey(operator string) string {
	return filepath.Join(n.dir, "operators", operator+".key")
}

// Names returns the names of all nodes.
func (n *Network) Names() []string {
	var names []string
	for _, d := range n.nodes() {
		names = append(names, d.Name)
	}
	return names
}

// ErrNoNode says that no node and no operator has a name.
var ErrNoNode = errors.New("no node or operator of that name")

// Targets turns NAME or operator=NAME into nodes.
func (n *Network) Targets(target string) ([]string, error) {
	operator, all := strings.CutPrefix(target, "operator=")
	var names []string
	for _, d := range n.nodes() {
		if all && d.Operator == operator || !all && d.Name == target {
			names = append(names, d.Name)
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%w: %s", ErrNoNode, target)
	}
	return names, nil
}

// OperatorOf returns the name of the operator whose node it is.
func (n *Network) OperatorOf(name string) string {
	for _, d := range n.nodes() {
		if d.Name == name {
			return d.Operator
		}
	}
	return ""
}

func (n *Network) state(name string) running { return n.runner.state(name, n.NodeDir(name)) }
