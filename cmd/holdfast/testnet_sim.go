package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/spf13/cobra"

	"holdfast/erasure"
	"holdfast/testnet/sim"
)

// simFlags are those that have to be read before they are part of a configuration.
type simFlags struct {
	code, repairRate, nodeData string
}

func testnetSim(a *app) *cobra.Command {
	config := sim.Defaults()
	var f simFlags
	c := &cobra.Command{
		Use: "sim", Short: "play years of a network in seconds: what is lost, and what repair costs", Args: exactly(0),
		Long: "Plays a network of up to 100,000 nodes with the program's own placement and repair planning: disks die,\n" +
			"operators leave, zones are lost, a version of the program destroys what it stores, shards rot, nodes are\n" +
			"away for hours. It prints what was lost and what repair cost, and estimates how likely a segment is lost in\n" +
			"a year, by cause, with 95 % intervals. Nines that the run does not support are not printed. The same\n" +
			"seed gives the same result. docs/durability.md says what the figures mean, and what they leave out.",
		Example: "  holdfast testnet sim --nodes 8 --zones 4\n  holdfast testnet sim --nodes 10000 --zones 50 --years 10 --seed 1\n  holdfast testnet sim --nodes 20 --zone-loss 0 --version-bug 0 --json",
		RunE: func(c *cobra.Command, _ []string) error {
			if err := f.into(&config); err != nil {
				return err
			}
			if !c.Flags().Changed("seed") {
				config.Seed = rand.Uint64()
			}
			ctx, stop := untilOrphaned(c.Context())
			defer stop()
			return a.sim(ctx, config)
		},
	}
	simSizes(c, &config, &f)
	simHarms(c, &config)
	simCare(c, &config, &f)
	return c
}

func simSizes(c *cobra.Command, config *sim.Config, f *simFlags) {
	fl := c.Flags()
	fl.IntVar(&config.Nodes, "nodes", config.Nodes, "number of nodes")
	fl.IntVar(&config.Operators, "operators", 0, "number of operators (default: one for each node)")
	fl.IntVar(&config.Zones, "zones", 0, "number of zones (default: one for each operator)")
	fl.IntVar(&config.Admitted, "admitted", config.Admitted, "operators that the charter of one vault admits; more are further vaults")
	fl.StringVar(&f.code, "code", "", "erasure code K/N (default: by the number of operators of a vault)")
	fl.IntVar(&config.Segments, "segments", config.Segments, "segments of each vault; each stands for as many as fill the nodes")
	fl.StringVar(&f.nodeData, "node-data", "1TiB", "what a node stores")
	fl.Float64Var(&config.Years, "years", config.Years, "years of each history")
	fl.IntVar(&config.Runs, "runs", config.Runs, "histories of a vault, and repetitions of the estimate, at least")
	fl.Uint64Var(&config.Seed, "seed", 0, "of all chances (default: another one each time)")
}

func simHarms(c *cobra.Command, config *sim.Config) {
	fl := c.Flags()
	fl.Float64Var(&config.AFR, "afr", config.AFR, "chance that a node's disk is lost in a year")
	fl.Float64Var(&config.OperatorLoss, "operator-loss", config.OperatorLoss, "chance that an operator is gone in a year, with all his nodes")
	fl.Float64Var(&config.ZoneLoss, "zone-loss", config.ZoneLoss, "chance that a zone is lost in a year, with all its nodes")
	fl.Float64Var(&config.VersionBug, "version-bug", config.VersionBug, "chance that in a year a version destroys what its nodes store")
	fl.Float64Var(&config.VersionShare, "version-share", config.VersionShare, "share of the operators who run that version then")
	fl.Float64Var(&config.Rot, "rot", config.Rot, "chance that a shard is damaged in a year, alone")
	fl.Float64Var(&config.Offline, "offline", config.Offline, "share of the time that a node is away")
	fl.DurationVar(&config.Outage, "outage", config.Outage, "mean length of an absence")
}

func simCare(c *cobra.Command, config *sim.Config, f *simFlags) {
	fl := c.Flags()
	fl.DurationVar(&config.Grace, "grace", config.Grace, "absence after which shards are rebuilt")
	fl.DurationVar(&config.Replace, "replace", config.Replace, "time until a new node takes the place of a lost one; 0: never")
	fl.StringVar(&f.repairRate, "repair-rate", "64MiB", "bytes a second that a member reads and writes for repair; 0: nobody repairs")
}

func (f simFlags) into(config *sim.Config) (err error) {
	if f.code != "" {
		if config.Code, err = erasure.ParseCode(f.code); err != nil {
			return usage(err)
		}
	}
	if config.RepairRate, err = parseSize(f.repairRate); err != nil {
		return err
	}
	config.NodeData, err = parseSize(f.nodeData)
	return err
}

func (a *app) sim(ctx context.Context, config sim.Config) error {
	begun := time.Now()
	config.Progress = func(text string) { a.say("%6.1fs  %s", time.Since(begun).Seconds(), text) }
	r, err := sim.Run(ctx, config)
	switch {
	case err != nil && ctx.Err() != nil:
		return interrupted{ctx.Err()}
	case errors.Is(err, sim.ErrConfig):
		return usage(err)
	case err != nil:
		return err
	}
	if a.json {
		a.emitSim(r)
		return nil
	}
	a.printSim(r)
	return nil
}
