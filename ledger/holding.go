package ledger

import (
	"fmt"
	"slices"
	"time"

	"holdfast/erasure"
	"holdfast/internal/ident"
)

// Holding is what one node has signed that it holds of a snapshot.
type Holding struct {
	Operator ident.PublicKey
	Name     string // the operator's, by his certificate
	Node     ident.PublicKey
	Zone     string
	Shards   int
	Bytes    int64
	First    time.Time // of the earliest of its receipts, on the node's clock
	Last     time.Time // of the latest
	Until    time.Time // the earliest end of a promise to keep them whatever becomes of the commit
}

// holdings collects the receipts over some segments, shard by shard: of several for
// one shard the newest counts.
type holdings struct {
	segments map[ident.CID]erasure.Descriptor
	held     map[shardAt]promise
}

type shardAt struct {
	segment ident.CID
	index   int64
}

type promise struct {
	cert        NodeCertificate
	time, until int64
}

func newHoldings() holdings {
	return holdings{map[ident.CID]erasure.Descriptor{}, map[shardAt]promise{}}
}

// addCommit takes in some segments of an entry's body: every holder's certificate was
// valid when it gave its receipt, and each receipt is over exactly what the placement
// says. The members have judged the same, and how long the promises hold.
func (h holdings) addCommit(ch Charter, e Entry, b SnapshotBody, segments []Segment, wanted func(i int) bool) error {
	certs := make([]NodeCertificate, len(b.Holders))
	receipts := make([]Receipt, len(b.Holders))
	want := placed(segments, len(b.Holders))
	for i, s := range b.Holders {
		var err error
		if certs[i], err = VerifyNodeCertificate(s); err == nil {
			receipts[i], err = VerifyReceipt(b.Receipts[i], certs[i].Vote, e.Vault)
		}
		if err == nil {
			err = CheckHolder(ch, certs[i], Time(receipts[i].Time))
		}
		r := receipts[i]
		if err == nil && (r.Node != certs[i].Node || r.Device != e.Lane || r.Charter != ch.CID() || r.Nonce != b.Nonce || r.Later() || !slices.Equal(r.Shards, want[i])) {
			err = fmt.Errorf("%w: it is for something else", ErrReceipt)
		}
		if err != nil {
			return fmt.Errorf("receipt %d: %w", i, err)
		}
	}
	for i, s := range segments {
		if !wanted(i) {
			continue
		}
		h.segments[s.CID] = s.Descriptor
		for shard, row := range s.Placement {
			if row != Nowhere {
				h.promise(s.CID, int64(shard), promise{certs[row], receipts[row].Time, receipts[row].Until})
			}
		}
	}
	return nil
}

func (h holdings) promise(segment ident.CID, shard int64, p promise) {
	at := shardAt{segment, shard}
	if was, ok := h.held[at]; !ok || was.time < p.time {
		h.held[at] = p
	}
}

// addPlacement takes in a later receipt. Of segments that are not there it proves
// nothing here.
func (h holdings) addPlacement(c Chain, l Placement) error {
	r, cert, err := c.VerifyPlacement(l)
	if err != nil {
		return err
	}
	for _, s := range r.Shards {
		d, ok := h.segments[s.Segment]
		if !ok {
			continue
		}
		if s.Index >= int64(len(d.Shards)) || d.Shards[s.Index] != s.Shard {
			return fmt.Errorf("%w: it names a shard that does not exist", ErrReceipt)
		}
		h.promise(s.Segment, s.Index, promise{cert, r.Time, r.Until})
	}
	return nil
}

// list returns what each node holds, sorted by operator and node.
func (h holdings) list() []Holding {
	by := map[ident.PublicKey]*Holding{}
	for at, p := range h.held {
		x := by[p.cert.Node]
		if x == nil {
			c := p.cert
			x = &Holding{Operator: c.Operator, Name: c.Name, Node: c.Node, Zone: c.Zone, First: Time(p.time), Last: Time(p.time), Until: Time(p.until)}
			by[c.Node] = x
		}
		x.Shards++
		d := h.segments[at.segment]
		x.Bytes += d.RowSize()
		x.First, x.Last, x.Until = earlier(x.First, Time(p.time)), later(x.Last, Time(p.time)), earlier(x.Until, Time(p.until))
	}
	out := make([]Holding, 0, len(by))
	for _, x := range by {
		out = append(out, *x)
	}
	slices.SortFunc(out, func(a, b Holding) int {
		if c := a.Operator.Compare(b.Operator); c != 0 {
			return c
		}
		return a.Node.Compare(b.Node)
	})
	return out
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// losses returns how many operators may be lost, whichever they are, so that every
// segment can still be rebuilt; -1 if there is one that cannot be rebuilt from what
// is receipted.
func (h holdings) losses() int {
	least := -1
	first := true
	for segment, d := range h.segments {
		shards := map[ident.PublicKey]int{}
		for i := range d.Shards {
			if p, ok := h.held[shardAt{segment, int64(i)}]; ok {
				shards[p.cert.Operator]++
			}
		}
		if n := Withstands(shards, int(d.K)); first || n < least {
			least, first = n, false
		}
	}
	return least
}
