package scenario

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"holdfast/testnet"
)

// SoakConfig says how to torment a network.
type SoakConfig struct {
	Dir      string // empty or absent; left behind if a promise was broken
	Program  string
	Duration time.Duration // of the random part; all is restored after it
	Seed     uint64
	Log      func(text string) // told of every step; may be nil
}

// The network of a soak: 8 operators, code 4/8, members' quorum 6.
const (
	soakNodes  = 8
	soakVoters = 6 // how many members a commit needs
	soakHarmed = 4 // n-k: no more than these are ever harmed in one run
	soakWiped  = 2 // of these, who lose their vote for good
)

// Soaked is what a soak did.
type Soaked struct {
	Steps, Backups, Refused, Restores, Killed, Harmed int
	Snapshots                                         int
}

// soak is one run. Only a fixed set of n-k nodes is ever harmed, and of these only
// two lose their ledgers: so whatever was acknowledged has k whole shards with the
// others, and has to come back at any time; and a backup has to succeed whenever
// enough members are up.
type soak struct {
	SoakConfig
	*World
	random  *rand.Rand
	victims []string
	state   map[string]testnet.Harm // of victims that are broken now
	voters  int                     // members that still have their vote
	done    Soaked
	history []string
}

// Soak runs random backups and restores while nodes are killed, held, wiped, filled
// and corrupted, clients are killed and caches lost, for the given time; then it
// restores everything that was acknowledged. Every step is logged with what it led
// to; the same seed makes the same choices. The error wraps ErrBroken if a promise
// was broken.
func Soak(ctx context.Context, c SoakConfig) (Soaked, error) {
	w, err := NewWorld(ctx, Config{Dir: c.Dir, Seed: c.Seed, Network: testnet.Config{
		Nodes: soakNodes, Network: "test-soak", Program: c.Program, Attached: true,
	}})
	if err != nil {
		return Soaked{}, err
	}
	s := &soak{SoakConfig: c, World: w, random: rand.New(rand.NewPCG(c.Seed, 3)), state: map[string]testnet.Harm{}, voters: soakNodes}
	names := w.Net.Names()
	s.random.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	s.victims = names[:soakHarmed]
	slices.Sort(s.victims)
	err = s.run(ctx)
	s.done.Snapshots = len(s.kept)
	if err != nil {
		err = fmt.Errorf("seed %d, step %d: %w", c.Seed, s.done.Steps, err)
	}
	return s.done, errors.Join(err, w.Close())
}

func (s *soak) run(ctx context.Context) error {
	s.note("seed %d; may be harmed: %v", s.Seed, s.victims)
	until := time.Now().Add(s.Duration)
	if err := s.backup(ctx); err != nil {
		return err
	}
	for time.Now().Before(until) {
		if err := ctx.Err(); err != nil {
			return err
		}
		s.done.Steps++
		if err := s.step(ctx); err != nil {
			return err
		}
	}
	return s.finish(ctx)
}

func (s *soak) step(ctx context.Context) error {
	switch p := s.random.IntN(100); {
	case p < 40:
		return s.backup(ctx)
	case p < 62:
		return s.restore(ctx)
	case p < 76:
		return s.harm(ctx)
	case p < 90:
		return s.mend(ctx)
	case p < 95:
		s.note("the cache is deleted")
		return os.RemoveAll(s.Machine.Cache())
	}
	name := s.pick(s.Net.Names())
	if _, broken := s.state[name]; broken {
		return nil
	}
	s.note("%s is restarted", name)
	return s.Net.Restart(ctx, name)
}

func (s *soak) note(format string, args ...any) {
	line := fmt.Sprintf("%4d  ", s.done.Steps) + fmt.Sprintf(format, args...)
	if s.Log != nil {
		s.Log(line)
	}
}

func (s *soak) pick(names []string) string { return names[s.random.IntN(len(names))] }

// finish mends what is broken, backs up once more, which has to go well, and restores
// everything: on the merchant's machine without its cache and, from the kit, on an
// empty one.
func (s *soak) finish(ctx context.Context) error {
	for len(s.state) > 0 {
		if err := s.mend(ctx); err != nil {
			return err
		}
	}
	if err := s.backupThen(ctx, "", nil); err != nil {
		return err
	}
	s.note("all that was acknowledged is restored, without a cache")
	if err := os.RemoveAll(s.Machine.Cache()); err != nil {
		return err
	}
	if err := s.RestoreAll(ctx); err != nil {
		return err
	}
	s.note("the newest is restored on an empty machine")
	s.Machine.Dir = filepath.Join(s.World.dir, "another")
	r, err := s.Machine.Run(ctx, "recover", "--phrase-file", s.Kit)
	if err != nil || r.Code != 0 {
		return errors.Join(fmt.Errorf("%w: recover: %v", ErrBroken, r), err)
	}
	return s.Restore(ctx, len(s.kept)-1, nil)
}
