package node

import (
	"cmp"
	"context"
	"os"
	"slices"
	"time"

	"holdfast/ledger"
	"holdfast/p2p"
)

// States of a node.
const (
	StateServing  = "serving"
	StatePaused   = "paused"   // the volume is not there; nothing is taken, nothing is written elsewhere
	StateStopping = "stopping" // shutdown has begun
)

// Status is what a node says of itself to its operator.
type Status struct {
	Node     string        `json:"node"`
	PeerID   string        `json:"peer_id"`
	Operator string        `json:"operator"`
	Name     string        `json:"name"`
	Network  string        `json:"network"`
	Zone     string        `json:"zone"`
	Version  string        `json:"version"`
	State    string        `json:"state"`
	Reason   string        `json:"reason,omitempty"`
	PID      int           `json:"pid"`
	Started  time.Time     `json:"started"`
	Expires  time.Time     `json:"certificate_expires"`
	Serial   int64         `json:"certificate_serial"`
	Addrs    []string      `json:"addrs"`
	Peers    int           `json:"peers"`
	Skew     float64       `json:"clock_skew_seconds"` // this clock less the peers' median
	ClockBad bool          `json:"clock_unusable,omitempty"`
	Doubt    string        `json:"clock_doubt,omitempty"` // why the clock is not believed
	Capacity int64         `json:"capacity"`
	Used     int64         `json:"used"`
	Free     int64         `json:"free"`
	Shards   int64         `json:"shards"`
	Trash    int64         `json:"trash"`           // bytes of Used
	Budget   int64         `json:"deletion_budget"` // bytes that may be erased in 24 hours
	Erased   int64         `json:"erased_24h"`      // bytes that were
	Vaults   []VaultStatus `json:"vaults"`
}

// VaultStatus is what a node keeps of one vault.
type VaultStatus struct {
	Vault  string `json:"vault"`
	Member bool   `json:"member"`
	Bytes  int64  `json:"bytes"`
	Shards int64  `json:"shards"`
}

// unusable reports whether a clock is so far from the others' that certificates made
// now would not hold there.
func unusable(skew time.Duration) bool { return skew.Abs() > ledger.ClockSkew }

// state says how the node is, and why.
func (n *Node) state() (state, reason string) {
	if n.stopping.Load() {
		return StateStopping, ""
	}
	if err := n.volume.paused(); err != nil {
		return StatePaused, err.Error()
	}
	return StateServing, ""
}

// Status says how the node is.
func (n *Node) Status(ctx context.Context) Status {
	cert := n.keys.cert
	s := Status{
		Node: cert.Node.String(), PeerID: p2p.PeerID(cert.Node), Operator: cert.Operator.String(), Name: cert.Name,
		Network: cert.Network, Zone: cert.Zone, Version: Version(), PID: os.Getpid(), Started: n.started,
		Expires: ledger.Time(cert.Expires), Serial: cert.Serial, Addrs: n.host.Addrs(), Capacity: n.config.Capacity, Vaults: []VaultStatus{},
	}
	err := n.volume.use(ctx, func(p *parts) error {
		u, err := p.shelf.Usage(ctx)
		s.Used, s.Free, s.Shards, s.Trash = u.Used, freeSpace(p.dir, u), u.Shards, u.Trashed
		s.Budget = deletionBudget(n.config.DeletionBudget, u)
		s.Erased = p.book.erased(n.now())
		s.Vaults = p.vaultStatus()
		return err
	})
	s.State, s.Reason = n.state()
	if err != nil && s.Reason == "" {
		s.Reason = err.Error()
	}
	n.around.refresh()
	count, skew := n.around.seen()
	s.Peers, s.Skew, s.ClockBad = count, -skew.Seconds(), unusable(skew)
	if doubt := n.clock.doubt(); doubt != nil {
		s.Doubt = doubt.Error()
	}
	return s
}

// vaultStatus lists the vaults of which something is here, sorted by ID.
func (p *parts) vaultStatus() []VaultStatus {
	usage := p.book.vaultUsage()
	all := []VaultStatus{}
	for _, v := range p.member.All() {
		u := usage[v]
		delete(usage, v)
		all = append(all, VaultStatus{v.String(), true, u.Bytes, u.Shards})
	}
	for v, u := range usage {
		all = append(all, VaultStatus{v.String(), false, u.Bytes, u.Shards})
	}
	slices.SortFunc(all, func(a, b VaultStatus) int { return cmp.Compare(a.Vault, b.Vault) })
	return all
}
