package vault

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
	"holdfast/p2p/placement"
)

// weights is what the members' audits say of the nodes' standing: how much of their share
// of new shards they are to get. The file behind it is a cache: without it every node
// gets its whole share until the members are heard.
type weights struct {
	V     int64        `cbor:"v"`
	At    int64        `cbor:"at"` // ms; when the members were heard
	Nodes []nodeWeight `cbor:"nodes"`
}

type nodeWeight struct {
	Node   ident.PublicKey `cbor:"node"`
	Weight int64           `cbor:"weight"` // 0 to ledger.FullWeight
}

const (
	weightsName    = "weights"
	weightsVersion = 1
	weightsLimit   = 1 << 20

	weightsFresh = time.Hour      // the members are not asked again before
	weightsValid = 24 * time.Hour // what they have said is forgotten
)

// of returns the weight of a node; its whole share if nothing is known of it. Standing
// lessens what a node gets, and never takes everything: who has none is found out about by
// giving him a little.
func (w weights) of(node ident.PublicKey) int {
	for _, n := range w.Nodes {
		if n.Node == node {
			return int(max(1, min(n.Weight, placement.Full)))
		}
	}
	return placement.Full
}

// learnWeights brings what is known of the nodes' standing up to date, if it is old.
func (s *Session) learnWeights(ctx context.Context) {
	now := s.options.Now()
	path := filepath.Join(s.home.cacheDir(s.vault), weightsName)
	if w, ok := readWeights(path); ok {
		age := now.Sub(ledger.Time(w.At))
		if age >= 0 && age < weightsValid {
			s.weights = w
		}
		if age >= 0 && age < weightsFresh {
			return
		}
	}
	reports := s.askAudits(ctx)
	if len(reports) < s.charter.Quorum() {
		return // so few could be liars, most of them
	}
	s.weights = weigh(reports, s.believable(), now)
	if p, err := wire.Encode(s.weights); err == nil && os.MkdirAll(filepath.Dir(path), 0o700) == nil {
		writeCache(path, p)
	}
}

func readWeights(path string) (w weights, ok bool) {
	p, err := readLimited(path, weightsLimit)
	return w, err == nil && wire.DecodeVersion(p, weightsVersion, &w) == nil
}

// weigh takes the median of what the members say of each node that so many at least speak
// of.
func weigh(reports []ledger.AuditReport, least int, now time.Time) weights {
	w := weights{V: weightsVersion, At: ledger.Millis(now), Nodes: []nodeWeight{}}
	seen := map[ident.PublicKey]bool{}
	for _, r := range reports {
		for _, h := range r.Holders {
			if seen[h.Node] {
				continue
			}
			seen[h.Node] = true
			if judged, ok := audited(reports, h.Node, least); ok {
				w.Nodes = append(w.Nodes, nodeWeight{h.Node, judged.Weight})
			}
		}
	}
	return w
}
