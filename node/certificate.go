package node

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"holdfast/internal/atomicfile"
	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
)

// The files of a node's folder, beside node.toml.
const (
	NodeKeyName     = "keys/node.key"
	voteKeyName     = "keys/vote.key"
	certificateName = "certificate"
	volumeName      = "volume"
	certificateMax  = ledger.MaxSmall + 1<<10
)

// CertificateLife is how long a node's certificate is good for; RenewBefore is how
// long before its end the operator is told to renew it.
const (
	CertificateLife = 365 * 24 * time.Hour
	RenewBefore     = 30 * 24 * time.Hour
)

// keyring is what stands in a node's folder beside the volume.
type keyring struct {
	node, vote ident.PrivateKey
	cert       ledger.NodeCertificate
	signed     ident.Signed
}

// readKeys reads the keys and the certificate, and checks that they belong together.
func readKeys(dir string) (k keyring, err error) {
	if k, err = readPrivateKeys(dir); err != nil {
		return k, err
	}
	if k.cert, k.signed, err = readCertificate(dir); err != nil {
		return k, err
	}
	if k.cert.Node != k.node.Public() || k.cert.Vote != k.vote.Public() {
		return k, fmt.Errorf("%w: %s", ErrUnfinished, dir)
	}
	return k, nil
}

func readPrivateKeys(dir string) (k keyring, err error) {
	if k.node, _, err = ReadKeyFile(filepath.Join(dir, NodeKeyName), NodeKey); err != nil {
		return k, err
	}
	k.vote, _, err = ReadKeyFile(filepath.Join(dir, voteKeyName), VoteKey)
	return k, err
}

func readCertificate(dir string) (ledger.NodeCertificate, ident.Signed, error) {
	var signed ident.Signed
	path := filepath.Join(dir, certificateName)
	data, err := readSmall(path, certificateMax)
	if errors.Is(err, fs.ErrNotExist) {
		return ledger.NodeCertificate{}, signed, fmt.Errorf("%w: %s", ErrNoCertificate, dir)
	}
	if err != nil {
		return ledger.NodeCertificate{}, signed, fmt.Errorf("read certificate: %w", err)
	}
	if err := wire.Decode(data, &signed); err != nil {
		return ledger.NodeCertificate{}, signed, fmt.Errorf("read certificate %s: %w", path, err)
	}
	cert, err := ledger.VerifyNodeCertificate(signed)
	if err != nil {
		return cert, signed, fmt.Errorf("read certificate %s: %w", path, err)
	}
	return cert, signed, nil
}

// certify has the operator sign a certificate, and keeps it.
func certify(c InitConfig, node, vote ident.PublicKey, serial int64) (ledger.NodeCertificate, error) {
	now := c.Now()
	signed, err := ledger.SignNodeCertificate(c.Operator, ledger.NodeCertificate{
		Network: c.Config.Network, Zone: c.Config.Zone, Name: c.OperatorName,
		Node: node, Vote: vote, Serial: serial,
		Issued: ledger.Millis(now), Expires: ledger.Millis(now.Add(CertificateLife)),
	})
	if err != nil {
		return ledger.NodeCertificate{}, fmt.Errorf("certify node: %w", err)
	}
	if err := writeCertificate(c.Dir, signed); err != nil {
		return ledger.NodeCertificate{}, fmt.Errorf("certify node: %w", err)
	}
	return ledger.VerifyNodeCertificate(signed)
}

func writeCertificate(dir string, signed ident.Signed) error {
	data, err := wire.Encode(signed)
	if err != nil {
		return fmt.Errorf("write certificate: %w", err)
	}
	if err := atomicfile.WriteFile(filepath.Join(dir, certificateName), data, 0o600); err != nil {
		return fmt.Errorf("write certificate: %w", err)
	}
	return nil
}

// Recertify gives a node, which does not run, a certificate for the same keys with
// the next serial and a new time, and returns it.
func Recertify(dir string, operator ident.PrivateKey, operatorName string, now func() time.Time) (cert ledger.NodeCertificate, err error) {
	config, err := readConfig(dir)
	if err != nil {
		return cert, fmt.Errorf("renew certificate: %w", err)
	}
	unlock, err := lockFolder(dir)
	if err != nil {
		return cert, fmt.Errorf("renew certificate: %w", err)
	}
	defer func() { err = errors.Join(err, unlock()) }()
	k, err := readKeys(dir)
	if err != nil {
		return cert, fmt.Errorf("renew certificate: %w", err)
	}
	if k.cert.Operator != operator.Public() {
		return cert, fmt.Errorf("renew certificate: %w: the node belongs to operator %s", ErrKeyFile, k.cert.Operator)
	}
	c := InitConfig{Dir: dir, Config: config, Operator: operator, OperatorName: operatorName, Now: now}
	return certify(c, k.cert.Node, k.cert.Vote, k.cert.Serial+1)
}

// readSmall reads a file of at most limit bytes.
func readSmall(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(p)) > limit {
		err = fmt.Errorf("%s is longer than %d bytes", path, limit)
	}
	return p, err
}
