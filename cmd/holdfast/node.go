package main

import (
	"github.com/spf13/cobra"
)

func nodeCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use: "node", Short: "run a node: contribute disk", GroupID: groupOperator,
		Example: "  holdfast node init --dir /srv/holdfast --operator operator.key --capacity 500GB \\\n    --zone rack-1 --listen /ip4/0.0.0.0/tcp/4710 --bootstrap ADDR --network NAME\n  holdfast node run --dir /srv/holdfast\n  holdfast node status --dir /srv/holdfast",
	}
	c.AddCommand(nodeInit(a), nodeRun(a), nodeStatus(a), nodeScrub(a), nodeResume(a), nodeVolume(a),
		nodeRequest(a), nodeCertificate(a), nodeAllow(a), nodePause(a), nodeDoctor(a),
		nodeCanStop(a), nodeDrain(a))
	return group(c)
}

func dirFlag(c *cobra.Command, dir *string) {
	c.Flags().StringVar(dir, "dir", "", "the node's folder")
}

func needDir(dir string) error {
	if dir == "" {
		return usagef("--dir is needed")
	}
	return nil
}
