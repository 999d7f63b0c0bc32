package scenario

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"holdfast/node"
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
	soakHarmed = 4 // n-k: no more than these are ever harmed in one season
	soakWiped  = 2 // who lose their vote, until the members have new keys

	seasonSteps = 12 // at least, and up to twice as many
)

// soakPace makes nodes find and repair within seconds what takes them days elsewhere.
func soakPace(_ string, c *node.Config) {
	c.RepairAfter = node.Duration(3 * time.Second)
	c.RepairTurn = node.Duration(5 * time.Second)
	c.AuditEvery = node.Duration(2 * time.Second)
	c.AuditSamples = 2_000_000 // some groups in every round
	c.InventoryEvery = node.Duration(4 * time.Second)
	c.ScrubEvery = node.Duration(20 * time.Second)
}

// Soaked is what a soak did.
type Soaked struct {
	Steps, Backups, Refused, Restores, Killed, Harmed int
	Seasons, Splits, Left                             int
	Snapshots                                         int
}

// soak is one run. Within a season only a fixed set of n-k nodes is harmed, and of
// these only two lose their ledgers: so whatever was acknowledged has k whole shards
// with the others, and has to come back at any time; and a backup has to succeed
// whenever enough members are up. A season ends when all that was broken is mended:
// then the network has to come back to all its shards by itself, and only then others
// are harmed.
type soak struct {
	SoakConfig
	*World
	random  *rand.Rand
	nodes   []string                // one of each operator
	victims []string                // of these, who may be harmed now
	state   map[string]testnet.Harm // of victims that are broken now
	voters  int                     // members that have their vote
	far     []string                // nodes that can be cut off from all others; none where the system does not allow it
	split   bool                    // they are
	until   int                     // step with which the season ends
	done    Soaked
}

// Soak runs random backups and restores while nodes are killed, held, wiped, filled
// and corrupted, leave for good and are replaced, the network is split, clients are
// killed and caches lost, for the given time; then it restores everything that was
// acknowledged. Every step is logged with what it led to; the same seed makes the same
// choices. The error wraps ErrBroken if a promise was broken.
func Soak(ctx context.Context, c SoakConfig) (Soaked, error) {
	w, far, err := soakWorld(ctx, c)
	if err != nil {
		return Soaked{}, err
	}
	s := &soak{SoakConfig: c, World: w, random: rand.New(rand.NewPCG(c.Seed, 3)), state: map[string]testnet.Harm{}, voters: soakNodes, far: far, nodes: w.Net.Names()}
	err = s.run(ctx)
	s.done.Snapshots = len(s.kept)
	if err != nil {
		err = fmt.Errorf("seed %d, step %d: %w", c.Seed, s.done.Steps, err)
	}
	return s.done, errors.Join(err, w.Close())
}

// soakWorld starts a network of which one half can be cut off, if the system lets it.
func soakWorld(ctx context.Context, c SoakConfig) (w *World, far []string, err error) {
	config := Config{Dir: c.Dir, Seed: c.Seed, Network: testnet.Config{
		Nodes: soakNodes, Network: "test-soak", Program: c.Program, Attached: true, Node: soakPace,
	}}
	for i := range soakHarmed {
		config.Network.Apart = append(config.Network.Apart, fmt.Sprintf("node-%d", soakNodes-i))
	}
	w, err = NewWorld(ctx, config)
	if !errors.Is(err, testnet.ErrNamespace) {
		return w, config.Network.Apart, err
	}
	if err := os.RemoveAll(c.Dir); err != nil {
		return nil, nil, err
	}
	config.Network.Apart = nil
	w, err = NewWorld(ctx, config)
	return w, nil, err
}

func (s *soak) run(ctx context.Context) error {
	s.note("seed %d", s.Seed)
	s.begin()
	until := time.Now().Add(s.Duration)
	if err := s.backupThen(ctx, "", nil); err != nil { // so that there is something to restore
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
		if s.done.Steps >= s.until {
			if err := s.endSeason(ctx); err != nil {
				return err
			}
			s.begin()
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
	case p < 74:
		return s.harm(ctx)
	case p < 79:
		return s.cut()
	case p < 90:
		return s.mend(ctx)
	case p < 92:
		return s.leave(ctx)
	case p < 95:
		s.note("the cache is deleted")
		return os.RemoveAll(s.Machine.Cache())
	}
	return s.restart(ctx)
}

// restart restarts a node that is well. In a network that is split none would find enough
// of the others.
func (s *soak) restart(ctx context.Context) error {
	name := s.pick(s.nodes)
	if _, broken := s.state[name]; broken || s.split {
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

// finish ends the season, reads every byte of every shard, and restores everything: on
// the merchant's machine without its cache and, from the kit, on an empty one.
func (s *soak) finish(ctx context.Context) error {
	if err := s.endSeason(ctx); err != nil {
		return err
	}
	s.note("every byte of every shard is read")
	if err := s.AllBytes(ctx); err != nil {
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
	r, _, err := s.repeat(ctx, func(r Report) bool { return !r.Was(20, 21) }, "recover", "--phrase-file", s.Kit)
	if err != nil || r.Code != 0 {
		return errors.Join(fmt.Errorf("%w: recover: %v", ErrBroken, r), err)
	}
	return s.Restore(ctx, len(s.kept)-1, nil)
}
