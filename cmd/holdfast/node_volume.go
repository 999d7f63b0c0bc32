package main

import (
	"context"
	"errors"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/node"
)

func nodeVolume(a *app) *cobra.Command {
	c := &cobra.Command{
		Use: "volume", Short: "add, resize, empty and remove the disks of a node",
		Long:    "A node keeps shards on several disks, each with a marker. The volume \"main\" is the one in the node's folder and has the\nledgers as well; the others hold shards alone, and each can be away without hurting the rest. The verbs work while the node\nruns, and while it does not.",
		Example: "  holdfast node volume add /mnt/disk2 --dir /srv/holdfast --size 4TB\n  holdfast node volume list --dir /srv/holdfast\n  holdfast node volume drain disk2 --dir /srv/holdfast\n  holdfast node volume remove disk2 --dir /srv/holdfast",
	}
	c.AddCommand(
		volumeAdd(a), volumeList(a), volumeResize(a),
		volumeVerb(a, node.VolumeDrain, "move what is on a volume to the others", "Takes nothing new from now on, and moves its shards to the other volumes, each verified there before it is removed here. It\ngoes on after a restart. When the list says \"drained\" the volume can be removed; resume takes the drain back."),
		volumeVerb(a, node.VolumePause, "close a volume, so that its disk can be taken out", "While it is paused the node says of its shards neither that they are there nor that they are not."),
		volumeVerb(a, node.VolumeResume, "end a pause or a drain", ""),
		volumeRemove(a),
	)
	return group(c)
}

func volumeAdd(a *app) *cobra.Command {
	var dir, name, size string
	c := &cobra.Command{
		Use: "add PATH --dir DIR --size SIZE", Short: "offer another disk", Args: exactly(1),
		Long:    "Makes an empty volume at PATH, which should be the mount point of a disk of its own. A volume of this node that is there\nalready is taken as it is.",
		Example: "  holdfast node volume add /mnt/disk2 --dir /srv/holdfast --size 4TB",
		RunE: func(c *cobra.Command, args []string) error {
			if size == "" {
				return usagef("--size is needed")
			}
			capacity, err := parseOffer(size)
			if err != nil {
				return err
			}
			path, err := filepath.Abs(args[0])
			if err != nil {
				return err
			}
			if name == "" {
				name = strings.ToLower(filepath.Base(path))
			}
			return a.changeVolume(c.Context(), dir, node.VolumeChange{Do: node.VolumeAdd, Name: name, Path: path, Capacity: capacity})
		},
	}
	dirFlag(c, &dir)
	c.Flags().StringVar(&name, "name", "", "of the volume: a-z, 0-9 and -; the last part of PATH if it is not given")
	c.Flags().StringVar(&size, "size", "", "how much of the disk to offer, as 4TB")
	return c
}

func volumeResize(a *app) *cobra.Command {
	var dir, size string
	c := &cobra.Command{
		Use: "resize NAME --dir DIR --size SIZE", Short: "offer more or less of a disk", Args: exactly(1),
		Long:    "Holds at once. What is there stays, if it is more: nothing new comes until it is less.",
		Example: "  holdfast node volume resize main --dir /srv/holdfast --size 500GB",
		RunE: func(c *cobra.Command, args []string) error {
			if size == "" {
				return usagef("--size is needed")
			}
			capacity, err := parseOffer(size)
			if err != nil {
				return err
			}
			return a.changeVolume(c.Context(), dir, node.VolumeChange{Do: node.VolumeResize, Name: args[0], Capacity: capacity})
		},
	}
	dirFlag(c, &dir)
	c.Flags().StringVar(&size, "size", "", "how much of the disk to offer, as 4TB")
	return c
}

func volumeVerb(a *app, do node.VolumeVerb, short, long string) *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use: string(do) + " NAME --dir DIR", Short: short, Long: long, Args: exactly(1),
		Example: "  holdfast node volume " + string(do) + " disk2 --dir /srv/holdfast",
		RunE: func(c *cobra.Command, args []string) error {
			return a.changeVolume(c.Context(), dir, node.VolumeChange{Do: do, Name: args[0]})
		},
	}
	dirFlag(c, &dir)
	return c
}

func volumeRemove(a *app) *cobra.Command {
	var dir string
	var lost bool
	c := &cobra.Command{
		Use: "remove NAME --dir DIR", Short: "end the use of a volume that is drained, or lost", Args: exactly(1),
		Long:    "A volume that still has shards is not removed: drain it first. With --lost, one whose disk is gone for good: the node then\nsays that its shards are missing, and the network makes them again. Nothing on the disk is changed.",
		Example: "  holdfast node volume remove disk2 --dir /srv/holdfast",
		RunE: func(c *cobra.Command, args []string) error {
			return a.changeVolume(c.Context(), dir, node.VolumeChange{Do: node.VolumeRemove, Name: args[0], Lost: lost})
		},
	}
	dirFlag(c, &dir)
	c.Flags().BoolVar(&lost, "lost", false, "the disk is gone for good, with what was on it")
	return c
}

func volumeList(a *app) *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use: "list --dir DIR", Short: "show the volumes of a node", Args: exactly(0),
		Example: "  holdfast node volume list --dir /srv/holdfast",
		RunE: func(c *cobra.Command, _ []string) error {
			if err := needDir(dir); err != nil {
				return err
			}
			s, err := node.Ask(c.Context(), dir)
			if errors.Is(err, node.ErrNotRunning) {
				s.Volumes, err = node.VolumesOf(dir)
				a.say("the node does not run: this is what node.toml says")
			}
			if err != nil {
				return err
			}
			a.showVolumes(s.Volumes)
			return nil
		},
	}
	dirFlag(c, &dir)
	return c
}

func (a *app) changeVolume(ctx context.Context, dir string, ch node.VolumeChange) error {
	if err := needDir(dir); err != nil {
		return err
	}
	all, err := node.ChangeVolume(ctx, dir, ch)
	if err != nil {
		return err
	}
	a.showVolumes(all)
	return nil
}

func (a *app) showVolumes(all []node.VolumeStatus) {
	if a.json {
		a.emit(map[string]any{"message_type": "node_volumes", "volumes": all})
		return
	}
	a.printf("%-12s %10s %10s %10s %10s %8s  %-9s %s\n", "volume", "size", "used", "trash", "free", "shards", "state", "path")
	for _, v := range all {
		a.printf("%-12s %10s %10s %10s %10s %8d  %-9s %s\n",
			v.Name, formatSize(v.Capacity), formatSize(v.Used), formatSize(v.Trash), formatSize(v.Free), v.Shards, v.State, v.Path)
		if v.Reason != "" {
			a.printf("%-12s %s\n", "", v.Reason)
		}
	}
}

// parseOffer reads how much of a disk is offered.
func parseOffer(size string) (int64, error) {
	n, err := parseSize(size)
	switch {
	case err != nil:
		return 0, err
	case n < node.MinCapacity:
		return 0, usagef("--size: %s is too little; %s is the least", size, formatSize(node.MinCapacity))
	case n > node.MaxCapacity:
		return 0, usagef("--size: %s is too much; %s is the most", size, formatSize(node.MaxCapacity))
	}
	return n, nil
}
