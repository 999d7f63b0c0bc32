package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/custody"
)

// What can be wrong with the name of a party.
var (
	ErrNoParty     = errors.New("nobody of that name holds shards of this vault, or is a member")
	ErrManyParties = errors.New("several are called that")
)

// Party is somebody whose loss is imagined: all nodes of an operator, all in a zone, or
// one node.
type Party struct {
	Kind custody.Domain
	Name string // of an operator also the beginning of the key; of a node that, or a node's key
}

// ParseParty reads "operator=NAME", "zone=NAME" or "node=KEY".
func ParseParty(text string) (Party, error) {
	kind, name, ok := strings.Cut(text, "=")
	p := Party{custody.Domain(kind), name}
	if !ok || name == "" {
		return p, fmt.Errorf("%q is not operator=NAME, zone=NAME or node=KEY", text)
	}
	switch p.Kind {
	case custody.Node, custody.Operator, custody.Zone:
		return p, nil
	}
	return p, fmt.Errorf("%q: there are operators, zones and nodes, and no %q", text, kind)
}

// String is the form that ParseParty reads.
func (p Party) String() string { return string(p.Kind) + "=" + p.Name }

// Loss is what would become of a vault.
type Loss struct {
	Report     custody.Report
	Withstands int // operators that could be lost besides; -1 if a segment is lost
	Nodes      int // that hold shards and would be gone
	Snapshots  int // that there are
	Broken     []Snapshot
}

// WhatIf says what would be lost with some parties, from the ledger alone: exactly, if
// every holder has what it has signed for. Nobody is asked; Sync has to be called before.
func (s *Session) WhatIf(ctx context.Context, parties []Party) (Loss, error) {
	m, err := s.custody(ctx)
	if err != nil {
		return Loss{}, fmt.Errorf("what if: %w", err)
	}
	loss := m.Loss()
	gone := map[int]bool{}
	for _, p := range parties {
		numbers, err := s.partyHolders(m, p)
		if err != nil {
			return Loss{}, fmt.Errorf("%s: %w; there are %s", p, err, s.partiesOf(m, p.Kind))
		}
		for _, i := range numbers {
			loss.Holder(i)
			gone[i] = true
		}
	}
	out := Loss{Report: m.Judge(loss), Withstands: m.Withstands(loss), Nodes: len(gone)}
	all, err := s.Snapshots(ctx, Filter{Objects: true})
	if err != nil {
		return out, fmt.Errorf("what if: %w", err)
	}
	out.Snapshots = len(all)
	if out.Report.LostCount > 0 {
		out.Broken, err = s.brokenBy(ctx, all, lostSegments(m, gone))
	}
	return out, err
}

// partyHolders returns the holders, by number, that belong to a party.
func (s *Session) partyHolders(m *custody.Map, p Party) (out []int, err error) {
	parties := map[string]bool{}
	for i, h := range m.Holders() {
		if !s.belongs(h, p) {
			continue
		}
		out = append(out, i)
		switch p.Kind {
		case custody.Operator:
			parties[h.Operator.String()] = true
		case custody.Node:
			parties[h.Node.String()] = true
		}
	}
	switch {
	case len(out) == 0:
		return nil, ErrNoParty
	case len(parties) > 1:
		return nil, ErrManyParties
	}
	return out, nil
}

func (s *Session) belongs(h custody.Holder, p Party) bool {
	switch p.Kind {
	case custody.Operator:
		return s.operatorName(h.Operator) == p.Name || named(h.Operator, p.Name)
	case custody.Zone:
		return h.Zone == p.Name
	}
	return named(h.Node, p.Name)
}

// named reports whether a text is the beginning of a key, in either form that people see.
func named(key ident.PublicKey, text string) bool {
	return len(text) >= minKeyPrefix && (strings.HasPrefix(key.String(), text) || strings.HasPrefix(key.Short(), text))
}

// partiesOf lists who there is of a kind.
func (s *Session) partiesOf(m *custody.Map, kind custody.Domain) string {
	var names []string
	for _, h := range m.Holders() {
		names = append(names, s.partyName(kind, h))
	}
	slices.Sort(names)
	names = slices.Compact(names)
	const most = 20
	if len(names) > most {
		names = append(names[:most], fmt.Sprintf("%d more", len(names)-most))
	}
	return strings.Join(names, ", ")
}

// lostSegments returns the segments that fewer than k shards are left of.
func lostSegments(m *custody.Map, gone map[int]bool) map[ident.CID]bool {
	lost := map[ident.CID]bool{}
	for seg := range m.All() {
		live := 0
		for _, h := range seg.Held {
			if h != custody.Nowhere && !gone[h] {
				live++
			}
		}
		if live < seg.Code.K {
			lost[seg.CID] = true
		}
	}
	return lost
}

// brokenBy returns the snapshots that need one of the lost segments.
func (s *Session) brokenBy(ctx context.Context, all []Snapshot, lost map[ident.CID]bool) ([]Snapshot, error) {
	numbers := s.numbersOf(lost)
	resolved := map[ident.CID]ledger.Set{} // the newest of each lane that others may stand on
	var out []Snapshot
	for _, lane := range s.lanesOf() {
		clear(resolved)
		for _, snap := range all {
			if snap.Link.Entry.Lane != lane {
				continue
			}
			set, err := s.setOf(ctx, snap.Link, resolved)
			if err != nil {
				return nil, fmt.Errorf("what snapshot %.8s needs: %w", snap.ID(), err)
			}
			if touches(set, numbers) {
				out = append(out, snap)
			}
		}
	}
	slices.SortFunc(out, func(a, b Snapshot) int { return a.Link.Time.Compare(b.Link.Time) })
	return out, nil
}

// numbersOf returns the numbers of segments in their lanes.
func (s *Session) numbersOf(segments map[ident.CID]bool) map[ident.PublicKey]ledger.Spans {
	out := map[ident.PublicKey]ledger.Spans{}
	for _, lane := range s.lanesOf() {
		var numbers []int64
		for _, l := range s.history.lanes[lane] {
			in := s.history.introduced.entries[l.CID]
			n := in.first
			for rows := in.rows; len(rows) > 0; n++ {
				var row placedRow
				if row, rows = nextRow(rows); segments[row.segment] {
					numbers = append(numbers, n)
				}
			}
		}
		out[lane] = ledger.NewSpans(numbers...)
	}
	return out
}

// setOf resolves a snapshot's reference set on those that were resolved before.
func (s *Session) setOf(ctx context.Context, l Link, resolved map[ident.CID]ledger.Set) (ledger.Set, error) {
	b, err := s.snapshotBody(ctx, l)
	if err != nil {
		return ledger.Set{}, err
	}
	r, err := ledger.ParseRefSet(b.Refs)
	if err != nil {
		return ledger.Set{}, err
	}
	if len(resolved) > 4*ledger.MaxDeltas {
		clear(resolved)
	}
	base, known := resolved[r.Base]
	if !r.IsFull() && !known {
		set, err := s.referenceSet(ctx, l, 0)
		resolved[l.CID] = set
		return set, err
	}
	set, err := r.Resolve(l.Entry.Lane, l.CID, base)
	resolved[l.CID] = set
	return set, err
}

func touches(set ledger.Set, numbers map[ident.PublicKey]ledger.Spans) bool {
	for lane, lost := range numbers {
		if len(set.Numbers(lane).Common(lost)) > 0 {
			return true
		}
	}
	return false
}
