package vault

import (
	"slices"
	"sync"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/vault/index"
)

// holders says whose node each is that holds shards, or did, by certificates that were
// verified. It may be used by several goroutines at once.
type holders struct {
	mu sync.RWMutex
	m  map[ident.PublicKey]index.Holder // by node

	names map[ident.PublicKey]string // by operator
}

func newHolders() *holders {
	return &holders{m: map[ident.PublicKey]index.Holder{}, names: map[ident.PublicKey]string{}}
}

// know keeps whose node it is. Of two certificates of one operator the one with the
// higher serial counts. Whoever certifies the node of somebody else takes nothing over.
func (k *holders) know(h index.Holder) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if old, ok := k.m[h.Node]; !ok || h.Operator == old.Operator && h.Serial > old.Serial {
		k.m[h.Node] = h
		if h.Name != "" {
			k.names[h.Operator] = h.Name
		}
	}
}

// nameOf returns what an operator has called himself in a certificate; "" if none is known.
func (k *holders) nameOf(operator ident.PublicKey) string {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.names[operator]
}

func (k *holders) get(node ident.PublicKey) (index.Holder, bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	h, ok := k.m[node]
	return h, ok
}

// holderOf returns whose node it is: by the charter, or by the certificates that came
// with receipts. Of a node that nothing is known of the operator is the node itself.
func (s *Session) holderOf(node ident.PublicKey) index.Holder {
	known, ok := s.history.holders.get(node)
	if m, is := s.charter.MemberByNode(node); is && (!ok || known.Operator != m.Operator) {
		return index.Holder{Node: node, Operator: m.Operator, Zone: m.Zone}
	}
	if !ok {
		return index.Holder{Node: node, Operator: node}
	}
	return known
}

// operatorOf returns whose node it is.
func (s *Session) operatorOf(node ident.PublicKey) ident.PublicKey { return s.holderOf(node).Operator }

// nameOf returns the name of the operator whose node it is.
func (s *Session) nameOf(node ident.PublicKey) string { return s.operatorName(s.operatorOf(node)) }

// operatorName returns how an operator is called: as the charter has it, or else as he has
// called himself in the certificates of his nodes, unless a member has that name, or else
// by the key.
func (s *Session) operatorName(operator ident.PublicKey) string {
	if m, ok := s.charter.Member(operator); ok {
		return m.Name
	}
	name := s.history.holders.nameOf(operator)
	if name == "" || slices.ContainsFunc(s.charter.Members, func(m ledger.Member) bool { return m.Name == name }) {
		return operator.Short()
	}
	return name
}

// Admitted returns the names of the operators who may hold shards and are no members.
func (s *Session) Admitted() []string {
	var out []string
	for _, operator := range s.charter.Admitted {
		if _, member := s.charter.Member(operator); !member {
			out = append(out, s.operatorName(operator))
		}
	}
	return out
}

// learnHolders reads whose nodes those are that shards have moved to. Without it such a
// node counts as its own operator.
func (s *Session) learnHolders() {
	moved, err := s.index.Holders()
	if err != nil {
		s.options.Log.Debug("whose nodes shards have moved to is not known", "error", err)
	}
	for _, h := range moved {
		s.history.holders.know(h)
	}
}
