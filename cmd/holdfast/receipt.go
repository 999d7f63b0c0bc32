package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"holdfast/vault"
)

// receiptFlags are the flags of `receipt`.
type receiptFlags struct {
	filter     vault.Filter
	brief      bool
	checkpoint string
	since      int64
}

func receiptCommand(a *app) *cobra.Command {
	var f receiptFlags
	c := &cobra.Command{
		Use: "receipt SNAP > FILE", Short: "write what shows who holds a snapshot, to whom it may concern", GroupID: groupMerchant, Args: exactly(1),
		Long: "Writes one file to standard output that anybody can verify offline and without a key, with\n" +
			"holdfast verify-receipt: who certified the snapshot and when, and which operators signed that\n" +
			"they hold its shards. Nothing in it is secret, and it opens nothing.\n\n" +
			"With --checkpoint, on the device that made the snapshot, also the head of its lane as a C2SP\n" +
			"checkpoint, which outside witnesses may cosign, with the proof that the snapshot is in it.",
		Example: "  holdfast receipt latest > shop.receipt\n  holdfast receipt 1a2b3c4d --checkpoint shop.tlog-proof > shop.receipt",
		RunE: func(c *cobra.Command, args []string) error {
			return a.receipt(c.Context(), args[0], f)
		},
	}
	filterFlags(c, &f.filter)
	fl := c.Flags()
	fl.BoolVar(&f.brief, "brief", false, "only what the snapshot brought, not what it shares with earlier ones")
	fl.StringVar(&f.checkpoint, "checkpoint", "", "write the lane's checkpoint, with the proof that the snapshot is in it, to this file")
	fl.Int64Var(&f.since, "since", -1, "with --checkpoint: write what a witness is sent that has last cosigned so many entries")
	return c
}

func (a *app) receipt(ctx context.Context, ref string, f receiptFlags) error {
	if a.json {
		return usagef("--json prints lines, not a file; holdfast verify-receipt FILE --json says what is in it")
	}
	if terminal(a.out) {
		return usagef("standard output is a terminal; send it into a file")
	}
	if f.since >= 0 && f.checkpoint == "" {
		return usagef("--since belongs to --checkpoint")
	}
	if f.checkpoint != "" {
		if err := absent(f.checkpoint); err != nil {
			return err
		}
	}
	s, _, err := a.synced(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	snap, err := s.Resolve(ctx, ref, f.filter)
	if err != nil {
		return err
	}
	if f.checkpoint != "" {
		if err := a.writeCheckpoint(s, snap, f); err != nil {
			return err
		}
	}
	p, err := s.Receipt(ctx, snap, f.brief)
	if errors.Is(err, vault.ErrTooMuch) {
		a.warn("%v: the receipt is about what the snapshot brought alone", err)
		p, err = s.Receipt(ctx, snap, true)
	}
	if err != nil {
		return err
	}
	file, err := p.Encode()
	if err != nil {
		return err
	}
	_, err = a.out.Write(file)
	return err
}

// writeCheckpoint writes the proof that the snapshot is in its lane's checkpoint, or
// what a witness is sent.
func (a *app) writeCheckpoint(s *vault.Session, snap vault.Snapshot, f receiptFlags) error {
	if snap.Link.Entry.Lane != s.Device() {
		return withHint(vault.ErrNoRight, exitNoRight, "only the device that made the snapshot can sign its lane's checkpoint: "+snap.Device)
	}
	w, err := s.Witness()
	if err != nil {
		return err
	}
	var text []byte
	if f.since >= 0 {
		text, err = w.Log.Since(f.since, w.Checkpoint)
	} else if p, proveErr := w.Prove(snap); proveErr == nil {
		text = p.Text()
	} else {
		err = proveErr
	}
	if err != nil {
		return usage(err)
	}
	if err := replaceKind(f.checkpoint, text); err != nil {
		return err
	}
	a.say("a witness knows this lane by the key %s", w.Key)
	return nil
}
