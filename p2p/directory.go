package p2p

import (
	"slices"
	"sync"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// Node is what is known of a storage node. Certificate and Signed are one and the
// same, verified; the rest is what the node says of itself.
type Node struct {
	Certificate ledger.NodeCertificate
	Signed      ident.Signed
	Addrs       []string      // multiaddrs without /p2p/
	Space       int64         // free bytes
	State       State         // what it announces; see StateAt
	Until       time.Time     // end of an announced absence, at most MaxAway ahead; else zero
	Seen        time.Time     // when it last answered; zero for what the DHT's record says
	Skew        time.Duration // its clock less ours, when it last answered
}

// maxNodes bounds the directory: beyond it the node not seen for longest goes.
const maxNodes = 4096

// directory remembers nodes, by node key. It believes what it is given: callers
// have verified certificates.
type directory struct {
	mu    sync.Mutex
	nodes map[ident.PublicKey]*entry
}

type entry struct {
	Node
	learned []string  // addresses from a configuration: kept whatever the node says
	conn    string    // connection on which hellos were exchanged
	failed  time.Time // when it last did not answer; zero if it has since
	sought  time.Time // when its record was last looked up because it could not be reached
}

func newDirectory() *directory { return &directory{nodes: make(map[ident.PublicKey]*entry)} }

// at returns the entry of a key, made if there is none. The lock is held.
func (d *directory) at(key ident.PublicKey) *entry {
	e := d.nodes[key]
	if e == nil {
		if len(d.nodes) >= maxNodes {
			d.evict()
		}
		e = new(entry)
		d.nodes[key] = e
	}
	return e
}

// evict forgets the node not seen for longest, of those that nobody configured.
func (d *directory) evict() {
	var oldest ident.PublicKey
	var seen time.Time
	for key, e := range d.nodes {
		if len(e.learned) == 0 && (oldest.IsZero() || e.Seen.Before(seen)) {
			oldest, seen = key, e.Seen
		}
	}
	delete(d.nodes, oldest)
}

// put records what a node said on a connection, or what its record says (conn "").
// It returns what is known then, and whether the node has not spoken on this
// connection before. Of two certificates the one with the higher serial counts,
// while it is valid.
func (d *directory) put(n Node, conn string, now time.Time) (known Node, first bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.at(n.Certificate.Node)
	old := e.Node
	if conn == "" && !old.Seen.IsZero() && old.Certificate.Serial >= n.Certificate.Serial {
		return old, false // a node's own word is worth more than its record
	}
	e.Node = n
	if old.Certificate.Serial > n.Certificate.Serial && old.Certificate.ValidAt(now) == nil {
		e.Certificate, e.Signed = old.Certificate, old.Signed
	}
	if len(n.Addrs) == 0 {
		e.Addrs = old.Addrs
	}
	if conn != "" {
		first = e.conn != conn
		e.conn, e.failed = conn, time.Time{}
	}
	return e.Node, first
}

// learn adds addresses of a node that may not have been seen yet.
func (d *directory) learn(key ident.PublicKey, addrs []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.at(key)
	for _, a := range addrs {
		if !slices.Contains(e.learned, a) && len(e.learned) < maxAddrs {
			e.learned = append(slices.Clip(e.learned), a)
		}
	}
}

// addrs returns where to try a node: what it says itself, and what was configured.
func (e entry) addrs() []string { return slices.Concat(e.Addrs, e.learned) }

// get returns a copy of what is known of a key.
func (d *directory) get(key ident.PublicKey) (entry, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e := d.nodes[key]; e != nil {
		return *e, true
	}
	return entry{}, false
}

func (d *directory) fail(key ident.PublicKey, t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e := d.nodes[key]; e != nil {
		e.failed = t
	}
}

// seek reports whether a node's record should be looked up at t, and notes that it
// is: not again within a while.
func (d *directory) seek(key ident.PublicKey, t time.Time, while time.Duration) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.nodes[key]
	if e == nil {
		return true
	}
	if !e.sought.IsZero() && t.Sub(e.sought) < while {
		return false
	}
	e.sought = t
	return true
}

// keys returns all nodes that are known, in the order of their keys.
func (d *directory) keys() []ident.PublicKey {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make([]ident.PublicKey, 0, len(d.nodes))
	for key := range d.nodes {
		out = append(out, key)
	}
	slices.SortFunc(out, ident.PublicKey.Compare)
	return out
}

// unwelcome returns the nodes whose certificate does not hold any more, and forgets
// that hellos were exchanged with them.
func (d *directory) unwelcome(welcome func(ledger.NodeCertificate) bool) []ident.PublicKey {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []ident.PublicKey
	for key, e := range d.nodes {
		if !e.Signed.IsZero() && !welcome(e.Certificate) {
			e.conn = ""
			out = append(out, key)
		}
	}
	return out
}
