package main

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"holdfast/p2p"
	"holdfast/p2p/shardrpc"
	"holdfast/vault"
)

func checkCommand(a *app) *cobra.Command {
	var all, audit bool
	var subset string
	c := &cobra.Command{
		Use: "check", Short: "verify the vault from the nodes, not from caches", GroupID: groupMerchant, Args: exactly(0),
		Long: "Asks every holder for every shard, and walks every snapshot if this device can read. With\n" +
			"--read-data all shards are fetched and verified, all n of them, and compared with each other,\n" +
			"and a device that can read opens every chunk. A lane that says what is not so is named.\n\n" +
			"With --audit it asks no more than members' audits do, and needs no right to read: each holder\n" +
			"signs a list of all that it has, and proves 459 random samples, which finds the loss of one\n" +
			"hundredth of its shards with 99 %.",
		Example: "  holdfast check\n  holdfast check --audit\n  holdfast check --read-data\n  holdfast check --read-data-subset 5%",
		RunE: func(c *cobra.Command, _ []string) error {
			if audit {
				if all || subset != "" {
					return usagef("--audit or --read-data, not both")
				}
				return a.audit(c.Context())
			}
			o := vault.CheckOptions{Trees: true}
			if all {
				o.ReadData = 1
			}
			if subset != "" {
				n, err := strconv.ParseFloat(strings.TrimSuffix(subset, "%"), 64)
				if err != nil || n <= 0 || n > 100 {
					return usagef("--read-data-subset: %q is not a percentage", subset)
				}
				o.ReadData = n / 100
			}
			return a.check(c.Context(), o)
		},
	}
	c.Flags().BoolVar(&audit, "audit", false, "have every holder prove random samples of what it holds")
	c.Flags().BoolVar(&all, "read-data", false, "read and verify all shards")
	c.Flags().StringVar(&subset, "read-data-subset", "", "read and verify this part of every shard, as 5%")
	return c
}

var (
	errBadShards = errors.New("some shards are missing or wrong; everything can still be read")
	errReach     = errors.New("some segments cannot be rebuilt from what answers now")
	errBadData   = errors.New("the vault holds what does not verify")
)

func (a *app) check(ctx context.Context, o vault.CheckOptions) error {
	start := time.Now()
	s, st, err := a.synced(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	if !s.Rights().CanRead() {
		o.Trees = false
	}
	var done, total atomic.Int64
	o.Progress = func(d, t int) { done.Store(int64(d)); total.Store(int64(t)) }
	h, err := s.Check(ctx, o)
	if err != nil {
		return err
	}
	a.printCheck(h, st, time.Since(start))
	switch {
	case len(h.IllCoded) > 0 || h.Missing > 0 || len(h.False) > 0:
		return withHint(errBadData, exitIntegrity, "the lists above name what to look at; restore from another snapshot")
	case h.Margin < 0 && h.Segments > 0, len(h.Broken) > 0:
		return withHint(errReach, exitOutOfReach, "try again when more nodes are up")
	case len(h.Bad) > 0:
		return withHint(errBadShards, exitBelow, "the margin above says how many more may go; heal or replace the nodes that are named")
	}
	return nil
}

func (a *app) printCheck(h vault.Health, st vault.Standing, took time.Duration) {
	a.printBad(h.Bad)
	if a.json {
		a.emit(map[string]any{
			"message_type": "summary", "num_errors": len(h.Bad) + len(h.IllCoded), "segments": h.Segments, "shards": h.Shards, "present": h.Present,
			"worst": h.Worst, "margin": h.Margin, "k": h.K, "n": h.N, "operators_may_be_lost": h.Operators, "bytes_read": h.Read, "snapshots": h.Snapshots,
			"chunks": h.Chunks, "chunks_missing": h.Missing, "lost": h.Lost, "ill_coded": h.IllCoded, "false_claims": falseClaimsJSON(h.False), "broken": h.Broken, "entries": h.Entries,
			"freshness": st.Freshness.String(), "seconds_elapsed": took.Seconds(),
		})
		return
	}
	a.printf("%s: %d of %s are there; %s, %s looked up, %d missing; %s read; took %s\n", plural(h.Segments, "segment"), h.Present, plural(h.Shards, "shard"), plural(h.Snapshots, "snapshot"), plural(int(h.Chunks), "chunk"), h.Missing, formatSize(h.Read), formatSpan(took))
	for _, s := range h.Broken {
		a.printf("snapshot %s\n", cut(oneLine(s), 160))
	}
	for _, s := range h.IllCoded {
		a.printf("segment %s was ill-coded by its writer\n", s)
	}
	for _, f := range h.False {
		a.printf("device %s %s: %s not where its lane says, as in segment %.8s\n", f.Name, short(f.Lane.String()), plural(f.Chunks, "chunk"), f.Segment.Hex())
	}
	if h.Segments > 0 {
		a.printf("worst segment: %d of %d shards, any %d rebuild it\n", h.Worst, h.N, h.K)
	}
}

func falseClaimsJSON(all []vault.FalseClaims) []map[string]any {
	out := []map[string]any{}
	for _, f := range all {
		out = append(out, map[string]any{"device": f.Lane.String(), "name": f.Name, "chunks": f.Chunks, "segment": f.Segment.String(), "reason": oneLine(f.Why.Error())})
	}
	return out
}

// printBad lists the shards that are not there, by the nodes that should have them.
func (a *app) printBad(bad []vault.BadShard) {
	type place struct{ name, why string }
	count := map[place]int{}
	var order []place
	for _, b := range bad {
		if a.json {
			a.emit(map[string]any{
				"message_type": "error", "error": map[string]any{"message": oneLine(b.Err.Error())}, "segment": b.Segment.String(),
				"shard": b.Index, "node": b.Node.String(), "operator": b.Name, "reason": reason(b.Err),
			})
			continue
		}
		p := place{b.Name, reason(b.Err)}
		if count[p]++; count[p] == 1 {
			order = append(order, p)
		}
	}
	for _, p := range order {
		a.printf("operator %s: %s (%s)\n", p.name, p.why, plural(count[p], "shard"))
	}
}

// reason says in a few words why a shard is not good.
func reason(err error) string {
	for _, r := range []struct {
		err  error
		text string
	}{
		{shardrpc.ErrNotFound, "does not have it"},
		{shardrpc.ErrPaused, "its volume is not there"},
		{shardrpc.ErrLied, "sends wrong bytes"},
		{shardrpc.ErrCorrupt, "its copy is corrupt"},
		{p2p.ErrUnreachable, "out of reach"},
		{context.DeadlineExceeded, "does not answer"},
	} {
		if errors.Is(err, r.err) {
			return r.text
		}
	}
	return cut(oneLine(err.Error()), 160)
}
