package ledger_test

import (
	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/ledgertest"
)

// memory is a View of maps.
type memory struct {
	charter    ledger.Charter
	grants     map[ident.PublicKey]ledger.Grant
	revoked    map[ident.PublicKey]bool
	heads      map[ident.PublicKey]ledger.Entry
	numbers    map[ident.CID]int64
	lanes      map[ident.CID]ident.PublicKey
	introduced map[ident.CID]bool
	refs       map[ident.CID]ledger.Set
	closing    []ident.CID
}

func newMemory(ch ledger.Charter) *memory {
	return &memory{
		charter: ch, grants: map[ident.PublicKey]ledger.Grant{}, revoked: map[ident.PublicKey]bool{},
		heads: map[ident.PublicKey]ledger.Entry{}, numbers: map[ident.CID]int64{}, lanes: map[ident.CID]ident.PublicKey{},
		introduced: map[ident.CID]bool{}, refs: map[ident.CID]ledger.Set{},
	}
}

func (m *memory) Charter() ledger.Charter { return m.charter }

func (m *memory) Grant(device ident.PublicKey) (ledger.Grant, bool, bool) {
	g, ok := m.grants[device]
	return g, ok, m.revoked[device]
}

func (m *memory) Head(lane ident.PublicKey) (int64, ident.CID) {
	e := m.heads[lane]
	return e.Height, e.CID()
}

func (m *memory) Numbered(lane ident.PublicKey, upto ident.CID) (int64, bool) {
	if upto.IsZero() {
		return 0, true
	}
	return m.numbers[upto], m.lanes[upto] == lane
}

func (m *memory) Introduced(segment ident.CID) bool { return m.introduced[segment] }

func (m *memory) Refs(entry ident.CID) (ledger.Set, bool) {
	s, ok := m.refs[entry]
	return s, ok
}

func (m *memory) Closing(ledger.Set) ([]ident.CID, bool) { return m.closing, len(m.closing) > 0 }

// certify takes in the effect of an entry that was checked.
func (m *memory) certify(l *ledgertest.Lane, s ledgertest.Step, eff ledger.Effect) {
	before, _ := m.Numbered(s.Entry.Lane, s.Entry.Prev)
	l.Advance(s)
	id := s.Entry.CID()
	m.heads[s.Entry.Lane] = s.Entry
	m.lanes[id], m.numbers[id] = s.Entry.Lane, before+int64(len(eff.Segments))
	for _, seg := range eff.Segments {
		m.introduced[seg.CID] = true
	}
	switch s.Entry.Kind {
	case ledger.KindSnapshot:
		m.refs[id] = l.Set
	case ledger.KindEnrol:
		m.grants[eff.Grant.Device] = eff.Grant
	case ledger.KindRevoke:
		m.revoked[eff.Revoked] = true
	}
}
