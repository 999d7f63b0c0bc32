package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"holdfast/node"
)

func nodePause(a *app) *cobra.Command {
	var dir, until, reason string
	c := &cobra.Command{
		Use: "pause --dir DIR --until TIME", Short: "announce that a node will be down for a while", Args: exactly(0),
		Long:    "Tells the other nodes that this one may be down until a time, at most 7 days ahead: nobody\nrepairs meanwhile what it holds, unless a backup depends on it, and nothing new goes to it.\nThe node goes on as long as it runs. holdfast node resume takes it back.",
		Example: "  holdfast node pause --dir /srv/holdfast --until 2026-12-10 --reason holiday\n  holdfast node pause --dir /srv/holdfast --until 6h",
		RunE: func(c *cobra.Command, _ []string) error {
			if err := needDir(dir); err != nil {
				return err
			}
			now := time.Now()
			end, err := parseUntil(until, now)
			if err != nil {
				return err
			}
			if end.IsZero() {
				return usagef("--until is needed")
			}
			if err := node.Pause(dir, end, reason, now); err != nil {
				return err
			}
			live := node.Await(c.Context(), dir, takenWithin, func(s node.Status) bool { return s.State == node.StateAway || s.State == node.StatePaused }) == nil
			if a.json {
				a.emit(map[string]any{"message_type": "node_pause", "dir": dir, "until": end, "reason": reason, "live": live})
				return nil
			}
			a.printf("the node is announced as away until %s\n", end.Format(time.RFC3339))
			a.sayLive(live, "stop it when you like; holdfast node can-stop says whether others are missing just now")
			return nil
		},
	}
	dirFlag(c, &dir)
	c.Flags().StringVar(&until, "until", "", "when it is back, as 2026-12-10, 2026-12-10T18:00:00Z or 6h")
	c.Flags().StringVar(&reason, "reason", "", "why, for people")
	return c
}

// sayLive says what is next, for a node that has heard of it and for one that does not run.
func (a *app) sayLive(live bool, next string) {
	if live {
		a.say("%s", next)
		return
	}
	a.say("the node does not run, or has not answered: it is announced when it does")
}

// backFromPause is node resume without a new volume.
func (a *app) backFromPause(ctx context.Context, dir string) error {
	if err := node.Resume(dir); err != nil {
		return err
	}
	live := node.Await(ctx, dir, takenWithin, func(s node.Status) bool { return s.State != node.StateAway }) == nil
	if a.json {
		a.emit(map[string]any{"message_type": "node_resume", "dir": dir, "live": live})
		return nil
	}
	a.printf("the node is announced as back\n")
	a.sayLive(live, "nothing to do: holdfast node status")
	return nil
}

// parseUntil reads a time as people write it: a day, which ends at its midnight, an
// instant, or a span from now on, and not what is past. Nothing is no time.
func parseUntil(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	until, err := time.ParseInLocation(time.DateOnly, s, now.Location())
	if err == nil {
		until = until.AddDate(0, 0, 1)
	} else if until, err = time.Parse(time.RFC3339, s); err != nil {
		d, err := parseSpan(s)
		if err != nil {
			return time.Time{}, usagef("not a time: %q (write 2026-12-10, 2026-12-10T18:00:00Z or 6h)", s)
		}
		until = now.Add(d)
	}
	if !until.After(now) {
		return time.Time{}, usagef("--until: %s is past", s)
	}
	return until, nil
}
