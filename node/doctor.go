package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"holdfast/ledger"
	"holdfast/p2p"
)

// Result is how one check of an examination went.
type Result string

// The results. Bad is what keeps the node from doing its part.
const (
	Good    Result = "ok"
	Dubious Result = "warning"
	Bad     Result = "bad"
	Skipped Result = "skipped"
)

// Finding is what one check has found out.
type Finding struct {
	Check  string `json:"check"`
	Result Result `json:"result"`
	Text   string `json:"text"`
	Hint   string `json:"hint,omitempty"`
}

func good(check, format string, args ...any) Finding {
	return Finding{Check: check, Result: Good, Text: fmt.Sprintf(format, args...)}
}

func dubious(check, hint, format string, args ...any) Finding {
	return Finding{Check: check, Result: Dubious, Text: fmt.Sprintf(format, args...), Hint: hint}
}

func bad(check, hint, format string, args ...any) Finding {
	return Finding{Check: check, Result: Bad, Text: fmt.Sprintf(format, args...), Hint: hint}
}

func skipped(check, format string, args ...any) Finding {
	return Finding{Check: check, Result: Skipped, Text: fmt.Sprintf(format, args...)}
}

// The names of the checks.
const (
	checkConfig      = "configuration"
	checkCertificate = "certificate"
	checkRoster      = "roster"
	checkClock       = "clock"
	checkDisk        = "disk"
	checkFsync       = "fsync"
	checkLimits      = "limits"
	checkPorts       = "ports"
	checkPeers       = "peers"
	checkDialBack    = "dial-back"
)

// Examine looks at the node in dir, which does not run: at all that can be seen without
// other nodes. An error is a folder that holds no node.
func Examine(ctx context.Context, dir string, now time.Time) ([]Finding, error) {
	c, err := readConfig(dir)
	if errors.Is(err, ErrNoNode) {
		return nil, err
	}
	if err != nil {
		return []Finding{bad(checkConfig, "correct node.toml", "%v", err)}, nil
	}
	found := []Finding{good(checkConfig, "node.toml can be used")}
	cert, _, err := readCertificate(dir)
	if err != nil {
		return append(found, bad(checkCertificate, "holdfast node request asks the operator for one", "%v", err)), nil
	}
	found = append(found, examineCertificate(cert, c, now), examineRoster(dir, c, cert, now))
	found = append(found, skipped(checkClock, "other nodes' clocks are seen while the node runs"))
	found = append(found, examineDisks(ctx, dir, c, leastRoom)...)
	found = append(found, examineLimits(), examinePorts(c, true))
	return append(found, skipped(checkDialBack, "others are asked to dial the node while it runs")), nil
}

// examine looks at this node, while it runs, and asks others to dial it.
func (n *Node) examine(ctx context.Context) []Finding {
	cert := n.orders.current()
	found := []Finding{
		n.examineFiles(), examineCertificate(cert, n.config, n.now()), examineRoster(n.dir, n.config, cert, n.now()), n.examineClock(),
	}
	found = append(found, examineDisks(ctx, n.dir, n.volumes.current(), n.offered(ctx))...)
	found = append(found, examineLimits(), n.examinePorts())
	return append(found, n.examineNetwork(ctx)...)
}

// offered tells how much each volume should still take.
func (n *Node) offered(ctx context.Context) func(v VolumeConfig) int64 {
	used := map[string]int64{}
	for _, v := range n.volumeStatus(ctx) {
		used[v.Name] = v.Used
	}
	return func(v VolumeConfig) int64 { return v.Capacity - used[v.Name] }
}

// examineFiles says whether what the operator has changed since the start can be used.
func (n *Node) examineFiles() Finding {
	if errs := n.orders.troubles(); len(errs) > 0 {
		return bad(checkConfig, "correct the file; until then the node goes on by what it read before", "%v", errors.Join(errs...))
	}
	if _, err := readConfig(n.dir); err != nil {
		return bad(checkConfig, "correct node.toml before the next start", "%v", err)
	}
	return good(checkConfig, "node.toml and what stands beside it can be used")
}

func examineCertificate(cert ledger.NodeCertificate, c Config, now time.Time) Finding {
	const renew = "holdfast node request, holdfast operator certify, holdfast node certificate"
	left := ledger.Time(cert.Expires).Sub(now)
	switch {
	case cert.ValidAt(now) != nil:
		return bad(checkCertificate, renew, "certificate %d is not valid at this time; it ends on %s", cert.Serial, ledger.Time(cert.Expires).UTC().Format(time.DateOnly))
	case cert.Network != c.Network:
		return bad(checkCertificate, renew, "the certificate is for network %s, and node.toml says %s", cert.Network, c.Network)
	case cert.Zone != c.Zone:
		return dubious(checkCertificate, "correct node.toml, or have another certificate made", "the certificate says zone %q, which is what counts, and node.toml says %q", cert.Zone, c.Zone)
	case left < RenewBefore:
		return dubious(checkCertificate, renew, "certificate %d ends in %d days", cert.Serial, int(left.Hours()/24))
	}
	return good(checkCertificate, "certificate %d of operator %s, zone %s, is good for %d days", cert.Serial, cert.Name, cert.Zone, int(left.Hours()/24))
}

func examineRoster(dir string, c Config, cert ledger.NodeCertificate, now time.Time) Finding {
	if c.Admission != AdmissionRoster {
		return good(checkRoster, "the network is open: nodes of any operator are let in")
	}
	r, err := readAdmission(rosterPath(dir, c))
	if err != nil {
		return bad(checkRoster, "correct the roster", "%v", err)
	}
	if err := r.admit(cert, now); err != nil {
		return bad(checkRoster, "the other nodes, if they have the same roster, let this one not in", "%v", err)
	}
	return good(checkRoster, "%d operators are let in, %s among them", len(r.names), cert.Name)
}

func (n *Node) examineClock() Finding {
	count, skew := n.around.seen()
	if doubt := n.clock.doubt(); doubt != nil {
		return bad(checkClock, "set this machine's clock right; a time service keeps it so", "%v", doubt)
	}
	if count == 0 {
		return skipped(checkClock, "no other node has told its time")
	}
	if skew.Abs() > clockTrust/10 {
		return dubious(checkClock, "let a time service set it", "the clock is %v from the median of %d other nodes", -skew.Round(time.Second), count)
	}
	return good(checkClock, "within %v of the median of %d other nodes", skew.Abs().Round(time.Millisecond), count)
}

// Worst is the worst result among findings.
func Worst(found []Finding) Result {
	worst := Good
	for _, f := range found {
		switch {
		case f.Result == Bad:
			return Bad
		case f.Result == Dubious:
			worst = Dubious
		}
	}
	return worst
}

// announcedPorts are what others are told, at most p2p.MaxPorts of them.
func (n *Node) announcedPorts() []uint16 {
	ports, err := p2p.ListenPorts(bare(n.host.Addrs()))
	if err != nil {
		return nil
	}
	return ports[:min(len(ports), p2p.MaxPorts)]
}
