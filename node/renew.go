package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/store/disk"
)

// ErrVolumeInUse says that a volume was to be replaced that is not lost.
var ErrVolumeInUse = errors.New("the volume is still there")

// Renew gives a node, which does not run, a new and empty volume in place of one
// that is lost: with a new vote key, a certificate with the next serial, and a
// marker. Who lost the ledger on a volume must never vote again under the key that
// signed it. It refuses while anything of the old volume is there. If it is
// interrupted, the same call again finishes it.
func Renew(dir string, operator ident.PrivateKey, operatorName string, now func() time.Time) (ledger.NodeCertificate, error) {
	cert, err := renew(InitConfig{Dir: dir, Operator: operator, OperatorName: operatorName, Now: now})
	if err != nil {
		return cert, fmt.Errorf("renew volume: %w", err)
	}
	return cert, nil
}

func renew(c InitConfig) (cert ledger.NodeCertificate, err error) {
	if c.Config, err = readConfig(c.Dir); err != nil {
		return cert, err
	}
	unlock, err := lockFolder(c.Dir)
	if err != nil {
		return cert, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	old, _, err := readCertificate(c.Dir)
	if err != nil {
		return cert, err
	}
	if old.Operator != c.Operator.Public() {
		return cert, fmt.Errorf("%w: the node belongs to operator %s", ErrKeyFile, old.Operator)
	}
	if err := lost(c.Dir); err != nil {
		return cert, err
	}
	if err := retire(c.Dir, old); err != nil {
		return cert, err
	}
	return makeVolume(c, old.Node, old.Serial+1)
}

// retire puts the certified vote key out of use. A key that is not the certified
// one was made by a call that was interrupted, and is still new.
func retire(dir string, old ledger.NodeCertificate) error {
	path := filepath.Join(dir, voteKeyName)
	vote, _, err := ReadKeyFile(path, VoteKey)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case vote.Public() != old.Vote:
		return nil
	}
	return os.Rename(path, fmt.Sprintf("%s.retired-%d", path, old.Serial))
}

// vacant refuses a folder with anything that a used volume may hold. What an
// interrupted disk.Create leaves is allowed: that call looks into it itself.
func vacant(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		switch name := e.Name(); {
		case name == "shards", name == "tmp", name == "quarantine", name == "trash", name == "index.db", name == "lost+found":
		case strings.HasPrefix(name, "."+disk.MarkerName+".") && strings.HasSuffix(name, ".tmp"):
		default:
			return fmt.Errorf("%w: %s is in the way", ErrVolumeInUse, filepath.Join(dir, name))
		}
	}
	return nil
}
