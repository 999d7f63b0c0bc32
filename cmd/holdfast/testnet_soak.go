package main

import (
	"context"
	"math/rand/v2"
	"os"
	"time"

	"github.com/spf13/cobra"

	"holdfast/testnet/scenario"
)

func testnetSoak(a *app) *cobra.Command {
	var config scenario.SoakConfig
	c := &cobra.Command{
		Use: "soak", Short: "torment a network at random, and see that nothing acknowledged is lost", Args: exactly(0),
		Long: "Starts 8 nodes of 8 operators and runs backups and restores at random, while nodes are killed, held, wiped,\n" +
			"filled and corrupted, leave and are replaced, the network is split, clients are killed and caches lost: never\n" +
			"more than half of the nodes in one season. After each the network has to repair itself. All that was\n" +
			"acknowledged has to read back, at any time and in the end. Every step is printed; the same seed makes the\n" +
			"same choices. With --dir the folder is kept; without, it is kept only if something went wrong.",
		Example: "  holdfast testnet soak --duration 10m\n  holdfast testnet soak --dir /tmp/soak --duration 1h --seed 42",
		RunE: func(c *cobra.Command, _ []string) error {
			var err error
			if config.Program, err = os.Executable(); err != nil {
				return err
			}
			if !c.Flags().Changed("seed") {
				config.Seed = rand.Uint64()
			}
			return a.soak(c.Context(), config)
		},
	}
	f := c.Flags()
	f.StringVar(&config.Dir, "dir", "", "an empty folder for the network and all that is compared (default: a temporary one)")
	f.DurationVar(&config.Duration, "duration", time.Minute, "how long things happen; then everything is restored once more")
	f.Uint64Var(&config.Seed, "seed", 0, "of all choices (default: another one each time)")
	return c
}

func (a *app) soak(ctx context.Context, config scenario.SoakConfig) error {
	keep := config.Dir != ""
	if !keep {
		dir, err := os.MkdirTemp("", "holdfast-soak-")
		if err != nil {
			return err
		}
		config.Dir = dir
	}
	ctx, stop := untilOrphaned(ctx)
	defer stop()
	config.Log = func(text string) {
		if a.json {
			a.emit(map[string]any{"message_type": "soak_step", "text": text})
			return
		}
		a.printf("%s\n", text)
	}
	done, err := scenario.Soak(ctx, config)
	if err != nil {
		a.say("what is there is kept in %s", config.Dir)
		return err
	}
	if a.json {
		a.emit(map[string]any{
			"message_type": "summary", "seed": config.Seed, "steps": done.Steps, "backups": done.Backups, "restores": done.Restores,
			"harmed": done.Harmed, "seasons": done.Seasons, "splits": done.Splits, "left": done.Left, "clients_killed": done.Killed, "refused": done.Refused, "snapshots": done.Snapshots,
		})
	} else {
		a.printf("seed %d: %d steps, %d backups (%d killed, %d refused), %d restores, nodes harmed %d times: all %d acknowledged snapshots read back\n",
			config.Seed, done.Steps, done.Backups, done.Killed, done.Refused, done.Restores, done.Harmed, done.Snapshots)
	}
	if keep {
		return nil
	}
	return removeAll(config.Dir)
}
