package main

import (
	"context"

	"github.com/spf13/cobra"

	"holdfast/testnet"
	"holdfast/testnet/web"
)

func testnetWeb(a *app) *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use: "web --dir DIR", Short: "show a network in a browser, with buttons to break and heal it", Args: exactly(0),
		Long:    "Serves a page at a free port of 127.0.0.1 until it is interrupted; the nodes go on. The address\nholds a secret: whoever knows it can break the network.",
		Example: "  holdfast testnet web --dir /tmp/net",
		RunE: func(c *cobra.Command, _ []string) error {
			if _, err := attach(dir); err != nil {
				return err
			}
			return a.showNetwork(c.Context(), dir)
		},
	}
	networkFlag(c, &dir)
	return c
}

// showNetwork serves the page of the network in dir until ctx ends, which is its
// ordinary end.
func (a *app) showNetwork(ctx context.Context, dir string) error {
	s, err := web.Open(web.Config{Network: func() (*testnet.Network, error) { return attach(dir) }})
	if err != nil {
		return err
	}
	if a.json {
		a.emit(map[string]any{"message_type": "testnet_web", "url": s.URL()})
	} else {
		a.printf("%s\n", s.URL())
		a.say("open this address in a browser of this machine; Ctrl-C ends the page, the nodes go on until: holdfast testnet down --dir %s", dir)
	}
	return s.Serve(ctx)
}
