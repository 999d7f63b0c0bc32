package member

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/custody"
)

// custodian reads who holds single segments, and remembers what several have in common.
// It lives as long as its transaction.
type custodian struct {
	index
	m         *custody.Map // its holders are this store's
	operators int          // that the charter in force admits

	entry   ident.CID // whose record and table these are
	rec     record
	table   table
	row, at int // in the table: a row that was read, and where its holders begin
	gone    map[ident.PublicKey]ledger.Spans
	holders map[ident.CID]int // by receipt
}

func (x index) custodian(m *custody.Map, operators int) *custodian {
	return &custodian{
		index: x, m: m, operators: operators,
		gone: make(map[ident.PublicKey]ledger.Spans), holders: make(map[ident.CID]int),
	}
}

// renew writes into the Map what is so.
func (c *custodian) renew(segment ident.CID) error {
	s, _, ok, err := c.segment(segment)
	switch {
	case err != nil:
		return err
	case ok:
		c.m.Add(s)
	default:
		c.m.Remove(segment)
	}
	return nil
}

// segment returns who holds a segment, and for each shard the claim by which that is so,
// the zero value for what the entry's body says; false unless the segment is certified and
// not released.
func (c *custodian) segment(id ident.CID) (custody.Segment, []custody.Claim, bool, error) {
	none := func(err error) (custody.Segment, []custody.Claim, bool, error) {
		return custody.Segment{}, nil, false, err
	}
	in, known, err := c.introduction(id)
	if err == nil && known {
		err = c.open(in.entry)
	}
	if err != nil || !known || !c.rec.Certified || c.table == nil {
		return none(err)
	}
	gone, err := c.goneOf(c.rec.Lane)
	if err != nil || gone.Contains(in.number) {
		return none(err)
	}
	i := in.number - (c.rec.Count - int64(c.table.count()))
	if i < 0 || i >= int64(c.table.count()) || c.table.name(int(i)) != id {
		return none(fmt.Errorf("segment %s of entry %s: %w", id, in.entry, ErrCorrupt))
	}
	s := c.table.segment(int(i), c.holdersOf(int(i)))
	claims, err := c.claims(id)
	if err != nil {
		return none(err)
	}
	return s, c.settle(s, claims), true, nil
}

// open reads the record and table of an entry.
func (c *custodian) open(entry ident.CID) error {
	if c.entry == entry {
		return nil
	}
	rec, _, err := c.index.entry(entry)
	if err != nil {
		return err
	}
	t, err := c.index.table(entry)
	if err != nil {
		return err
	}
	c.entry, c.rec, c.table = entry, rec, t
	c.row, c.at = 0, 0
	return nil
}

// holdersOf returns where the holders of a row of the table begin. Rows that are asked for
// in their order cost no search.
func (c *custodian) holdersOf(row int) int {
	if row < c.row || c.at == 0 {
		c.row, c.at = 0, c.table.holders(0, 0)
	}
	for ; c.row < row; c.row++ {
		c.at = c.table.holders(c.row+1, c.at)
	}
	return c.at
}

func (c *custodian) goneOf(lane ident.PublicKey) (ledger.Spans, error) {
	if known, ok := c.gone[lane]; ok {
		return known, nil
	}
	spans, err := c.spans(goneBucket, lane)
	c.gone[lane] = spans
	return spans, err
}

// claims returns the later placements of a segment.
func (c *custodian) claims(segment ident.CID) (claims []custody.Claim, err error) {
	prefix := segment.Bytes()
	cursor := c.bucket(placementsBucket).Cursor()
	for k, p := cursor.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, p = cursor.Next() {
		_, claim, err := c.claim(k, p)
		if err != nil {
			return nil, err
		}
		claims = append(claims, claim)
	}
	return claims, nil
}

// claim reads a row of the placements.
func (c *custodian) claim(k, p []byte) (segment ident.CID, claim custody.Claim, err error) {
	if len(k) < placementShard {
		return segment, claim, fmt.Errorf("read placement: %w", ErrCorrupt)
	}
	at, err := parsePlacing(p)
	if err != nil {
		return segment, claim, err
	}
	h, known := c.holders[at.Receipt]
	if !known {
		if h, err = c.holderBy(at.Receipt); err != nil {
			return segment, claim, err
		}
		c.holders[at.Receipt] = h
	}
	segment, err = ident.CIDFromBytes(k[:ident.CIDSize])
	index := int(binary.BigEndian.Uint32(k[ident.CIDSize:]))
	return segment, custody.Claim{Index: index, Holder: h, Time: at.Time, Receipt: at.Receipt}, err
}

// settle puts what the claims make of it in the place of what the body says, and returns
// by which of them each shard is held.
func (c *custodian) settle(s custody.Segment, claims []custody.Claim) []custody.Claim {
	by := make([]custody.Claim, len(s.Held))
	for i, at := range c.m.Settle(s.Held, claims, ledger.MostShards(s.Code, c.operators)) {
		if at >= 0 {
			by[i] = claims[at]
		}
	}
	return by
}
