package node

import (
	"errors"
	"fmt"
	"time"

	"holdfast/internal/armour"
	"holdfast/internal/ident"
	"holdfast/ledger"
)

// labelCertificate is the label of the text (RFC 7468) around a node's certificate.
const labelCertificate = "HOLDFAST NODE CERTIFICATE"

// ErrCertificateFile says that a file holds no certificate that the node could use: it
// is malformed, forged, expired, another node's, or not newer than the one it has.
var ErrCertificateFile = errors.New("not a certificate for this node")

// Certify answers a request: it signs the next certificate, good for life from now on,
// and returns it with its text. The zone is the operator's to say; none is the one that
// the request proposes.
func Certify(r ledger.NodeRequest, operator ident.PrivateKey, name, zone string, now time.Time, life time.Duration) (ledger.NodeCertificate, []byte, error) {
	if zone == "" {
		zone = r.Zone
	}
	signed, err := ledger.SignNodeCertificate(operator, ledger.NodeCertificate{
		Network: r.Network, Zone: zone, Name: name, Node: r.Node, Vote: r.Vote, Serial: r.Serial + 1,
		Issued: ledger.Millis(now), Expires: ledger.Millis(now.Add(life)),
	})
	if err != nil {
		return ledger.NodeCertificate{}, nil, fmt.Errorf("certify node: %w", err)
	}
	cert, err := ledger.VerifyNodeCertificate(signed)
	if err != nil {
		return cert, nil, fmt.Errorf("certify node: %w", err)
	}
	text, err := armour.Encode(labelCertificate, signed)
	return cert, text, err
}

// Install gives the node in dir the certificate in a file. A node that is running takes
// it within a second or so; what it signs and what others know of it goes on. The
// certificate is verified first, and must be newer than the one that the node has.
func Install(dir, path string, now time.Time) (ledger.NodeCertificate, error) {
	text, err := readArmoured(path, ErrCertificateFile)
	if err != nil {
		return ledger.NodeCertificate{}, fmt.Errorf("install certificate: %w", err)
	}
	cert, err := install(dir, text, now)
	if err != nil {
		return cert, fmt.Errorf("install certificate: %w", err)
	}
	return cert, nil
}

func install(dir string, text []byte, now time.Time) (ledger.NodeCertificate, error) {
	c, err := readConfig(dir)
	if err != nil {
		return ledger.NodeCertificate{}, err
	}
	cert, signed, err := parseCertificate(text)
	if err != nil {
		return cert, err
	}
	if err := fits(dir, c, cert, now); err != nil {
		return cert, err
	}
	return cert, writeCertificate(dir, signed)
}

func parseCertificate(text []byte) (cert ledger.NodeCertificate, signed ident.Signed, err error) {
	if err := armour.Decode(labelCertificate, text, &signed); err != nil {
		return cert, signed, fmt.Errorf("%w: %w", ErrCertificateFile, err)
	}
	if cert, err = ledger.VerifyNodeCertificate(signed); err != nil {
		return cert, signed, fmt.Errorf("%w: %w", ErrCertificateFile, err)
	}
	return cert, signed, nil
}

// fits judges a certificate whose signature is right against the node's keys and the
// certificate that it has.
func fits(dir string, c Config, cert ledger.NodeCertificate, now time.Time) error {
	node, vote, err := readPublicKeys(dir)
	if err != nil {
		return err
	}
	switch {
	case cert.Node != node:
		return fmt.Errorf("%w: it is for node %s", ErrCertificateFile, cert.Node)
	case cert.Vote != vote:
		return fmt.Errorf("%w: it is for another vote key; ask for one by a new request", ErrCertificateFile)
	case cert.Network != c.Network:
		return fmt.Errorf("%w: it is for network %s", ErrCertificateFile, cert.Network)
	}
	if err := cert.ValidAt(now); err != nil {
		return fmt.Errorf("%w: %w", ErrCertificateFile, err)
	}
	old, _, err := readCertificate(dir)
	switch {
	case errors.Is(err, ErrNoCertificate):
		return nil
	case err != nil:
		return err
	// SPEC: a node belongs to one operator. Vaults name it by both keys.
	case old.Operator != cert.Operator:
		return fmt.Errorf("%w: it is by operator %s, and the node belongs to %s", ErrCertificateFile, cert.Operator, old.Operator)
	case cert.Serial <= old.Serial:
		return fmt.Errorf("%w: its serial is %d, and the node has %d", ErrCertificateFile, cert.Serial, old.Serial)
	}
	return nil
}

func readPublicKeys(dir string) (node, vote ident.PublicKey, err error) {
	k, err := readPrivateKeys(dir)
	if err != nil {
		return node, vote, err
	}
	return k.node.Public(), k.vote.Public(), nil
}
