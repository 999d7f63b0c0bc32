package custody

import "holdfast/internal/ident"

// Nowhere stands for the holder of a shard that nobody holds.
const Nowhere = -1

// MaxHolders is how many holders a Map knows. Its numbers for them have two bytes.
const MaxHolders = nowhere

// nowhere is Nowhere as it is stored.
const nowhere = 1<<16 - 1

// Holder is a node that holds shards, or did. A node is one holder for each operator
// who has certified it: whoever certifies the node of somebody else takes nothing over.
type Holder struct {
	Node     ident.PublicKey
	Operator ident.PublicKey
	Zone     string // the newest that is known; empty for none
}

type holderName struct{ node, operator ident.PublicKey }

func (h Holder) name() holderName { return holderName{h.Node, h.Operator} }

// Holder returns the number of a holder, which it keeps for as long as the Map is
// there: the next one for a holder that is new, from 0 on. The zone of one that is known
// becomes h's. With MaxHolders known a new one is Nowhere.
func (m *Map) Holder(h Holder) int {
	if i, ok := m.numbers[h.name()]; ok {
		if m.holders[i].Zone != h.Zone {
			m.holders[i] = h
		}
		return i
	}
	if len(m.holders) == MaxHolders {
		return Nowhere
	}
	i := len(m.holders)
	m.holders = append(m.holders, h)
	m.numbers[h.name()] = i
	return i
}

// Holders returns all holders by their numbers, whether they hold anything or not. It is
// the Map's own list, to be read.
func (m *Map) Holders() []Holder { return m.holders }

// Of returns the numbers of a node, mostly one, none for a node that is not known.
func (m *Map) Of(node ident.PublicKey) []int {
	var all []int
	for i, h := range m.holders {
		if h.Node == node {
			all = append(all, i)
		}
	}
	return all
}
