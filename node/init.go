package node

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/store/disk"
)

// What can stand in the way of a new node or a new volume.
var (
	// ErrNodeExists says that a folder already holds a node.
	ErrNodeExists = errors.New("the folder already holds a node")
	// ErrNoNode says that a folder holds none.
	ErrNoNode = errors.New("no node is in this folder")
	// ErrNoCertificate says that a node has no certificate yet: its operator has not
	// answered its request.
	ErrNoCertificate = errors.New("the node has no certificate yet")
	// ErrUnfinished says that keys and certificate do not belong together: a Renew
	// was interrupted, and has to be repeated.
	ErrUnfinished = errors.New("the certificate is for other keys than those of the node")
)

// InitConfig is what `node init` is told.
type InitConfig struct {
	Dir          string
	Config       Config
	Operator     ident.PrivateKey
	OperatorName string
	Now          func() time.Time
}

// Init makes a node in a folder that holds none: keys, a certificate signed by the
// operator, an empty volume with its marker, and at last node.toml, by which the
// folder is a node's. If it is interrupted, the same call again finishes it: a key
// that was made before has never been used. It returns the certificate.
func Init(c InitConfig) (ledger.NodeCertificate, error) {
	cert, err := initNode(c)
	if err != nil {
		return cert, fmt.Errorf("init node: %w", err)
	}
	return cert, nil
}

func initNode(c InitConfig) (cert ledger.NodeCertificate, err error) {
	if err := checkNew(c.Config); err != nil {
		return cert, err
	}
	unlock, err := lockFolder(c.Dir)
	if err != nil {
		return cert, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if _, err := os.Lstat(filepath.Join(c.Dir, configName)); !errors.Is(err, fs.ErrNotExist) {
		return cert, errors.Join(fmt.Errorf("%w: %s", ErrNodeExists, c.Dir), err)
	}
	node, err := keyFile(filepath.Join(c.Dir, NodeKeyName), NodeKey, c.OperatorName)
	if err != nil {
		return cert, err
	}
	if cert, err = makeVolume(c, node.Public(), 1); err != nil {
		return cert, err
	}
	return cert, writeConfig(c.Dir, c.Config)
}

// checkNew judges the configuration of a node that is to be made.
func checkNew(c Config) error {
	if err := c.Validate(); err != nil {
		return err
	}
	if c.Capacity < MinCapacity {
		return fmt.Errorf("%w: capacity %d is below %d bytes", ErrConfig, c.Capacity, int64(MinCapacity))
	}
	return nil
}

// keyFile reads a key that an interrupted call has left, or makes one.
func keyFile(path string, kind KeyKind, name string) (ident.PrivateKey, error) {
	key, _, err := ReadKeyFile(path, kind)
	if errors.Is(err, fs.ErrNotExist) {
		return GenerateKeyFile(path, kind, name)
	}
	return key, err
}

// makeVolume makes an empty volume for the vote key in the folder, which is made if
// there is none, and has the operator certify that key. The marker comes last.
func makeVolume(c InitConfig, node ident.PublicKey, serial int64) (ledger.NodeCertificate, error) {
	vote, err := keyFile(filepath.Join(c.Dir, voteKeyName), VoteKey, c.OperatorName)
	if err != nil {
		return ledger.NodeCertificate{}, err
	}
	cert, err := certify(c, node, vote.Public(), serial)
	if err != nil {
		return cert, err
	}
	return cert, createVolume(filepath.Join(c.Dir, volumeName), node, vote.Public(), c.Now())
}

func createVolume(dir string, node, vote ident.PublicKey, now time.Time) error {
	if m, err := disk.ReadMarker(dir); err == nil && m.Node == node && m.Vote == vote {
		return nil // an interrupted call has come this far
	}
	if err := vacant(dir); err != nil {
		return err
	}
	marker := disk.Marker{Node: node, Vote: vote, Created: now.Unix()}
	if _, err := rand.Read(marker.Volume[:]); err != nil {
		return err
	}
	return disk.Create(dir, marker)
}
