package vault

import (
	"sync"

	"holdfast/internal/ident"
	"holdfast/vault/index"
)

// holders says whose node each is that holds shards, or did, by certificates that were
// verified. It may be used by several goroutines at once.
type holders struct {
	mu sync.RWMutex
	m  map[ident.PublicKey]index.Holder // by node
}

func newHolders() *holders { return &holders{m: map[ident.PublicKey]index.Holder{}} }

// know keeps whose node it is. Of two certificates of one operator the one with the
// higher serial counts. Whoever certifies the node of somebody else takes nothing over.
func (k *holders) know(h index.Holder) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if old, ok := k.m[h.Node]; !ok || h.Operator == old.Operator && h.Serial > old.Serial {
		k.m[h.Node] = h
	}
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

// nameOf returns the name of the operator whose node it is, if a charter has it.
func (s *Session) nameOf(node ident.PublicKey) string { return s.operatorName(s.operatorOf(node)) }

// operatorName returns how an operator is called: as the charter has it, or else by the
// key.
func (s *Session) operatorName(operator ident.PublicKey) string {
	if m, ok := s.charter.Member(operator); ok {
		return m.Name
	}
	return operator.Short()
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
