package scenario

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"holdfast/testnet"
)

// holders and members count who could take shards, and vote, right now.
func (s *soak) holders() int {
	if s.split {
		return soakNodes - soakHarmed
	}
	return soakNodes - len(s.state)
}

func (s *soak) members() int {
	n := s.voters
	if s.split {
		return min(n, soakNodes-soakHarmed-s.done.Left)
	}
	for _, how := range s.state {
		if how == testnet.Kill || how == testnet.Stop {
			n--
		}
	}
	return n
}

// backup changes the tree and backs it up; now and then something happens meanwhile.
func (s *soak) backup(ctx context.Context) error {
	what, during := s.meanwhile(ctx)
	return s.backupThen(ctx, what, during)
}

func (s *soak) backupThen(ctx context.Context, what string, during func(*Running) error) error {
	if err := s.Tree.Change(); err != nil {
		return err
	}
	holders, members := s.holders(), s.members()
	r, err := s.backUp(ctx, what, during)
	if err != nil {
		return err
	}
	if err := s.judge(ctx, r, min(holders, s.holders()), min(members, s.members()), what != ""); err != nil {
		return err
	}
	return s.Thin(s.random.IntN)
}

// backUp backs up what the tree is now, and notes how that went.
func (s *soak) backUp(ctx context.Context, what string, during func(*Running) error) (Report, error) {
	r, err := s.Backup(ctx, during)
	s.done.Backups++
	if err == nil {
		s.note("backup%s: exit %d, %.8s, at least %d of %d shards, %d of %d members, %v", what, r.Code, r.Snapshot,
			r.Durability.MinShards, r.Durability.N, r.Acked, r.Members, r.Took.Round(10*time.Millisecond))
	}
	return r, err
}

// judge says whether a backup could end as it did. One that had to succeed is repeated:
// on a machine that is busy with other things members may be too slow for it once.
func (s *soak) judge(ctx context.Context, r Report, holders, members int, disturbed bool) error {
	able := holders >= soakVoters && members >= soakVoters
	switch {
	case r.Was(0, 4):
		return s.look(ctx)
	case r.Was(-1):
		s.done.Killed++
		return nil
	case r.Was(15, 20, 21) && (!able || disturbed):
		s.done.Refused++
		return nil
	case r.Was(20, 21):
		return s.backupBy(ctx, soakVoters)
	}
	return fmt.Errorf("%w: a backup with %d holders and %d members: %v", ErrBroken, holders, members, r)
}

// backupBy backs up until so many members have taken part, which has to happen.
func (s *soak) backupBy(ctx context.Context, members int) error {
	for p := newPatience(); ; {
		r, err := s.backUp(ctx, "", nil)
		switch {
		case err != nil:
			return err
		case r.Was(0, 4) && r.Acked >= members:
			return s.look(ctx)
		case !r.Was(0, 4, 20, 21) || !p.lasts(int64(r.Acked)):
			return fmt.Errorf("%w: a backup that %d members can take part in: %v", ErrBroken, members, r)
		}
		pause(ctx)
	}
}

// look lists what is there; after a backup that went well nothing is open any more.
func (s *soak) look(ctx context.Context) error {
	for p := newPatience(); ; pause(ctx) {
		r, err := s.List(ctx)
		switch {
		case err != nil:
			return err
		case r.Code == 0:
			return s.Settle()
		case !r.Was(20) || !p.lasts():
			return fmt.Errorf("%w: snapshots: %v", ErrBroken, r)
		}
	}
}

// restore brings back one of the acknowledged trees and compares it.
func (s *soak) restore(ctx context.Context) error {
	i := s.random.IntN(len(s.kept))
	what, during := s.meanwhile(ctx)
	if s.killsClient(what) {
		what, during = "", nil
	}
	began := time.Now()
	err := s.Restore(ctx, i, during)
	s.done.Restores++
	s.note("restore of %.8s%s: %v", s.kept[i].id, what, time.Since(began).Round(10*time.Millisecond))
	return err
}

const clientDies = ", and the client is killed"

func (s *soak) killsClient(what string) bool { return what == clientDies }

// meanwhile chooses what happens while a command runs, mostly nothing. When it
// happens is random: that is the fault.
func (s *soak) meanwhile(ctx context.Context) (what string, during func(*Running) error) {
	delay := time.Duration(s.random.Int64N(int64(700 * time.Millisecond)))
	wait := func() {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
		}
	}
	switch p := s.random.IntN(10); {
	case p < 2:
		return clientDies, func(run *Running) error {
			wait()
			return run.Kill()
		}
	case p < 4:
		name, how := s.choose(testnet.Kill, testnet.Stop, testnet.Wipe)
		if name == "" {
			return "", nil
		}
		return fmt.Sprintf(", and %s meets %s", name, how), func(*Running) error {
			wait()
			return s.breakNode(ctx, how, name)
		}
	}
	return "", nil
}

// choose picks a victim that is well, and what shall happen to it; no name if none
// can be harmed.
func (s *soak) choose(hows ...testnet.Harm) (string, testnet.Harm) {
	var well []string
	for _, name := range s.victims {
		if _, broken := s.state[name]; !broken {
			well = append(well, name)
		}
	}
	how := hows[s.random.IntN(len(hows))]
	if how == testnet.Wipe && soakNodes-s.voters >= soakWiped {
		how = testnet.Kill
	}
	if len(well) == 0 {
		return "", how
	}
	return s.pick(well), how
}

func (s *soak) harm(ctx context.Context) error {
	name, how := s.choose(testnet.Harms()...)
	if name == "" || s.split && how == testnet.Fill { // which restarts the node: see restart
		return nil
	}
	s.note("%s meets %s", name, how)
	return s.breakNode(ctx, how, name)
}

func (s *soak) breakNode(ctx context.Context, how testnet.Harm, name string) error {
	if _, err := s.Net.Break(ctx, how, name); err != nil {
		return fmt.Errorf("break %s: %w", name, err)
	}
	s.done.Harmed++
	switch how {
	case testnet.Corrupt: // it goes on, with bad shards
	case testnet.Wipe:
		s.voters--
		s.state[name] = how
	default:
		s.state[name] = how
	}
	return nil
}

// mend heals one of the broken nodes, or the network.
func (s *soak) mend(ctx context.Context) error {
	if s.split {
		s.note("the network is whole again")
		s.split = false
		return s.Net.Join()
	}
	var broken []string
	for name := range s.state {
		broken = append(broken, name)
	}
	if len(broken) == 0 {
		return nil
	}
	slices.Sort(broken)
	return s.heal(ctx, s.pick(broken))
}

func (s *soak) heal(ctx context.Context, name string) error {
	s.note("%s is healed of %s", name, s.state[name])
	if _, err := s.Net.Heal(ctx, name); err != nil && !errors.Is(err, testnet.ErrNotReady) {
		return fmt.Errorf("heal %s: %w", name, err)
	} else if err != nil {
		return err
	}
	delete(s.state, name)
	return nil
}
