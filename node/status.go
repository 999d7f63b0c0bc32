package node

import (
	"context"
	"iter"
	"os"
	"time"

	"holdfast/ledger"
	"holdfast/p2p"
)

// States of a node.
const (
	StateServing  = "serving"
	StatePaused   = "paused"   // the volume is not there; nothing is taken, nothing is written elsewhere
	StateStopping = "stopping" // shutdown has begun
	StateDraining = "draining" // it serves, and what it holds goes to others
	StateAway     = "away"     // its operator has announced that it will be down
)

// nodeStates are all of them.
func nodeStates() []string {
	return []string{StateServing, StatePaused, StateStopping, StateDraining, StateAway}
}

// volumeStates are those of a volume.
func volumeStates() []string {
	return []string{StateServing, StatePaused, StateDraining, volumeDrained}
}

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

	Announce        int `json:"announcements_due"`     // vaults that the network is to be told of
	AnnounceOverdue int `json:"announcements_overdue"` // of these, since so long that they are hard to find

	// IllCoded are segments whose writers have coded them wrongly: they are not repaired.
	IllCoded []IllCodedStatus `json:"ill_coded,omitempty"`

	Volumes []VolumeStatus `json:"volumes"`
	Repair  RepairStatus   `json:"repair"`
	Traffic TrafficStatus  `json:"traffic"`
	Alerts  []Alert        `json:"alerts"`
	Drain   *DrainStatus   `json:"drain,omitempty"` // of a node that gives away what it holds

	Standing []Standing  `json:"standing"` // by vault: what its members say of this node
	Audits   AuditStatus `json:"audits"`
	Scrub    ScrubStatus `json:"scrub"`
}

// AuditStatus is what this node, as a member, has found of the holders of its vaults.
type AuditStatus struct {
	Holders  int   `json:"holders"`
	Suspect  int   `json:"suspect"` // do not serve now
	Gone     int   `json:"gone"`    // have not served for too long
	Missing  int64 `json:"missing"` // shards that their holders do not have
	Issued   int64 `json:"issued"`  // groups that were asked for
	Passed   int64 `json:"passed"`  // groups that were proved
	Failed   int64 `json:"failed"`  // shards that were found missing
	Timeouts int64 `json:"timeouts"`
}

// VolumeStatus is how one volume is. Sizes are in bytes, and 0 while it is paused.
type VolumeStatus struct {
	Name     string `json:"name"`
	Path     string `json:"path"`
	ID       string `json:"id,omitempty"`
	State    string `json:"state"`            // serving, paused, draining, or drained: it can be removed
	Reason   string `json:"reason,omitempty"` // why it is paused
	Capacity int64  `json:"capacity"`
	Used     int64  `json:"used"` // trash and quarantine included
	Free     int64  `json:"free"`
	Shards   int64  `json:"shards"`
	Trash    int64  `json:"trash"`
	Damaged  int64  `json:"damaged"` // in quarantine
}

// IllCodedStatus is a segment whose rows do not belong together, and the lane that has
// brought it.
type IllCodedStatus struct {
	Vault   string `json:"vault"`
	Segment string `json:"segment"`
	Lane    string `json:"lane"`
}

// VaultStatus is what a node keeps of one vault.
type VaultStatus struct {
	Vault  string `json:"vault"`
	Member bool   `json:"member"`
	Bytes  int64  `json:"bytes"`
	Shards int64  `json:"shards"`

	Custody *CustodyStatus `json:"custody,omitempty"` // of a member: see there
	Catalog *CatalogStatus `json:"catalog,omitempty"` // likewise
	Holders []HolderStatus `json:"holders,omitempty"` // of a member: all that were audited, by node
}

// CustodyStatus is how safe a member believes the segments of a vault to be: by who
// holds what, and by which holders are there. The margin of a segment is how many of
// its shards can still be lost.
type CustodyStatus struct {
	Segments int64   `json:"segments"`
	Target   int     `json:"target_margin"` // n-k
	Worst    int     `json:"worst_margin"`  // below 0 if a segment is lost
	Margins  []int64 `json:"margins"`       // Margins[i] segments have margin i; a lost one has none
	Below    int64   `json:"below_target"`  // segments that lack a shard
	AtRisk   int64   `json:"at_risk"`       // of these, have a margin of 2 at most, or are lost
	Lost     int64   `json:"unrecoverable"`
}

// TrafficStatus is what payload has come and gone since the start.
type TrafficStatus struct {
	LimitIn  int64         `json:"limit_in"` // bytes a second that hold now; 0 for none
	LimitOut int64         `json:"limit_out"`
	Classes  []ClassStatus `json:"classes"`
}

// ClassStatus is what was moved for one purpose, in bytes.
type ClassStatus struct {
	Class string `json:"class"` // put, get, repair, audit
	In    int64  `json:"in"`
	Out   int64  `json:"out"`
}

// RepairStatus is what this node does as a steward, for all its vaults.
type RepairStatus struct {
	Queue     int64   `json:"queue"`          // segments that it is to repair
	Active    int64   `json:"active"`         // of these, are being worked on
	Oldest    float64 `json:"oldest_seconds"` // how long the first of them has waited
	Rebuilt   int64   `json:"rebuilt"`        // shards rebuilt or moved since the start, and recorded by a quorum
	Completed int64   `json:"completed"`      // of these, nobody had ever held: their commits were incomplete
	Moved     int64   `json:"moved"`          // of these, were copied from holders that leave
	Failed    int64   `json:"failed"`         // times that a segment was put off since the start
	Dropped   int64   `json:"dropped"`        // shards that this node let go of since the start because others hold them now
	Bytes     int64   `json:"bytes"`          // read and written for it since the start
	IllCoded  int64   `json:"ill_coded"`      // segments that their writer has coded wrongly: nothing is done about them
}

// HolderStatus is what a member's audits have found of a holder: see audit.Holder.
type HolderStatus struct {
	Node     string    `json:"node"`
	State    string    `json:"state"`
	Since    time.Time `json:"since,omitzero"`
	Proof    time.Time `json:"proof,omitzero"`
	Weight   int       `json:"weight"`
	Why      string    `json:"why,omitempty"`
	Shards   int64     `json:"shards"`
	Missing  int64     `json:"missing"`
	Passed   int64     `json:"passed"`
	Failed   int64     `json:"failed"`
	Timeouts int64     `json:"timeouts"`
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
	return n.orders.intent.get().state(n.now())
}

// serves reports whether a node in this state gives what it holds, and votes.
func serves(state string) bool {
	return state == StateServing || state == StateDraining || state == StateAway
}

// Status says how the node is, and has it look around for what it says next.
func (n *Node) Status(ctx context.Context) Status {
	s := n.look(ctx)
	n.around.refresh()
	return s
}

// look says how the node is.
func (n *Node) look(ctx context.Context) Status {
	cert := n.orders.current()
	s := Status{
		Node: cert.Node.String(), PeerID: p2p.PeerID(cert.Node), Operator: cert.Operator.String(), Name: cert.Name,
		Network: cert.Network, Zone: cert.Zone, Version: Version(), PID: os.Getpid(), Started: n.started,
		Expires: ledger.Time(cert.Expires), Serial: cert.Serial, Addrs: n.host.Addrs(), Capacity: n.volumes.total(), Vaults: []VaultStatus{},
	}
	s.Repair = n.steward.status()
	err := n.volume.use(ctx, func(p *parts) error {
		u, err := p.shelf.Usage(ctx)
		s.Used, s.Free, s.Shards, s.Trash = u.Used, p.shelf.Room(ctx), u.Shards, u.Trashed
		s.Budget = deletionBudget(n.config.DeletionBudget, u)
		s.Erased = p.book.erased(n.now())
		t := p.board.Totals()
		s.Audits = AuditStatus{t.Holders, t.Suspect, t.Gone, t.Missing, t.Issued, t.Passed, t.Failed, t.Timeouts}
		s.Vaults = n.safety.vaults(p)
		s.IllCoded = p.illCoded()
		s.Repair.IllCoded = int64(len(s.IllCoded))
		return err
	})
	s.Volumes = n.volumeStatus(ctx)
	s.State, s.Reason = n.state()
	if err != nil && s.Reason == "" {
		s.Reason = err.Error()
	}
	s.Traffic = n.throttle.status()
	s.Standing, s.Scrub = n.standing.standings(), n.scrub.status(ctx)
	s.Announce, s.AnnounceOverdue = n.announce.waiting()
	count, skew := n.around.seen()
	s.Peers, s.Skew, s.ClockBad = count, -skew.Seconds(), unusable(skew)
	if doubt := n.clock.doubt(); doubt != nil {
		s.Doubt = doubt.Error()
	}
	s.Drain = n.drainer.status()
	s.Alerts = n.alerts(s)
	return s
}

// custody goes through the vaults of which the node is a member.
func (s Status) custody() iter.Seq[CustodyStatus] {
	return func(yield func(CustodyStatus) bool) {
		for _, v := range s.Vaults {
			if v.Custody != nil && !yield(*v.Custody) {
				return
			}
		}
	}
}

// catalogs goes through the ledgers of the same.
func (s Status) catalogs() iter.Seq[CatalogStatus] {
	return func(yield func(CatalogStatus) bool) {
		for _, v := range s.Vaults {
			if v.Catalog != nil && !yield(*v.Catalog) {
				return
			}
		}
	}
}

// holders goes through their holders; one of several vaults comes for each.
func (s Status) holders() iter.Seq[HolderStatus] {
	return func(yield func(HolderStatus) bool) {
		for _, v := range s.Vaults {
			for _, h := range v.Holders {
				if !yield(h) {
					return
				}
			}
		}
	}
}
