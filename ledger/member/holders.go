package member

import (
	"encoding/binary"
	"errors"
	"fmt"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
	"holdfast/ledger/custody"
)

// holderRecord is a holder that has a number in this store.
type holderRecord struct {
	V        uint64          `cbor:"v"`
	Node     ident.PublicKey `cbor:"node"`
	Operator ident.PublicKey `cbor:"operator"`
	Zone     string          `cbor:"zone,omitempty"`
	Serial   int64           `cbor:"serial"` // of the certificate that names the zone
}

const holderVersion = 1

// holder returns the number of a certified node, a new one for a node that is new. The
// zone is that of the certificate with the highest serial. A certificate that could not be
// read is nowhere, and so is a new node where MaxNodes of its operator, or
// custody.MaxHolders in all, have a number: one operator cannot use up the numbers by
// certifying keys.
func (x index) holder(c ledger.NodeCertificate) (uint16, error) {
	if c.Node.IsZero() {
		return nowhere, nil
	}
	name := append(c.Node.Bytes(), c.Operator.Bytes()...)
	rec := holderRecord{Node: c.Node, Operator: c.Operator, Zone: c.Zone, Serial: c.Serial}
	if p := x.get(holdersBucket, name); p != nil {
		if len(p) != 2 {
			return 0, fmt.Errorf("read number of holder %s: %w", c.Node, ErrCorrupt)
		}
		number := binary.BigEndian.Uint16(p)
		was, err := x.holderOf(number)
		if err != nil || was.Serial >= c.Serial {
			return number, err
		}
		return number, x.putHolder(number, rec)
	}
	b := x.bucket(holdersBucket)
	nodes, err := x.nodesOf(c.Operator)
	if err != nil {
		return 0, err
	}
	if b.Sequence() >= custody.MaxHolders || nodes >= MaxNodes {
		return nowhere, nil
	}
	next, err := b.NextSequence()
	if err != nil {
		return 0, err
	}
	number := uint16(next - 1)
	err = errors.Join(b.Put(name, binary.BigEndian.AppendUint16(nil, number)), b.Put(c.Operator.Bytes(), binary.BigEndian.AppendUint16(nil, nodes+1)))
	if err != nil {
		return 0, err
	}
	return number, x.putHolder(number, rec)
}

// nodesOf returns how many nodes of an operator have a number.
func (x index) nodesOf(operator ident.PublicKey) (uint16, error) {
	p := x.get(holdersBucket, operator.Bytes())
	switch len(p) {
	case 0:
		return 0, nil
	case 2:
		return binary.BigEndian.Uint16(p), nil
	}
	return 0, fmt.Errorf("read number of nodes of operator %s: %w", operator, ErrCorrupt)
}

func (x index) putHolder(number uint16, rec holderRecord) error {
	rec.V = holderVersion
	p, err := wire.Encode(rec)
	if err != nil {
		return err
	}
	x.touchHolders()
	return x.put(holdersBucket, binary.BigEndian.AppendUint16(nil, number), p)
}

// holderOf returns what is known of the holder with a number.
func (x index) holderOf(number uint16) (holderRecord, error) {
	var rec holderRecord
	p := x.get(holdersBucket, binary.BigEndian.AppendUint16(nil, number))
	if err := wire.DecodeVersion(p, holderVersion, &rec); err != nil {
		return rec, fmt.Errorf("read holder %d: %w: %w", number, ErrCorrupt, err)
	}
	return rec, nil
}

// holders gives a Map the holders with the numbers that they have here.
func (x index) holders(m *custody.Map) error {
	for i := range x.bucket(holdersBucket).Sequence() {
		rec, err := x.holderOf(uint16(i))
		if err != nil {
			return err
		}
		if n := m.Holder(custody.Holder{Node: rec.Node, Operator: rec.Operator, Zone: rec.Zone}); n != int(i) {
			return fmt.Errorf("holder %d: %w: it is holder %d", i, ErrCorrupt, n)
		}
	}
	return nil
}
