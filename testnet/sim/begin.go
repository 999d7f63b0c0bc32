package sim

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"

	"lukechampine.com/blake3"

	"holdfast/internal/ident"
	"holdfast/ledger/custody"
	"holdfast/p2p/placement"
)

// maxMembers is how many operators vote in a vault, and so repair it, at most.
const maxMembers = 20

// freeSpace is what each node says that it has left: all alike, and never full.
const freeSpace = 1 << 40

// begin makes a vault of the network, with every shard in its place.
func begin(c *Config, vault int, rng *rand.Rand) (*world, error) {
	w := &world{config: c, rng: rng, numbers: make(map[ident.PublicKey]int), custody: custody.New(), planAt: never}
	first := c.firstOf(vault)
	for i := range c.operatorsOf(vault) {
		w.join((first+i)%c.Zones, c.nodesOf(first+i))
	}
	for i := range min(maxMembers, len(w.operators)) {
		w.members = append(w.members, member{operator: i})
	}
	if err := w.fill(); err != nil {
		return nil, err
	}
	w.appoint()
	for p := range processes {
		w.draw(p)
	}
	return w, nil
}

// join lets an operator with so many nodes in.
func (w *world) join(zone, nodes int) {
	o := len(w.operators)
	first := len(w.seats)
	w.operators = append(w.operators, operator{digest(w.rng), zone, zoneName(zone), first, first + nodes, false})
	for range nodes {
		w.seats = append(w.seats, seat{operator: o})
		w.occupy(len(w.seats) - 1)
	}
}

// occupy puts a new and empty node into a seat.
func (w *world) occupy(at int) {
	o := w.operators[w.seats[at].operator]
	n := node{key: digest(w.rng), operator: w.seats[at].operator, up: true, shards: none}
	number := w.custody.Holder(custody.Holder{Node: n.key, Operator: o.key, Zone: o.name})
	if number != len(w.nodes) {
		w.err = errors.Join(w.err, fmt.Errorf("%w: a vault with more than %d nodes in its time", ErrConfig, len(w.nodes)))
		return
	}
	w.nodes = append(w.nodes, n)
	w.numbers[n.key] = number
	w.seats[at].node = number
}

// zoneName is how a zone is called.
func zoneName(zone int) string { return "zone-" + strconv.Itoa(zone) }

// fill places the segments, as a client does.
func (w *world) fill() error {
	c := w.config
	w.segments = make(map[ident.CID]int, c.Segments)
	w.shards = make([]shard, c.Segments*c.Code.N)
	w.state = make([]state, c.Segments)
	candidates := w.candidates()
	var seed [32]byte = digest(w.rng)
	for s := range c.Segments {
		cid := ident.NewCID(ident.DagCBOR, name(seed, s))
		w.names = append(w.names, cid)
		w.segments[cid] = s
		chosen, err := placement.Choose(seed, s, c.Code, candidates)
		if err != nil {
			return fmt.Errorf("%w: place a segment: %w", ErrConfig, err)
		}
		held := make([]int, c.Code.N)
		for row, i := range chosen {
			id := s*c.Code.N + row
			held[row] = w.seats[i].node
			w.shards[id].holder = held[row]
			w.link(id)
		}
		w.state[s].online = c.Code.N
		w.custody.Add(custody.Segment{CID: cid, Code: c.Code, RowSize: w.row(), Held: held})
	}
	return w.err
}

// name is that of a vault's segment.
func name(seed [32]byte, segment int) [ident.HashSize]byte {
	return blake3.Sum256(binary.BigEndian.AppendUint64(seed[:], uint64(segment)))
}

// candidates are the nodes in the seats: those that are away or lost count without
// space, so that their operators count.
func (w *world) candidates() []placement.Candidate {
	out := make([]placement.Candidate, len(w.seats))
	for i, s := range w.seats {
		n, o := &w.nodes[s.node], &w.operators[s.operator]
		out[i] = placement.Candidate{Node: n.key, Operator: o.key, Zone: o.name, Weight: placement.Full}
		if n.up {
			out[i].Space = freeSpace
		}
	}
	return out
}

// row is the length of one shard of one segment.
func (w *world) row() int64 { return w.config.Code.RowSize(w.config.SegmentSize) }

// bundle is how many bytes one shard stands for: those of its node, which are divided
// among the few that are played.
func (w *world) bundle() float64 {
	return float64(w.config.NodeData) * float64(len(w.seats)) / float64(len(w.shards))
}
