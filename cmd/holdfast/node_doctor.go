package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"holdfast/node"
)

func nodeDoctor(a *app) *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use: "doctor --dir DIR", Short: "examine a node: clock, disk, limits, ports, certificate, and the way in", Args: exactly(0),
		Long:    "Looks at what usually goes wrong, and says what to do. If the node runs, up to three other\nnodes are asked to dial it. It ends with 0 if nothing keeps the node from doing its part, and\nwith 1 otherwise.",
		Example: "  holdfast node doctor --dir /srv/holdfast",
		RunE: func(c *cobra.Command, _ []string) error {
			if err := needDir(dir); err != nil {
				return err
			}
			found, err := examineNode(c.Context(), dir)
			if err != nil {
				return err
			}
			return a.printFindings(found)
		},
	}
	dirFlag(c, &dir)
	return c
}

// examineNode asks the node itself, or looks into its folder if it does not run.
func examineNode(ctx context.Context, dir string) ([]node.Finding, error) {
	found, err := node.Doctor(ctx, dir)
	if errors.Is(err, node.ErrNotRunning) {
		return node.Examine(ctx, dir, time.Now())
	}
	return found, err
}

var errUnwell = errors.New("something keeps the node from doing its part")

func (a *app) printFindings(found []node.Finding) error {
	worst := node.Worst(found)
	if a.json {
		a.emit(map[string]any{"message_type": "node_doctor", "result": worst, "checks": found})
	}
	for _, f := range found {
		if a.json {
			continue
		}
		a.printf("%-8s %-14s %s\n", f.Result, f.Check, f.Text)
		if f.Hint != "" && f.Result != node.Good {
			a.printf("%-8s %-14s %s\n", "", "", f.Hint)
		}
	}
	switch worst {
	case node.Bad:
		return withHint(errUnwell, exitFailed, "see what is bad above")
	case node.Dubious:
		a.say("the node can do its part; see the warnings")
	default:
		a.say("the node is well; nothing to do")
	}
	return nil
}
