package bench

import (
	"context"

	"holdfast/testnet"
)

// nodes are the processes of the network that are up.
type nodes struct{ pids []int }

func nodesOf(ctx context.Context, n *testnet.Network) nodes {
	var list nodes
	for _, s := range n.Status(ctx) {
		if s.PID != 0 {
			list.pids = append(list.pids, s.PID)
		}
	}
	return list
}

// begin forgets earlier peaks and returns what all nodes have used so far.
func (n nodes) begin() float64 {
	for _, pid := range n.pids {
		forgetPeak(pid)
	}
	return n.cpu()
}

func (n nodes) cpu() float64 {
	var sum float64
	for _, pid := range n.pids {
		if used, err := processCPU(pid); err == nil {
			sum += used
		}
	}
	return sum
}

// peak is the memory of the largest node.
func (n nodes) peak() int64 {
	var most int64
	for _, pid := range n.pids {
		if p, err := processPeak(pid); err == nil {
			most = max(most, p)
		}
	}
	return most
}
