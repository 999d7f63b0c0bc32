package main

import (
	"time"

	"github.com/spf13/cobra"

	"holdfast/ledger"
	"holdfast/node"
	"holdfast/p2p"
)

// certifyFlags are those of operator certify, for a request or for a node's folder.
type certifyFlags struct {
	key, dir, out, zone, life string
}

func operatorCertify(a *app) *cobra.Command {
	var f certifyFlags
	c := &cobra.Command{
		Use: "certify [REQUEST] --key FILE (--out FILE | --dir DIR)", Short: "certify a node, or renew its certificate", Args: between(0, 1),
		Long:    "Answers the request of a node with its next certificate, on any machine: the operator's key\nneed never be on the node's. Compare the node that is shown with what that machine says.\nWith --dir it renews the certificate of a node in a folder here, which must not be running.",
		Example: "  holdfast operator certify node.req --key operator.key --zone rack-1 --out node.cert\n  holdfast operator certify --key operator.key --dir /srv/holdfast",
		RunE: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) == 1 && f.key != "" && f.out != "" && f.dir == "":
				return a.certifyRequest(f, args[0])
			case len(args) == 0 && f.key != "" && f.dir != "" && f.out == "" && f.zone == "" && f.life == "":
				return a.recertify(f)
			}
			return usagef("--key and --dir are needed, or a request with --key and --out")
		},
	}
	c.Flags().StringVar(&f.key, "key", "", "the operator's key file")
	c.Flags().StringVar(&f.dir, "dir", "", "the folder of a node on this machine")
	c.Flags().StringVar(&f.out, "out", "", "where to write the certificate")
	c.Flags().StringVar(&f.zone, "zone", "", "what fails together with the node; as the request proposes if it is not given")
	c.Flags().StringVar(&f.life, "for", "", "how long the certificate is good for, as 90d; a year if it is not given")
	return c
}

func (a *app) certifyRequest(f certifyFlags, path string) error {
	life := node.CertificateLife
	var err error
	if f.life != "" {
		if life, err = parseSpan(f.life); err == nil && life < time.Millisecond {
			err = usagef("--for is too short: %s", f.life)
		}
		if err != nil {
			return err
		}
	}
	key, name, err := node.ReadKeyFile(f.key, node.OperatorKey)
	if err != nil {
		return err
	}
	r, err := node.ReadRequest(path)
	if err != nil {
		return err
	}
	cert, text, err := node.Certify(r, key, name, f.zone, time.Now(), life)
	if err != nil {
		return err
	}
	if err := replaceKind(f.out, text); err != nil {
		return err
	}
	a.certified(cert, map[string]any{"file": f.out})
	if f.zone == "" {
		a.say("zone %s is what the node proposes; --zone certifies another", cert.Zone)
	}
	a.say("next, on the node's machine: holdfast node certificate %s --dir DIR", f.out)
	return nil
}

func (a *app) recertify(f certifyFlags) error {
	key, name, err := node.ReadKeyFile(f.key, node.OperatorKey)
	if err != nil {
		return err
	}
	cert, err := node.Recertify(f.dir, key, name, time.Now)
	if err != nil {
		return err
	}
	a.certified(cert, map[string]any{"dir": f.dir})
	a.say("next: holdfast node run --dir %s", f.dir)
	return nil
}

// certified prints a new certificate.
func (a *app) certified(cert ledger.NodeCertificate, fields map[string]any) {
	expires := time.UnixMilli(cert.Expires)
	if a.json {
		fields["message_type"], fields["node"], fields["serial"], fields["certificate_expires"] = "operator_certify", cert.Node.String(), cert.Serial, expires
		fields["network"], fields["zone"], fields["operator"] = cert.Network, cert.Zone, cert.Operator.String()
		a.emit(fields)
		return
	}
	a.printf("node %s has certificate %d, good until %s\n", p2p.PeerID(cert.Node), cert.Serial, expires.Format(time.DateOnly))
	a.printf("operator %s   network %s   zone %s\n", cert.Name, cert.Network, cert.Zone)
}
