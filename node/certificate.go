package node

import (
	"fmt"
	"io"
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

// CertificateLife is how long a node's certificate is good for.
const CertificateLife = 365 * 24 * time.Hour

// keyring is what stands in a node's folder beside the volume.
type keyring struct {
	node, vote ident.PrivateKey
	cert       ledger.NodeCertificate
	signed     ident.Signed
}

// readKeys reads the keys and the certificate, and checks that they belong together.
func readKeys(dir string) (k keyring, err error) {
	if k.node, _, err = ReadKeyFile(filepath.Join(dir, NodeKeyName), NodeKey); err != nil {
		return k, err
	}
	if k.vote, _, err = ReadKeyFile(filepath.Join(dir, voteKeyName), VoteKey); err != nil {
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

func readCertificate(dir string) (ledger.NodeCertificate, ident.Signed, error) {
	var signed ident.Signed
	path := filepath.Join(dir, certificateName)
	data, err := readSmall(path, certificateMax)
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
func certify(dir string, operator ident.PrivateKey, c ledger.NodeCertificate) (ledger.NodeCertificate, error) {
	signed, err := ledger.SignNodeCertificate(operator, c)
	if err != nil {
		return c, fmt.Errorf("certify node: %w", err)
	}
	data, err := wire.Encode(signed)
	if err != nil {
		return c, fmt.Errorf("certify node: %w", err)
	}
	if err := atomicfile.WriteFile(filepath.Join(dir, certificateName), data, 0o600); err != nil {
		return c, fmt.Errorf("certify node: %w", err)
	}
	return ledger.VerifyNodeCertificate(signed)
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
