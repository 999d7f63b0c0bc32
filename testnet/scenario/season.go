package scenario

import (
	"context"
	"fmt"
	"slices"
	"time"

	"holdfast/testnet"
)

// begin begins a season: others may be harmed from now on. In one of three they are
// those that can be cut off.
func (s *soak) begin() {
	s.done.Seasons++
	s.until = s.done.Steps + seasonSteps + s.random.IntN(seasonSteps)
	names := slices.Clone(s.nodes)
	s.random.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	s.victims = names[:soakHarmed]
	if len(s.far) > 0 && s.random.IntN(3) == 0 {
		s.victims = slices.Clone(s.far)
	}
	slices.Sort(s.victims)
	s.note("season %d; may be harmed: %v", s.done.Seasons, s.victims)
}

// endSeason mends what is broken, gives the members new keys where some have lost
// theirs, and waits until every shard is there again: nobody does anything for that.
// Then every member that there is has to take part in a backup.
func (s *soak) endSeason(ctx context.Context) error {
	for s.split || len(s.state) > 0 {
		if err := s.mend(ctx); err != nil {
			return err
		}
	}
	if s.voters < soakNodes-s.done.Left {
		r, _, err := s.repeat(ctx, func(r Report) bool { return !r.Was(20) }, "vault", "change", "--renew", "--phrase-file", s.Kit)
		if err != nil {
			return err
		}
		if r.Code != 0 {
			return fmt.Errorf("%w: new keys for all members: %v", ErrBroken, r)
		}
		s.note("the members have new keys")
		s.voters = soakNodes - s.done.Left
	}
	took, err := s.Whole(ctx)
	s.note("every shard is there again, after %v", took.Round(100*time.Millisecond))
	if err != nil {
		return err
	}
	return s.backupBy(ctx, s.voters)
}

// cut splits the network, if those who may be harmed are those who can be cut off and
// all of them are well.
func (s *soak) cut() error {
	if s.split || len(s.state) > 0 || !slices.Equal(s.victims, s.sortedFar()) {
		return nil
	}
	s.note("the network is split: %v are on the other side", s.victims)
	s.split = true
	s.done.Splits++
	return s.Net.Split()
}

func (s *soak) sortedFar() []string {
	far := slices.Clone(s.far)
	slices.Sort(far)
	return far
}

// leave has a node's operator take it away for good, and start another one in its
// place. With it goes a vote, so that this happens once in a run.
func (s *soak) leave(ctx context.Context) error {
	name := s.pick(s.victims)
	if _, broken := s.state[name]; broken || s.split || s.done.Left > 0 || s.voters < soakNodes || slices.Contains(s.far, name) {
		return nil
	}
	if _, err := s.Net.Break(ctx, testnet.Kill, name); err != nil {
		return fmt.Errorf("take %s away: %w", name, err)
	}
	operator := s.Net.OperatorOf(name)
	other, err := s.Net.Add(ctx, operator)
	if err != nil {
		return fmt.Errorf("replace %s: %w", name, err)
	}
	s.note("%s has left; its operator runs %s now", name, other)
	s.done.Left++
	s.voters--
	for _, list := range [][]string{s.nodes, s.victims} {
		list[slices.Index(list, name)] = other
	}
	return nil
}
