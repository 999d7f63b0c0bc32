package main

import (
	"errors"
	"io/fs"

	"github.com/spf13/cobra"

	"holdfast/node"
)

func operatorCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use: "operator", Short: "be an operator: the person or organisation that runs nodes",
		GroupID: groupOperator, Example: "  holdfast operator init --key operator.key --name example-org",
	}
	c.AddCommand(operatorInit(a), operatorCertify(a), operatorGrant(a))
	return group(c)
}

func operatorInit(a *app) *cobra.Command {
	var file, name string
	c := &cobra.Command{
		Use: "init --key FILE --name NAME", Short: "make an operator's key",
		Long:    "Makes the key that certifies your nodes. It can be kept offline: holdfast node request and\nholdfast operator certify carry what it signs to and fro.",
		Example: "  holdfast operator init --key operator.key --name example-org",
		Args:    exactly(0),
		RunE: func(*cobra.Command, []string) error {
			if file == "" || name == "" {
				return usagef("--key and --name are needed")
			}
			key, err := node.GenerateKeyFile(file, node.OperatorKey, name)
			if errors.Is(err, fs.ErrExist) {
				return withHint(err, exitUsage, "name another file; a key is never overwritten")
			}
			if err != nil {
				return err
			}
			if a.json {
				a.emit(map[string]any{"message_type": "operator", "name": name, "operator": key.Public().String(), "key_file": file})
				return nil
			}
			a.printf("operator %s %s\n", name, key.Public())
			a.say("wrote %s: keep it secret and keep a copy; next: holdfast node init --operator %s", file, file)
			return nil
		},
	}
	c.Flags().StringVar(&file, "key", "", "where to write the key")
	c.Flags().StringVar(&name, "name", "", "what merchants see")
	return c
}
