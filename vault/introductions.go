package vault

import (
	"encoding/binary"
	"slices"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/ledger/custody"
	"holdfast/vault/index"
)

// introductions has the segments of the entries whose bodies were read once, without
// their descriptors: of each lane those up to some height. They are kept as the rows of
// the summary, and made into segments when somebody asks: a vault may have a million.
type introductions struct {
	nodes   []ident.PublicKey // that the rows count
	numbers map[ident.PublicKey]uint32
	entries map[ident.CID]introduced
}

// introduced is the rows of one entry's segments: what is counted of them, and where the
// entry's body has put their shards.
//
// SPEC: row = segment (32) || size (8) || k (1) || shards (1) || number of a node (4), for each shard
type introduced struct {
	rows  []byte // never changed in place
	count int
	first int64 // number of the first segment in its lane
}

const (
	segmentRow    = 32 + 8 + 1 + 1
	placementSize = 4
	nobody        = ^uint32(0) // holds a shard
)

func newIntroductions() introductions {
	return introductions{numbers: map[ident.PublicKey]uint32{{}: nobody}, entries: map[ident.CID]introduced{}}
}

// number returns the number of a node, which is given one.
func (x *introductions) number(node ident.PublicKey) uint32 {
	n, ok := x.numbers[node]
	if !ok {
		n = uint32(len(x.nodes))
		x.numbers[node], x.nodes = n, append(x.nodes, node)
	}
	return n
}

// put notes what an entry introduces, at least one segment, each with its descriptor.
func (x *introductions) put(entry ident.CID, segs []index.Segment) error {
	in := introduced{count: len(segs)}
	for i, seg := range segs {
		d, err := erasure.ParseDescriptor(seg.Descriptor)
		if err != nil {
			return err
		}
		if i == 0 {
			in.first = seg.Number
		}
		hash := seg.CID.Hash()
		in.rows = append(in.rows, hash[:]...)
		in.rows = binary.LittleEndian.AppendUint64(in.rows, d.Size)
		in.rows = append(in.rows, byte(d.K), byte(len(seg.Nodes)))
		for _, node := range seg.Nodes {
			in.rows = binary.LittleEndian.AppendUint32(in.rows, x.number(node))
		}
	}
	in.rows = slices.Clip(in.rows)
	x.entries[entry] = in
	return nil
}

// placedRow is the row of one segment.
type placedRow struct {
	segment ident.CID
	size    int64
	k       int
	nodes   []byte // numbers of placementSize bytes
}

// next cuts the first row off rows, which are whole.
func nextRow(rows []byte) (placedRow, []byte) {
	end := segmentRow + int(rows[segmentRow-1])*placementSize
	return placedRow{
		segment: ident.NewCID(ident.DagCBOR, [32]byte(rows[:32])), size: int64(binary.LittleEndian.Uint64(rows[32:])),
		k: int(rows[40]), nodes: rows[segmentRow:end],
	}, rows[end:]
}

func (r placedRow) shards() int { return len(r.nodes) / placementSize }

// at returns the number of the node that a shard was given to.
func (r placedRow) at(shard int) uint32 {
	return binary.LittleEndian.Uint32(r.nodes[shard*placementSize:])
}

// holders writes who holds the shards into held, which is as long, by the numbers that a
// map has given to the nodes.
func (r placedRow) holders(held, numbers []int) {
	for shard := range held {
		held[shard] = custody.Nowhere
		if n := binary.LittleEndian.Uint32(r.nodes[shard*placementSize:]); n != nobody {
			held[shard] = numbers[n]
		}
	}
}

// get returns what an entry introduces; false if it is not known.
func (x *introductions) get(l Link) ([]index.Segment, bool) {
	in, ok := x.entries[l.CID]
	if !ok {
		return nil, false
	}
	out := make([]index.Segment, in.count)
	rows := in.rows
	for i := range out {
		var row placedRow
		row, rows = nextRow(rows)
		seg := index.Segment{
			CID: row.segment, Lane: l.Entry.Lane, Entry: l.CID, Number: in.first + int64(i),
			Nodes: make([]ident.PublicKey, row.shards()), Meta: i == in.count-1,
		}
		for shard := range seg.Nodes {
			if n := row.at(shard); n != nobody {
				seg.Nodes[shard] = x.nodes[n]
			}
		}
		out[i] = seg
	}
	return out, true
}

// takeRows cuts the rows of so many segments off p, and checks that nodes has all that they
// count.
func takeRows(p []byte, count int, nodes int) (rows, rest []byte, err error) {
	rest = p
	for range count {
		if len(rest) < segmentRow {
			return nil, nil, errSummary
		}
		shards := int(rest[segmentRow-1])
		rest = rest[segmentRow:]
		if len(rest) < shards*placementSize {
			return nil, nil, errSummary
		}
		for range shards {
			if n := binary.LittleEndian.Uint32(rest); n != nobody && int64(n) >= int64(nodes) {
				return nil, nil, errSummary
			}
			rest = rest[placementSize:]
		}
	}
	size := len(p) - len(rest)
	return p[:size:size], rest, nil
}
