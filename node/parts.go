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
	"holdfast/node/audit"
	"holdfast/store"
	"holdfast/store/disk"
	"holdfast/store/pool"
)

// parts are what a volume holds, opened together and closed together.
type parts struct {
	dir    string
	first  *disk.Disk // the main volume, which has book and ledger as well
	disks  *disks     // the others
	shelf  *pool.Pool // of all volumes
	book   *book
	member *member.Store
	board  *audit.Board

	users sync.WaitGroup // operations that are using it
	gone  chan struct{}  // closed when the volume is not there any more
}

// isGone reports whether the volume is not there any more.
func (p *parts) isGone() bool {
	select {
	case <-p.gone:
		return true
	default:
		return false
	}
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
	if p.first, err = n.openDisk(ctx, MainVolume, disk.Config{Dir: dir, Capacity: n.config.Capacity, Volume: id}); err != nil {
		return err
	}
	if err := n.openPool(ctx, p); err != nil {
		return err
	}
	if p.book, err = openBook(filepath.Join(dir, bookName), bookHold, n.now); err != nil {
		return err
	}
	p.member, err = n.openMember(dir, member.Config{
		Dir: filepath.Join(dir, ledgerName), Operator: n.keys.cert.Operator, Node: n.keys.cert.Node, Vote: n.keys.vote, Now: n.now, Log: n.log,
		Doubt: n.clock.doubt,
	})
	if err != nil {
		return err
	}
	p.board, err = audit.OpenBoard(filepath.Join(dir, boardName), n.auditRules())
	return err
}

// reported takes what the shelf of a volume has found out.
func (n *Node) reported(volume string) func(disk.Event) {
	count := n.meters.report(n.log, volume)
	return func(e disk.Event) {
		count(e)
		n.spoiled.report(e)
	}
}

// openDisk opens one volume's shelf.
func (n *Node) openDisk(ctx context.Context, name string, c disk.Config) (*disk.Disk, error) {
	c.Now, c.Report = n.now, n.reported(name)
	return disk.Open(ctx, c)
}

// openPool makes one shelf of the main volume and the others. That one of those is not
// there is no error.
func (n *Node) openPool(ctx context.Context, p *parts) error {
	p.shelf = pool.New()
	if err := p.shelf.Add(pool.Volume{Name: MainVolume, Free: func(u store.Usage) int64 { return freeSpace(p.dir, u) }}); err != nil {
		return err
	}
	if err := p.shelf.Attach(MainVolume, p.first); err != nil {
		return err
	}
	p.disks = &disks{
		settings: n.volumes, pool: p.shelf, main: p.first, node: n.keys.cert.Node, log: n.log,
		open: func(ctx context.Context, v VolumeConfig, id disk.VolumeID) (*disk.Disk, error) {
			return n.openDisk(ctx, v.Name, disk.Config{Dir: v.Path, Capacity: v.Capacity, Volume: id})
		},
		back:  n.diskIsBack,
		there: map[string]*disk.Disk{}, away: map[string]string{},
	}
	return p.disks.follow(ctx)
}

// diskIsBack is called when a volume is there that was not: the book may not know what is
// on it.
func (n *Node) diskIsBack() {
	if n.repairs != nil { // it is nil while the node is being opened, and then runs at once
		n.repairs.Trigger()
		n.drains.Trigger()
	}
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
	if p.board != nil {
		err = errors.Join(err, p.board.Close())
	}
	if p.member != nil {
		err = errors.Join(err, p.member.Close())
	}
	if p.book != nil {
		err = errors.Join(err, p.book.close())
	}
	if p.disks != nil {
		err = errors.Join(err, p.disks.close())
	}
	if p.first != nil {
		err = errors.Join(err, p.first.Close())
	}
	return err
}
