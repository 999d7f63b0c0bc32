package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"holdfast/node"
)

func nodeDrain(a *app) *cobra.Command {
	var dir, verify string
	var cancel, noWait bool
	c := &cobra.Command{
		Use: "drain --dir DIR", Short: "have a node give away all that it holds", Args: exactly(0),
		Long:    "The node takes nothing new, goes on serving, and the others move to themselves what it holds.\nIt ends when a quorum of the members of each vault have signed that nothing is left, with a\nreceipt in the node's folder: then the disk can be wiped. Interrupted, the draining goes on;\n--cancel takes it back at any time. What the node votes for does not move: see the end.",
		Example: "  holdfast node drain --dir /srv/holdfast\n  holdfast node drain --dir /srv/holdfast --cancel\n  holdfast node drain --verify drain-20261128T075600Z.json",
		RunE: func(c *cobra.Command, _ []string) error {
			if verify != "" {
				return a.verifyDrain(verify)
			}
			if err := needDir(dir); err != nil {
				return err
			}
			if cancel {
				return a.cancelDrain(c.Context(), dir)
			}
			if err := node.Drain(dir, time.Now()); err != nil {
				return err
			}
			return a.followDrain(c.Context(), dir, noWait)
		},
	}
	dirFlag(c, &dir)
	c.Flags().BoolVar(&cancel, "cancel", false, "serve again, with what is still here")
	c.Flags().BoolVar(&noWait, "no-wait", false, "return as soon as the node has begun")
	c.Flags().StringVar(&verify, "verify", "", "verify the receipt of a drain, without a network")
	return c
}

func (a *app) cancelDrain(ctx context.Context, dir string) error {
	if err := node.CancelDrain(dir); err != nil {
		return err
	}
	live := node.Await(ctx, dir, takenWithin, func(s node.Status) bool { return s.State != node.StateDraining }) == nil
	if a.json {
		a.emit(map[string]any{"message_type": "node_drain", "dir": dir, "cancelled": true, "live": live})
		return nil
	}
	if live {
		a.printf("the node serves again, with what is still here\n")
	} else {
		a.printf("the draining is taken back; the node does not run, or has not answered\n")
	}
	return nil
}

// drainEvery is how often progress is asked for.
const drainEvery = 500 * time.Millisecond

// drainStuck is after how long without progress it is said what may be in the way.
const drainStuck = time.Minute

// followDrain prints progress until nothing is left.
func (a *app) followDrain(ctx context.Context, dir string, noWait bool) error {
	tick := time.NewTicker(drainEvery)
	defer tick.Stop()
	last, stuck := "", time.After(drainStuck)
	for {
		s, err := node.Ask(ctx, dir)
		switch {
		case errors.Is(err, node.ErrNotRunning):
			return withHint(err, exitFailed, "it begins when the node runs: holdfast node run; --cancel takes it back")
		case err != nil && ctx.Err() == nil && !errors.Is(err, node.ErrSilent):
			return err
		case err == nil && s.Drain != nil && (s.Drain.Done || noWait):
			return a.printDrained(dir, *s.Drain)
		case err == nil && s.State == node.StatePaused:
			last = a.sayOnce(last, "the volume is not there, and the draining goes on when it is: "+s.Reason)
		case err == nil && s.Drain != nil:
			text := a.printDraining(last, *s.Drain)
			switch {
			case s.Drain.Shards == 0:
				stuck = nil // what is waited for is in the text
			case text != last:
				stuck = time.After(drainStuck)
			}
			last = text
		}
		select {
		case <-ctx.Done():
			return withHint(ctx.Err(), exitInterrupted, "the draining goes on; the same command follows it, and --cancel takes it back")
		case <-stuck:
			a.say("nothing has left for a minute: there may be no operator who could take it; then another one has to join, or the vault's owner replaces this one: holdfast vault change")
		case <-tick.C:
		}
	}
}

// printDraining says how much is left, or what is waited for, unless it was said last.
// It returns what was said.
func (a *app) printDraining(last string, d node.DrainStatus) string {
	text := fmt.Sprintf("draining: %d of %d shards are left here, %s", d.Shards, d.Of, formatSize(d.Bytes))
	if d.Shards == 0 {
		for _, v := range d.Vaults {
			if v.Waits != "" {
				text = fmt.Sprintf("draining: vault %s: %s", v.Vault, v.Waits)
			}
		}
		if d.Waits != "" {
			text = "draining: " + d.Waits
		}
	}
	if a.json && text != last {
		a.emit(map[string]any{"message_type": "status", "stage": "drain", "shards_left": d.Shards, "bytes_left": d.Bytes, "shards": d.Of, "waits": d.Waits})
		return text
	}
	return a.sayOnce(last, text)
}

// sayOnce says something unless it was said last, and returns it.
func (a *app) sayOnce(last, text string) string {
	if text != last {
		a.say("%s", text)
	}
	return text
}

func (a *app) printDrained(dir string, d node.DrainStatus) error {
	if a.json {
		return a.emitStruct("node_drain", d)
	}
	if !d.Done {
		a.printf("the node drains: %d shards are left here, %s\n", d.Shards, formatSize(d.Bytes))
		a.say("see holdfast node status; --cancel takes it back")
		return nil
	}
	a.printf("drained: nothing that counts is left here; receipt %s\n", d.Receipt)
	if d.Voting > 0 {
		a.printf("the node still votes in %s: their owners replace it with holdfast vault change, until then keep it running\n", plural(int(d.Voting), "vault"))
	} else {
		a.printf("safe to stop and to wipe\n")
	}
	return nil
}

func (a *app) verifyDrain(path string) error {
	r, err := node.VerifyDrain(path)
	if err != nil {
		return err
	}
	if a.json {
		vaults := []string{}
		for _, v := range r.Vaults {
			vaults = append(vaults, v.Vault)
		}
		a.emit(map[string]any{"message_type": "node_drain_receipt", "node": r.Node, "operator": r.Operator, "since": r.Since, "time": r.Time, "vaults": vaults})
		return nil
	}
	if len(r.Vaults) == 0 {
		a.printf("node %s says that it held nothing of any vault on %s\n", r.Node, r.Time.Format(time.RFC3339))
		return nil
	}
	a.printf("node %s held nothing on %s, say a quorum of the members of each of %s\n", r.Node, r.Time.Format(time.RFC3339), plural(len(r.Vaults), "vault"))
	for _, v := range r.Vaults {
		a.printf("vault %s\n", v.Vault)
	}
	return nil
}
