package vault

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
	"holdfast/p2p"
	"holdfast/p2p/placement"
)

func reportOf(weight ...int64) (r ledger.AuditReport) {
	for i, w := range weight {
		r.Holders = append(r.Holders, ledger.HolderReport{Node: shelves(string(rune('a' + i)))[0], State: ledger.HolderOK, Weight: w})
	}
	return r
}

// A node's weight is the median of what members say; nobody gets nothing, and of whom
// nothing is known gets all.
func TestWeights(t *testing.T) {
	w := weigh([]ledger.AuditReport{reportOf(1000), reportOf(0), reportOf(50)}, 3, ledgertest.Start())
	if got := w.of(shelves("a")[0]); got != 50 {
		t.Errorf("median %d", got)
	}
	if got := w.of(shelves("z")[0]); got != placement.Full {
		t.Errorf("of a node that nobody knows: %d", got)
	}
	w = weigh([]ledger.AuditReport{reportOf(0)}, 1, ledgertest.Start())
	if got := w.of(shelves("a")[0]); got != 1 {
		t.Errorf("of a node without standing: %d", got)
	}
	// Of b only one member speaks, who may be a liar.
	w = weigh([]ledger.AuditReport{reportOf(900), reportOf(900, 0), reportOf(900)}, 3, ledgertest.Start())
	if a, b := w.of(shelves("a")[0]), w.of(shelves("b")[0]); a != 900 || b != placement.Full {
		t.Errorf("weights %d, and by one member's word %d", a, b)
	}
}

// What was heard is kept, is good for an hour without asking, and is forgotten after a day.
func TestWeightsAreKept(t *testing.T) {
	c := newCachedLane(t, 1)
	nobody, cancel := context.WithCancel(t.Context()) // can be reached
	cancel()
	path := filepath.Join(c.home.cacheDir(c.vault.ID()), weightsName)
	node := shelves("a")[0]
	for age, want := range map[time.Duration]int{time.Minute: 7, weightsValid - time.Minute: 7, weightsValid + time.Minute: placement.Full, -time.Minute: placement.Full} {
		p, err := wire.Encode(weights{V: weightsVersion, At: ledger.Millis(ledgertest.Start().Add(-age)), Nodes: []nodeWeight{{node, 7}}})
		if err != nil {
			t.Fatal(err)
		}
		writeCache(path, p)
		s := c.open()
		s.learnWeights(nobody)
		if got := s.weights.of(node); got != want {
			t.Errorf("%v old: weight %d, want %d", age, got, want)
		}
		c.close(s)
	}
	writeCache(path, []byte("no weights"))
	s := c.open()
	defer c.close(s)
	if s.learnWeights(nobody); s.weights.of(node) != placement.Full {
		t.Error("a damaged file is believed")
	}
}

// Who drains or is away gets nothing, and counts; an absence that is over is none.
func TestPlacerKnowsStates(t *testing.T) {
	v := ledgertest.NewVault("placer", 4)
	now := ledgertest.Start()
	s := &Session{charter: v.Charter, vault: v.ID(), options: Options{Now: func() time.Time { return now }}, weights: weights{}}
	var nodes []p2p.Node
	for i, m := range v.Charter.Members {
		n := p2p.Node{Certificate: ledger.NodeCertificate{Node: m.Node, Operator: m.Operator, Zone: m.Zone}, Space: 1 << 30}
		switch i {
		case 1:
			n.State = p2p.Draining
		case 2:
			n.State, n.Until = p2p.Away, now.Add(time.Hour)
		case 3:
			n.State, n.Until = p2p.Away, now.Add(-time.Hour)
		}
		nodes = append(nodes, n)
	}
	s.weights = weights{Nodes: []nodeWeight{{nodes[0].Certificate.Node, 40}}}
	p := s.newPlacer([16]byte{1}, nodes)
	var space []int64
	for _, c := range p.candidates {
		space = append(space, c.Space)
	}
	if len(p.candidates) != 4 || space[0] == 0 || space[1] != 0 || space[2] != 0 || space[3] == 0 || p.takers() != 2 || p.candidates[0].Weight != 40 {
		t.Fatalf("candidates %+v", p.candidates)
	}
	placed, err := p.Place(0)
	if err != nil {
		t.Fatal(err)
	}
	for _, node := range placed {
		if node == nodes[1].Certificate.Node || node == nodes[2].Certificate.Node {
			t.Errorf("a shard goes to a node that takes nothing: %v", placed)
		}
	}
	if have := len(placed) - count(placed); have != 2 {
		t.Errorf("%d shards are placed with two operators who take one each", have)
	}
}

// count counts the shards that nobody gets.
func count(nodes []ident.PublicKey) (n int) {
	for _, node := range nodes {
		if node.IsZero() {
			n++
		}
	}
	return n
}
