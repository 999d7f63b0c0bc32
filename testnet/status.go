package testnet

import (
	"context"
	"errors"
	"sync"
	"time"

	"holdfast/node"
)

// States of a node as a test network sees it.
const (
	StateRunning = "running"
	StatePaused  = "paused"  // it runs, and its volume is gone
	StateStopped = "stopped" // held by SIGSTOP
	StateSilent  = "silent"  // it runs and does not answer
	StateDead    = "dead"
)

// NodeState is how a node is.
type NodeState struct {
	Name     string       `json:"name"`
	Operator string       `json:"operator"`
	Zone     string       `json:"zone"`
	Addr     string       `json:"addr"`
	Dir      string       `json:"dir"`
	PID      int          `json:"pid,omitempty"`
	State    string       `json:"state"`
	Status   *node.Status `json:"status,omitempty"`
}

const statusLimit = 2 * time.Second

// Status asks every node how it is.
func (n *Network) Status(ctx context.Context) []NodeState {
	ctx, cancel := context.WithTimeout(ctx, statusLimit)
	defer cancel()
	nodes := n.nodes()
	out := make([]NodeState, len(nodes))
	var asked sync.WaitGroup
	for i, d := range nodes {
		asked.Go(func() { out[i] = n.nodeState(ctx, d) })
	}
	asked.Wait()
	return out
}

func (n *Network) nodeState(ctx context.Context, d nodeDesc) NodeState {
	r := n.state(d.Name)
	s := NodeState{Name: d.Name, Operator: d.Operator, Zone: d.Zone, Addr: d.Addr, Dir: n.NodeDir(d.Name), PID: r.pid}
	switch {
	case r.pid == 0:
		s.State = StateDead
		return s
	case r.frozen:
		s.State = StateStopped
		return s
	}
	status, err := node.Ask(ctx, s.Dir)
	switch {
	case errors.Is(err, node.ErrNotRunning) && n.state(d.Name).pid == 0:
		s.State, s.PID = StateDead, 0
	case err != nil:
		s.State = StateSilent
	case status.State == node.StatePaused:
		s.State, s.Status = StatePaused, &status
	default:
		s.State, s.Status = StateRunning, &status
	}
	return s
}
