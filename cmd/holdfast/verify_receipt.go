package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/witness"
	"holdfast/vault"
)

// verifyFlags are the flags of `verify-receipt`.
type verifyFlags struct{ vault, checkpoint string }

func verifyReceiptCommand(a *app) *cobra.Command {
	var f verifyFlags
	c := &cobra.Command{
		Use: "verify-receipt FILE", Short: "say what a receipt shows, without a key and without a network", GroupID: groupMerchant, Args: exactly(1),
		Long: "Verifies every signature in a receipt, from the vault's first charter on, and says which members\n" +
			"certified the snapshot, when, and which operators signed that they hold it. Whose vault it is, and\n" +
			"who these operators are, is for you to know: compare their keys with what they have published.",
		Example: "  holdfast verify-receipt shop.receipt\n  holdfast verify-receipt shop.receipt --vault bafyr4i... --checkpoint shop.tlog-proof",
		RunE: func(_ *cobra.Command, args []string) error {
			return a.verifyReceipt(args[0], f)
		},
	}
	c.Flags().StringVar(&f.vault, "vault", "", "the ID of the vault that it must be of")
	c.Flags().StringVar(&f.checkpoint, "checkpoint", "", "the checkpoint in which the snapshot must be")
	return c
}

func (a *app) verifyReceipt(path string, f verifyFlags) error {
	file, err := readMost(path, ledger.MaxProof)
	if err != nil {
		return err
	}
	p, err := ledger.ParseProof(file)
	if err != nil {
		return err
	}
	shown, err := p.Verify()
	if err != nil {
		return err
	}
	if f.vault != "" {
		id, err := ident.ParseCID(f.vault)
		if err != nil {
			return usagef("--vault: %w", err)
		}
		if id != shown.Chain.ID() {
			return fmt.Errorf("%w: it is of vault %s", vault.ErrMismatch, shown.Chain.ID())
		}
	}
	var head *witness.Checkpoint
	if f.checkpoint != "" {
		if head, err = checkWitnessed(f.checkpoint, shown); err != nil {
			return err
		}
	}
	a.printShown(shown, head)
	return nil
}

// readMost reads a file that is not longer than a limit.
func readMost(path string, limit int64) ([]byte, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, usage(err)
	}
	defer in.Close()
	p, err := io.ReadAll(io.LimitReader(in, limit+1))
	if err == nil && int64(len(p)) > limit {
		err = fmt.Errorf("%w: longer than %s", ledger.ErrNotProof, formatSize(limit))
	}
	return p, err
}

// checkWitnessed verifies that a checkpoint of the lane holds the snapshot.
func checkWitnessed(path string, s ledger.Shown) (*witness.Checkpoint, error) {
	text, err := readMost(path, 1<<20)
	if errors.Is(err, ledger.ErrNotProof) {
		return nil, fmt.Errorf("%w: longer than a checkpoint", witness.ErrProof)
	}
	if err != nil {
		return nil, err
	}
	p, err := witness.ParseProof(text)
	if err != nil {
		return nil, err
	}
	c, err := p.Verify(s.Chain.ID(), s.Entry.Lane, s.Entry.Height, s.Entry.CID())
	return &c, err
}

func (a *app) printShown(s ledger.Shown, head *witness.Checkpoint) {
	if a.json {
		a.emit(shownJSON(s, head))
		return
	}
	e, ch := s.Entry, s.Charter
	a.printf("vault %s   network %s\n", s.Chain.ID(), ch.Network)
	a.printf("snapshot %s%s, number %d of device %s\n", e.CID().Hex(), mark(s.Partial, " (partial)"), e.Height, e.Lane)
	a.printf("certified %s: the median of the clocks of %d of %d members (a quorum is %d)\n", stampText(s.Time()), len(s.Voters), len(ch.Members), ch.Quorum())
	for _, v := range s.Voters {
		a.printf("  voted %-16s %s   %s\n", v.Member.Name, stampText(v.Clock), v.Member.Operator)
	}
	what := "all that it needs"
	if !s.Whole {
		what = "what it brought; what it shares with earlier snapshots is not in this file"
	}
	a.printf("held: %s, %s (%s)\n", plural(s.Segments, "segment"), formatSize(s.Bytes), what)
	for _, h := range s.Holders {
		a.printf("  held by %-14s %s, %s, since %s, promised at least until %s   %s\n", h.Name, plural(h.Shards, "shard"), formatSize(h.Bytes), stampText(h.First), stampText(h.Until), h.Operator)
	}
	a.printf("%s\n", lossText(s.Losses))
	if head != nil {
		a.printf("in the lane's checkpoint over %d entries, which has %s\n", head.Size, plural(len(head.Cosigners), "further signature"))
	}
}

// lossText says what the holders of a receipt withstand.
func lossText(losses int) string {
	switch {
	case losses < 0:
		return "by these receipts alone it cannot be rebuilt"
	case losses == 0:
		return "it can be rebuilt from what they hold, and none of these operators may be lost"
	}
	return "it can be rebuilt without any " + plural(losses, "operator") + " of these"
}

func stampText(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 MST") }

func shownJSON(s ledger.Shown, head *witness.Checkpoint) map[string]any {
	voters, holders := []map[string]any{}, []map[string]any{}
	for _, v := range s.Voters {
		voters = append(voters, map[string]any{"name": v.Member.Name, "operator": v.Member.Operator.String(), "clock": v.Clock.UTC()})
	}
	for _, h := range s.Holders {
		holders = append(holders, map[string]any{
			"name": h.Name, "operator": h.Operator.String(), "node": h.Node.String(), "zone": h.Zone, "shards": h.Shards, "bytes": h.Bytes,
			"first": h.First.UTC(), "last": h.Last.UTC(), "until": h.Until.UTC(),
		})
	}
	fields := map[string]any{
		"message_type": "receipt", "vault": s.Chain.ID().String(), "network": s.Charter.Network, "charter": s.Charter.CID().String(),
		"snapshot_id": s.Entry.CID().Hex(), "entry": s.Entry.CID().String(), "lane": s.Entry.Lane.String(), "height": s.Entry.Height,
		"time": s.Time().UTC(), "partial": s.Partial, "members": len(s.Charter.Members), "quorum": s.Charter.Quorum(), "voters": voters,
		"segments": s.Segments, "bytes": s.Bytes, "holders": holders, "operators_may_be_lost": s.Losses, "whole": s.Whole,
	}
	if head != nil {
		fields["checkpoint"] = map[string]any{"size": head.Size, "root": head.Root.String(), "cosigners": append([]string{}, head.Cosigners...)}
	}
	return fields
}
