package main

import (
	"encoding/json"
	"math"
	"slices"
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
			a.printNode(dir, s)
			return nil
		},
	}
	dirFlag(c, &dir)
	return c
}

func (a *app) printNode(dir string, s node.Status) {
	a.printf("node %s   %s   up %s   %s\n", s.PeerID, s.State, formatSpan(time.Since(s.Started)), s.Version)
	a.printf("operator %s   network %s   zone %s   %d peers\n", s.Name, s.Network, s.Zone, s.Peers)
	a.printf("volume   %s used of %s, %s free, %s of %s\n", formatSize(s.Used), formatSize(s.Capacity), formatSize(s.Free), plural(int(s.Shards), "shard"), plural(len(s.Vaults), "vault"))
	if len(s.Volumes) > 1 {
		a.showVolumes(s.Volumes)
	}
	a.printf("trash    %s; %s erased of %s a day\n", formatSize(s.Trash), formatSize(s.Erased), formatSize(s.Budget))
	a.printf("certificate %d until %s\n", s.Serial, s.Expires.Format(time.DateOnly))
	for _, addr := range s.Addrs {
		a.printf("address  %s\n", addr)
	}
	a.printStanding(s)
	if s.Doubt != "" {
		a.printf("%s: until it is set right this node consents to no deletion and erases nothing\n", s.Doubt)
	}
	if s.ClockBad {
		a.printf("the clock is %s from that of the other nodes: set it right\n", formatSpan(time.Duration(math.Abs(s.Skew)*float64(time.Second))))
	}
	for _, one := range s.Alerts {
		a.printf("%s: %s: %s\n", one.Severity, one.Category, one.Text)
		if one.Hint != "" && one.Severity != node.Info {
			a.say("%s", one.Hint)
		}
	}
	switch s.State {
	case node.StateServing:
		a.printf("the node serves; %s\n", next(s.Alerts))
	case node.StatePaused:
		a.printf("the volume is paused: %s\n", s.Reason)
		a.say("mount the disk again and the node goes on; if it is lost, stop the node and: holdfast node resume --dir %s --new-volume --operator FILE", dir)
	default:
		a.printf("the node is %s %s\n", s.State, s.Reason)
	}
}

// next is what the operator of a node that serves has to do.
func next(alerts []node.Alert) string {
	if slices.ContainsFunc(alerts, func(one node.Alert) bool { return one.Severity != node.Info }) {
		return "see the alerts above"
	}
	return "nothing to do"
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
