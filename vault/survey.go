package vault

import (
	"context"
	"fmt"
	"time"

	"holdfast/internal/ident"
	"holdfast/p2p"
)

// survey is who was up when the session last looked around. Who goes down afterwards
// is found out by whoever sends to them, and replaced.
type survey struct {
	nodes []p2p.Node
	err   error
	at    time.Time
	done  chan struct{} // closed when a look that was begun ahead is over; nil if none was
	stop  context.CancelFunc
}

// surveyFresh is how long commits of one session rely on one look around.
const surveyFresh = time.Minute

// lookAhead begins to look around while the session does other things.
func (s *Session) lookAhead() {
	s.stopLooking()
	ctx, stop := context.WithCancel(context.Background())
	v := survey{done: make(chan struct{}), stop: stop}
	s.survey = &v
	go func() {
		defer close(v.done)
		v.nodes, v.err = s.host.Nodes(ctx)
		v.at = time.Now()
	}()
}

// stopLooking ends a look that nobody will wait for any more.
func (s *Session) stopLooking() {
	if s.survey != nil && s.survey.done != nil {
		s.survey.stop()
		<-s.survey.done
	}
	s.survey = nil
}

// nodesAhead returns what was found by a look that was begun ahead, or a little while
// ago.
func (s *Session) nodesAhead(ctx context.Context) ([]p2p.Node, bool) {
	v := s.survey
	if v == nil {
		return nil, false
	}
	select {
	case <-v.done:
	case <-ctx.Done():
		return nil, false
	}
	v.stop()
	return v.nodes, v.err == nil && time.Since(v.at) < surveyFresh
}

// findNodes returns the nodes that are up, and fails at once if they cannot hold
// enough shards of a segment for a commit to be acknowledged. While operators are
// missing, each commit looks anew.
func (s *Session) findNodes(ctx context.Context) ([]p2p.Node, error) {
	if nodes, ok := s.nodesAhead(ctx); ok && s.operatorsIn(nodes)*s.share() >= s.charter.Coded().N {
		return nodes, nil
	}
	s.stopLooking()
	nodes, missing, err := s.lookAround(ctx)
	if missing > 0 && ctx.Err() == nil {
		nodes, missing, err = s.lookAround(ctx) // one that was only slow is found now
	}
	if err != nil {
		return nil, err
	}
	if missing > 0 {
		return nil, fmt.Errorf("%w: operators missing to store anything: %d", ErrTooFewNodes, missing)
	}
	return nodes, nil
}

// lookAround asks once who is up, and says how many operators are missing.
func (s *Session) lookAround(ctx context.Context) (nodes []p2p.Node, missing int, err error) {
	nodes, err = s.host.Nodes(ctx)
	if err != nil && len(nodes) == 0 {
		return nil, s.leastOperators(), fmt.Errorf("%w: %w", ErrNetwork, err)
	}
	if err == nil {
		done := make(chan struct{})
		close(done)
		s.survey = &survey{nodes: nodes, at: time.Now(), done: done, stop: func() {}}
	}
	return nodes, s.leastOperators() - s.operatorsIn(nodes), nil
}

// operatorsIn counts the operators of nodes that the charter admits.
func (s *Session) operatorsIn(nodes []p2p.Node) int {
	operators := map[ident.PublicKey]bool{}
	for _, n := range nodes {
		if s.charter.Admits(n.Certificate.Operator) {
			operators[n.Certificate.Operator] = true
		}
	}
	return len(operators)
}
