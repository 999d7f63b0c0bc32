package main

import (
	"encoding/json"
	"time"

	"github.com/spf13/cobra"

	"holdfast/node"
)

func nodeStatus(a *app) *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use: "status --dir DIR", Short: "say how the node that runs in a folder is", Args: exactly(0),
		Example: "  holdfast node status --dir /srv/holdfast",
		RunE: func(c *cobra.Command, _ []string) error {
			if err := needDir(dir); err != nil {
				return err
			}
			s, err := node.Ask(c.Context(), dir)
			if err != nil {
				return err
			}
			if a.json {
				return a.emitStruct("node_status", s)
			}
			a.printNode(s)
			return nil
		},
	}
	dirFlag(c, &dir)
	return c
}

func (a *app) printNode(s node.Status) {
	a.printf("node %s   %s   up %s   %s\n", s.Node, s.State, formatSpan(time.Since(s.Started)), s.Version)
	a.printf("operator %s   network %s   zone %s   %d peers\n", s.Name, s.Network, s.Zone, s.Peers)
	a.printf("volume   %s used of %s, %d shards of %d vaults\n", formatSize(s.Used), formatSize(s.Capacity), s.Shards, len(s.Vaults))
	a.printf("certificate until %s\n", s.Expires.Format(time.DateOnly))
	for _, addr := range s.Addrs {
		a.printf("address  %s\n", addr)
	}
	if s.State == node.StateServing {
		a.printf("the node serves; nothing to do\n")
		return
	}
	a.printf("the volume is paused: %s\n", s.Reason)
	a.say("mount the disk again, or, if it is lost: holdfast node resume --new-volume --operator FILE")
}

// emitStruct prints a structure as one JSON line.
func (a *app) emitStruct(messageType string, v any) error {
	p, err := json.Marshal(v)
	if err != nil {
		return err
	}
	fields := map[string]any{}
	if err := json.Unmarshal(p, &fields); err != nil {
		return err
	}
	fields["message_type"] = messageType
	a.emit(fields)
	return nil
}
