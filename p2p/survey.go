package p2p

import (
	"context"
	"slices"
	"sync"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	ma "github.com/multiformats/go-multiaddr"

	"holdfast/internal/ident"
)

// survey greets seeds and all providers of key in the DHT, and returns those that
// answered. Without a key it looks for all nodes of the network; it works then
// without a DHT too, as long as there are seeds.
func (h *Host) survey(ctx context.Context, key ident.CID, seeds []peer.ID) ([]Node, error) {
	bounded, cancel := context.WithTimeout(ctx, h.timing.survey)
	defer cancel()
	s := surveyor{h: h, visits: make(map[peer.ID]*visit), answers: make(chan answer), slots: make(chan struct{}, greetAtOnce)}
	defer s.wg.Wait()
	defer cancel()
	for _, p := range seeds {
		s.visit(bounded, p)
	}
	s.run(bounded, key)
	slices.SortFunc(s.found, func(a, b Node) int { return a.Certificate.Node.Compare(b.Certificate.Node) })
	return s.found, ctx.Err()
}

// surveyor is the state of one survey. Only its own goroutine touches it.
type surveyor struct {
	h       *Host
	visits  map[peer.ID]*visit
	open    int // visits without an answer yet
	answers chan answer
	slots   chan struct{}
	found   []Node
	wg      sync.WaitGroup
}

// visit is how far the survey is with one node.
type visit struct {
	tries  int
	open   bool
	failed bool
	tried  []ma.Multiaddr // where it was looked for
	moved  bool           // another address has come up since
}

type answer struct {
	peer peer.ID
	node Node
	err  error
}

// run collects answers until there is nobody left to ask.
func (s *surveyor) run(ctx context.Context, key ident.CID) {
	var providers <-chan peer.AddrInfo
	asked := false
	for {
		if !asked {
			providers = s.ask(ctx, key)
			asked = providers != nil
		}
		if s.open == 0 && providers == nil {
			return
		}
		select {
		case a := <-s.answers:
			s.take(ctx, a)
		case info, more := <-providers:
			if more {
				s.hear(ctx, info)
				continue
			}
			providers = nil
			if !key.Defined() {
				s.visitTable(ctx)
			}
		case <-ctx.Done():
			return
		}
	}
}

// ask starts the look-up in the DHT, or returns nil while nobody can be asked: a
// client's table gets its first node by the visits.
func (s *surveyor) ask(ctx context.Context, key ident.CID) <-chan peer.AddrInfo {
	d := s.h.table()
	if d == nil || d.RoutingTable().Size() == 0 {
		return nil
	}
	if !key.Defined() {
		key = rendezvous(s.h.Network())
	}
	c, err := foreign(key)
	if err != nil {
		return nil
	}
	return d.FindProvidersAsync(ctx, c, 0)
}

// hear visits a provider; again if it has failed at the addresses known before.
func (s *surveyor) hear(ctx context.Context, info peer.AddrInfo) {
	s.h.host.Peerstore().AddAddrs(info.ID, info.Addrs, peerstore.TempAddrTTL)
	if v := s.visits[info.ID]; v != nil {
		isNew := func(a ma.Multiaddr) bool { return !ma.Contains(v.tried, a) }
		v.moved = v.moved || slices.ContainsFunc(info.Addrs, isNew)
	}
	s.visit(ctx, info.ID)
}

// take notes an answer.
func (s *surveyor) take(ctx context.Context, a answer) {
	s.open--
	v := s.visits[a.peer]
	v.open, v.failed = false, a.err != nil
	if a.err == nil {
		s.found = append(s.found, a.node)
		return
	}
	s.h.Log.Debug("survey", "error", a.err)
	s.visit(ctx, a.peer)
}

// visit greets p, once in a survey, and a second time if it was not where it was
// thought to be.
func (s *surveyor) visit(ctx context.Context, p peer.ID) {
	key, err := keyOf(p)
	if err != nil || p == s.h.host.ID() {
		return
	}
	v := s.visits[p]
	switch {
	case v == nil && len(s.visits) < maxVisits:
		v = new(visit)
		s.visits[p] = v
	case v != nil && !v.open && v.failed && v.moved && v.tries < 2:
	default:
		return
	}
	patient := v.moved || !s.h.knownToFail(key)
	e, _ := s.h.nodes.get(key)
	v.tried = slices.Concat(s.h.host.Peerstore().Addrs(p), parseAddrs(p, e.addrs()))
	v.open, v.moved = true, false
	v.tries++
	s.open++
	s.wg.Go(func() { s.greet(ctx, p, patient) })
}

// greet is one visit, from its own goroutine.
func (s *surveyor) greet(ctx context.Context, p peer.ID, patient bool) {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return
	}
	bounded := ctx
	if !patient {
		var cancel context.CancelFunc
		bounded, cancel = context.WithTimeout(ctx, s.h.timing.again)
		defer cancel()
	}
	n, err := s.h.greet(bounded, p, s.h.timing.fresh)
	select {
	case s.answers <- answer{p, n, err}:
	case <-ctx.Done():
	}
}

func (h *Host) knownToFail(key ident.PublicKey) bool {
	e, ok := h.nodes.get(key)
	return ok && h.failedRecently(e)
}

// visitTable greets those that the look-up has met.
func (s *surveyor) visitTable(ctx context.Context) {
	if d := s.h.table(); d != nil {
		for _, p := range d.RoutingTable().ListPeers() {
			s.visit(ctx, p)
		}
	}
}
