package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"holdfast/internal/armour"
	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/store/disk"
)

// This file holds how a node asks for a certificate of an operator whose key is kept
// offline: on another machine, or in a safe.

// labelRequest is the label of the text (RFC 7468) around a node request.
const labelRequest = "HOLDFAST NODE REQUEST"

// ErrRequest says that a file holds no request for a node's certificate, or one that
// does not verify.
var ErrRequest = errors.New("not a request for a node's certificate")

// Prepare makes a node in a folder that holds none, as Init does, but for the
// certificate: the operator's key is not needed. The node runs once it has the
// certificate that Request asks for. If it is interrupted, the same call again finishes
// it.
func Prepare(dir string, config Config, now func() time.Time) (err error) {
	if err := checkNew(config); err != nil {
		return fmt.Errorf("prepare node: %w", err)
	}
	unlock, err := lockFolder(dir)
	if err != nil {
		return fmt.Errorf("prepare node: %w", err)
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if err := prepare(dir, config, now()); err != nil {
		return fmt.Errorf("prepare node: %w", err)
	}
	return nil
}

func prepare(dir string, config Config, now time.Time) error {
	if _, err := os.Lstat(filepath.Join(dir, configName)); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(fmt.Errorf("%w: %s", ErrNodeExists, dir), err)
	}
	node, err := keyFile(filepath.Join(dir, NodeKeyName), NodeKey, config.Network)
	if err != nil {
		return err
	}
	if err := prepareVolume(dir, node.Public(), config.Network, now); err != nil {
		return err
	}
	return writeConfig(dir, config)
}

// prepareVolume makes a vote key, if there is none, and an empty volume for it.
func prepareVolume(dir string, node ident.PublicKey, name string, now time.Time) error {
	vote, err := keyFile(filepath.Join(dir, voteKeyName), VoteKey, name)
	if err != nil {
		return err
	}
	return createVolume(filepath.Join(dir, volumeName), node, vote.Public(), now)
}

// PrepareVolume gives a node, which does not run, a new and empty volume in place of
// one that is lost, as Renew does, but for the certificate: until it has the one that
// Request asks for, the node does not run.
func PrepareVolume(dir string, now func() time.Time) (err error) {
	c, err := readConfig(dir)
	if err != nil {
		return fmt.Errorf("prepare volume: %w", err)
	}
	unlock, err := lockFolder(dir)
	if err != nil {
		return fmt.Errorf("prepare volume: %w", err)
	}
	defer func() { err = errors.Join(err, unlock()) }()
	old, _, err := readCertificate(dir)
	if err == nil {
		err = lost(dir)
	}
	if err == nil {
		err = retire(dir, old)
	}
	if err == nil {
		err = prepareVolume(dir, old.Node, c.Network, now())
	}
	if err != nil {
		return fmt.Errorf("prepare volume: %w", err)
	}
	return nil
}

// lost refuses a volume that is still there.
func lost(dir string) error {
	volume := filepath.Join(dir, volumeName)
	if _, err := disk.ReadMarker(volume); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(fmt.Errorf("%w: %s", ErrVolumeInUse, volume), err)
	}
	return vacant(volume)
}

// Request returns the text that the operator certifies, for the node in dir: one that
// Prepare has made, or one that needs its next certificate. The node may be running.
func Request(dir string, now func() time.Time) (ledger.NodeRequest, []byte, error) {
	r, text, err := request(dir, now())
	if err != nil {
		return r, nil, fmt.Errorf("request certificate: %w", err)
	}
	return r, text, nil
}

func request(dir string, now time.Time) (r ledger.NodeRequest, text []byte, err error) {
	c, err := readConfig(dir)
	if err != nil {
		return r, nil, err
	}
	node, _, err := ReadKeyFile(filepath.Join(dir, NodeKeyName), NodeKey)
	if err != nil {
		return r, nil, err
	}
	vote, _, err := ReadKeyFile(filepath.Join(dir, voteKeyName), VoteKey)
	if err != nil {
		return r, nil, err
	}
	r = ledger.NodeRequest{Network: c.Network, Zone: c.Zone, Created: ledger.Millis(now)}
	cert, _, err := readCertificate(dir)
	if err == nil {
		r.Serial, r.Zone = cert.Serial, cert.Zone // it is the operator who says where the node is
	} else if !errors.Is(err, ErrNoCertificate) {
		return r, nil, err
	}
	signed, err := ledger.SignNodeRequest(node, vote, r)
	if err != nil {
		return r, nil, err
	}
	if r, err = ledger.VerifyNodeRequest(signed); err != nil {
		return r, nil, err
	}
	text, err = armour.Encode(labelRequest, signed)
	return r, text, err
}

// ReadRequest reads and verifies a request. What it says is the node's word: the
// operator compares the node's key with what he sees on that machine.
func ReadRequest(path string) (ledger.NodeRequest, error) {
	text, err := readArmoured(path, ErrRequest)
	if err != nil {
		return ledger.NodeRequest{}, fmt.Errorf("read node request: %w", err)
	}
	return parseRequest(text)
}

func parseRequest(text []byte) (ledger.NodeRequest, error) {
	var signed ident.Signed
	if err := armour.Decode(labelRequest, text, &signed); err != nil {
		return ledger.NodeRequest{}, fmt.Errorf("read node request: %w: %w", ErrRequest, err)
	}
	r, err := ledger.VerifyNodeRequest(signed)
	if err != nil {
		return ledger.NodeRequest{}, fmt.Errorf("read node request: %w: %w", ErrRequest, err)
	}
	return r, nil
}

// readArmoured reads a text that one of this package's commands has written. What is no
// such text is of the kind that the caller says.
func readArmoured(path string, kind error) ([]byte, error) {
	text, err := armour.ReadFile(path)
	if errors.Is(err, armour.ErrArmour) {
		err = fmt.Errorf("%w: %w", kind, err)
	}
	return text, err
}
