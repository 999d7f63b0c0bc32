package main

import (
	"errors"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"holdfast/node"
	"holdfast/p2p"
)

func operatorCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use: "operator", Short: "be an operator: the person or organisation that runs nodes",
		GroupID: groupOperator, Example: "  holdfast operator init --key operator.key --name example-org",
	}
	c.AddCommand(operatorInit(a), operatorCertify(a))
	return group(c)
}

func operatorCertify(a *app) *cobra.Command {
	var file, dir string
	c := &cobra.Command{
		Use: "certify --key FILE --dir DIR", Short: "renew the certificate of a node", Args: exactly(0),
		Long:    "A node's certificate is good for a year. This makes the next one for the same node, which\nmust not be running.",
		Example: "  holdfast operator certify --key operator.key --dir /srv/holdfast",
		RunE: func(*cobra.Command, []string) error {
			if file == "" || dir == "" {
				return usagef("--key and --dir are needed")
			}
			key, name, err := node.ReadKeyFile(file, node.OperatorKey)
			if err != nil {
				return err
			}
			cert, err := node.Recertify(dir, key, name, time.Now)
			if err != nil {
				return err
			}
			expires := time.UnixMilli(cert.Expires)
			if a.json {
				a.emit(map[string]any{"message_type": "operator_certify", "dir": dir, "node": cert.Node.String(), "serial": cert.Serial, "certificate_expires": expires})
				return nil
			}
			a.printf("node %s has certificate %d, good until %s\n", p2p.PeerID(cert.Node), cert.Serial, expires.Format(time.DateOnly))
			a.say("next: holdfast node run --dir %s", dir)
			return nil
		},
	}
	c.Flags().StringVar(&file, "key", "", "the operator's key file")
	c.Flags().StringVar(&dir, "dir", "", "the node's folder")
	return c
}

func operatorInit(a *app) *cobra.Command {
	var file, name string
	c := &cobra.Command{
		Use: "init --key FILE --name NAME", Short: "make an operator's key",
		Long:    "Makes the key that certifies your nodes. It is needed when a node is made or gets a new\nvolume, and can be kept offline otherwise.",
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
