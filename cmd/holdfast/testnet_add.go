package main

import "github.com/spf13/cobra"

func testnetAdd(a *app) *cobra.Command {
	var dir, operator string
	c := &cobra.Command{
		Use: "add --dir DIR", Short: "add one more node; returns when it is ready", Args: exactly(0),
		Example: "  holdfast testnet add --dir /tmp/net\n  holdfast testnet add --dir /tmp/net --operator op-2",
		RunE: func(c *cobra.Command, _ []string) error {
			n, err := attach(dir)
			if err != nil {
				return err
			}
			name, err := n.Add(c.Context(), operator)
			if err != nil {
				return err
			}
			return a.changed("testnet_add", "add", []string{name})
		},
	}
	networkFlag(c, &dir)
	c.Flags().StringVar(&operator, "operator", "", "whose it is, such as op-9 (default: a new operator's)")
	return c
}
