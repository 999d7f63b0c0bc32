package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"holdfast/internal/atomicfile"
	"holdfast/ledger/member"
	"holdfast/store"
	"holdfast/store/disk"
)

// parts are what a volume holds, opened together and closed together.
type parts struct {
	dir    string
	shelf  *disk.Disk
	book   *book
	member *member.Store

	users sync.WaitGroup // operations that are using it
	gone  chan struct{}  // closed when the volume is not there any more
}

// The names of what stands on a volume beside the shelf's own folders.
const (
	bookName   = "book.db"
	ledgerName = "ledger"
)

// openParts opens the volume of a node. If it is not there, or belongs to another
// node or vote key, the error is store.ErrPaused and nothing was written.
func (n *Node) openParts(ctx context.Context) (*parts, error) {
	dir := filepath.Join(n.dir, volumeName)
	marker, err := disk.ReadMarker(dir)
	if err != nil {
		return nil, fmt.Errorf("%w (%w)", store.ErrPaused, err)
	}
	if marker.Node != n.keys.cert.Node || marker.Vote != n.keys.cert.Vote {
		return nil, fmt.Errorf("%w: %s belongs to another node or vote key", store.ErrPaused, dir)
	}
	p := &parts{dir: dir, gone: make(chan struct{})}
	if err := n.fill(ctx, p, dir, marker.Volume); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

func (n *Node) fill(ctx context.Context, p *parts, dir string, id disk.VolumeID) (err error) {
	p.shelf, err = disk.Open(ctx, disk.Config{Dir: dir, Capacity: n.config.Capacity, Volume: id, Now: n.now, Report: n.meters.report(n.log)})
	if err != nil {
		return err
	}
	if p.book, err = openBook(filepath.Join(dir, bookName), bookHold, n.now); err != nil {
		return err
	}
	p.member, err = n.openMember(dir, member.Config{
		Dir: filepath.Join(dir, ledgerName), Operator: n.keys.cert.Operator, Node: n.keys.cert.Node, Vote: n.keys.vote, Now: n.now, Log: n.log,
		Doubt: n.clock.doubt,
	})
	return err
}

// ledgerMade stands on a volume since its ledgers were first opened: from then on a
// volume without them is one that has lost them.
const ledgerMade = "ledger-made"

// openMember opens the ledgers. If they are gone, so is the memory of this node's
// votes, and the volume is as good as gone. If only their database is lost it is made
// again from the files: this node then serves what they prove, and votes no more
// under its key.
func (n *Node) openMember(volume string, c member.Config) (*member.Store, error) {
	mark := filepath.Join(volume, ledgerMade)
	_, err := os.Lstat(mark)
	made := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if left, err := os.ReadDir(c.Dir); made && len(left) == 0 {
		return nil, errors.Join(fmt.Errorf("%w: its ledgers are gone, and with them the memory of this node's votes", store.ErrPaused), err)
	}
	s, err := member.Open(c)
	if errors.Is(err, member.ErrNoIndex) {
		s, err = n.rebuildMember(c)
	}
	if err != nil || made {
		return s, err
	}
	if err := atomicfile.WriteFile(mark, nil, 0o600); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (n *Node) rebuildMember(c member.Config) (*member.Store, error) {
	found, err := member.Rebuild(c)
	if err != nil {
		return nil, err
	}
	n.log.Error("the memory of this node's votes was lost: it votes no more for the vaults it has", "vaults", found.Vaults, "entries", found.Entries)
	return member.Open(c)
}

// close closes whatever is open.
func (p *parts) close() error {
	var err error
	if p.member != nil {
		err = errors.Join(err, p.member.Close())
	}
	if p.book != nil {
		err = errors.Join(err, p.book.close())
	}
	if p.shelf != nil {
		err = errors.Join(err, p.shelf.Close())
	}
	return err
}
