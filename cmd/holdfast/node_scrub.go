package main

import (
	"github.com/spf13/cobra"

	"holdfast/node"
)

func nodeScrub(a *app) *cobra.Command {
	var dir string
	var now bool
	c := &cobra.Command{
		Use: "scrub --dir DIR [--now]", Short: "say how far a node has read its own volumes through, or have it begin now", Args: exactly(0),
		Example: "  holdfast node scrub --dir /srv/holdfast --now",
		RunE: func(c *cobra.Command, _ []string) error {
			if err := needDir(dir); err != nil {
				return err
			}
			s, err := scrubStatus(c, dir, now)
			if err != nil {
				return err
			}
			if a.json {
				return a.emitStruct("node_scrub", s)
			}
			a.printScrub(s)
			if now {
				a.say("it goes on while the node serves; holdfast node scrub --dir %s says how far it is", dir)
			}
			return nil
		},
	}
	dirFlag(c, &dir)
	c.Flags().BoolVar(&now, "now", false, "begin to read everything now")
	return c
}

func scrubStatus(c *cobra.Command, dir string, now bool) (node.ScrubStatus, error) {
	if now {
		return node.Scrub(c.Context(), dir)
	}
	s, err := node.Ask(c.Context(), dir)
	return s.Scrub, err
}
