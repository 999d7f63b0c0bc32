package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/vault"
)

func whatifCommand(a *app) *cobra.Command {
	var lose []string
	c := &cobra.Command{
		Use: "whatif --lose operator=NAME", Short: "what would be lost with some operators, zones or nodes", GroupID: groupMerchant, Args: exactly(0),
		Long: "Computes from the ledger, exactly, what would be left if operators, zones or nodes were gone for\n" +
			"ever, all at once: which segments could not be rebuilt, and which snapshots need them. Nobody is\n" +
			"asked for shards; holdfast status says whether they are there. The exit code is 21 if something\n" +
			"would be lost.",
		Example: "  holdfast whatif --lose operator=acme\n  holdfast whatif --lose operator=acme --lose zone=north\n  holdfast whatif --lose node=z6Mkr9... --json",
		RunE: func(c *cobra.Command, _ []string) error {
			parties, err := parsePartiesToLose(lose)
			if err != nil {
				return err
			}
			return a.whatif(c.Context(), parties)
		},
	}
	c.Flags().StringArrayVar(&lose, "lose", nil, "operator=NAME, zone=NAME or node=KEY; give it several times to lose all of them at once")
	return c
}

func parsePartiesToLose(lose []string) ([]vault.Party, error) {
	if len(lose) == 0 {
		return nil, usagef("--lose is needed: operator=NAME, zone=NAME or node=KEY")
	}
	var parties []vault.Party
	for _, text := range lose {
		p, err := vault.ParseParty(text)
		if err != nil {
			return nil, usagef("--lose: %w", err)
		}
		if !slices.Contains(parties, p) {
			parties = append(parties, p)
		}
	}
	return parties, nil
}

var errWouldBeLost = errors.New("something would be lost")

func (a *app) whatif(ctx context.Context, parties []vault.Party) error {
	s, standing, err := a.synced(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	loss, err := s.WhatIf(ctx, parties)
	if errors.Is(err, vault.ErrNoParty) || errors.Is(err, vault.ErrManyParties) {
		return usagef("--lose %w", err)
	}
	if err != nil {
		return err
	}
	a.printLoss(parties, standing, loss)
	if loss.Report.LostCount > 0 {
		return withHint(errWouldBeLost, exitOutOfReach, "spread new backups over more operators or zones; what is lost only if all of these go at once is said above")
	}
	return nil
}

func (a *app) printLoss(parties []vault.Party, standing vault.Standing, loss vault.Loss) {
	var names []string
	for _, p := range parties {
		names = append(names, p.String())
	}
	r := loss.Report
	if a.json {
		broken := []string{}
		for _, snap := range loss.Broken {
			broken = append(broken, snap.ID())
		}
		lost := []string{}
		for _, id := range r.Lost {
			lost = append(lost, id.String())
		}
		a.emit(map[string]any{
			"message_type": "whatif", "lose": names, "nodes": loss.Nodes, "survives": r.LostCount == 0, "segments": r.Segments, "segments_lost": r.LostCount,
			"bytes": r.Bytes, "bytes_lost": r.LostBytes, "lost": lost, "shards": r.Shards, "left": r.Live, "worst": r.Worst.Live, "margin": r.Worst.Margin(),
			"k": r.Worst.Code.K, "n": r.Worst.Code.N, "below_target": r.Below, "operators_may_be_lost": loss.Withstands,
			"snapshots": loss.Snapshots, "snapshots_lost": len(loss.Broken), "broken": broken, "freshness": standing.Freshness.String(),
		})
		return
	}
	a.printf("without %s: %s less, %d of %s left\n", strings.Join(names, ", "), plural(loss.Nodes, "node"), r.Live, plural(int(r.Shards), "shard"))
	for _, snap := range loss.Broken {
		a.printf("snapshot %s of %s could not be restored whole\n", snap.ID()[:8], snap.Link.Time.Local().Format("2006-01-02 15:04"))
	}
	switch {
	case r.Segments == 0:
		a.printf("nothing is stored yet\n")
	case r.LostCount == 0:
		a.printf("every byte would survive: the worst segment has %s and needs %d; %s\n", plural(r.Worst.Live, "shard"), r.Worst.Code.K, mayGo(loss.Withstands))
	default:
		a.printf("lost: %d of %s, %s; %d of %s\n", r.LostCount, plural(r.Segments, "segment"), formatSize(r.LostBytes), len(loss.Broken), plural(loss.Snapshots, "snapshot"))
	}
}
