package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/store"
)

// Config says which volume to open and how.
type Config struct {
	Dir      string   // of the volume, as given to Create
	Capacity int64    // bytes that shards may take, files as a whole
	Volume   VolumeID // the one that has to be there

	// Report is told what somebody has to act upon; it must not block and must not
	// call the shelf. It may be nil.
	Report func(Event)

	// FlushEvery is how long changes of the index may wait; zero is 5 seconds.
	FlushEvery time.Duration

	// Now dates files in quarantine; nil is time.Now.
	Now func() time.Time

	files filesystem // nil is the operating system's
}

const defaultFlushEvery = 5 * time.Second

// Disk is a shelf of shards on one volume.
type Disk struct {
	config  Config
	at      layout
	marker  Marker
	files   filesystem
	volume  *volume
	index   *index
	folders *folders
	space   space
	locks   locks
	stale   atomic.Bool
	temp    atomic.Uint64 // the last number given out for a name in tmp/
	buffers sync.Pool     // of *[bufferSize]byte

	life   sync.RWMutex // held for reading while volume or index are used
	closed bool
	stop   chan struct{}
	loop   sync.WaitGroup
}

var (
	_ store.Shelf = (*Disk)(nil)
	_ store.Trash = (*Disk)(nil)
)

// Open opens a volume that Create has made, alone: a second opener gets ErrInUse.
// If the volume is not there, or another one is, the error is store.ErrPaused. It
// reads the marker, the index's totals, what a crash may have left in tmp/, and the
// names in the trash, never the shards. An index that is found damaged is put aside for a new, stale one.
// The caller closes it.
func Open(ctx context.Context, config Config) (*Disk, error) {
	d, err := open(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open volume %s: %w", config.Dir, err)
	}
	d.loop.Go(d.flushLoop)
	return d, nil
}

func open(ctx context.Context, config Config) (*Disk, error) {
	if config.FlushEvery == 0 {
		config.FlushEvery = defaultFlushEvery
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.files == nil {
		config.files = osFiles{}
	}
	if config.Capacity < 0 {
		return nil, fmt.Errorf("negative capacity %d", config.Capacity)
	}
	d := &Disk{config: config, at: layout{config.Dir}, files: config.files, stop: make(chan struct{})}
	d.space.capacity = config.Capacity
	// Names in tmp/ are unlike those of the runs before, of which a few may be left.
	d.temp.Store(rand.Uint64())
	d.buffers.New = func() any { return newBuffer() }
	var err error
	if d.volume, d.marker, err = openVolume(d.at, config.Volume); err != nil {
		return nil, err
	}
	d.folders = newFolders(d.files, d.at.shards(), d.at.trash())
	if err := d.restoreFolders(); err != nil {
		return nil, err
	}
	if d.index, err = openIndex(d.at.index(), d.files); err == nil {
		err = d.load(ctx)
	}
	if damaged(err) {
		d.report(IndexFailed, store.Key{}, err)
		if err = d.index.replace(); err == nil {
			err = d.load(ctx)
		}
	}
	if err != nil {
		return nil, errors.Join(err, d.index.shut())
	}
	return d, nil
}

// restoreFolders makes what somebody may have removed from the volume.
func (d *Disk) restoreFolders() error {
	made := false
	for _, path := range d.at.made() {
		err := d.files.mkdir(path)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		made = made || err == nil
	}
	if !made {
		return nil
	}
	return d.files.syncDir(d.at.dir)
}

// load takes over the books and repairs them from what a crash left.
func (d *Disk) load(ctx context.Context) error {
	before, err := d.index.status()
	if err != nil {
		return err
	}
	if err := d.index.setFlag(metaClean, false); err != nil {
		return err
	}
	if err := errors.Join(d.sweep(ctx), d.sortTrash(ctx)); err != nil {
		return err
	}
	stale := before.stale || !before.clean && !d.canLink()
	if stale && !before.stale {
		if err := d.index.setFlag(metaStale, true); err != nil {
			return err
		}
	}
	d.stale.Store(stale)
	after, err := d.index.status()
	if err != nil {
		return err
	}
	d.space.used, d.space.shards = after.used, after.shards
	d.space.quarantined, err = folderSize(d.at.quarantine())
	return err
}

// Close flushes the index and gives the volume free; with the volume gone it does
// the latter and returns store.ErrPaused. Operations after it fail with
// fs.ErrClosed; a Put that is still reading its stream fails when it has read it.
// Shards that are open stay readable.
func (d *Disk) Close() error {
	d.life.Lock()
	if d.closed {
		d.life.Unlock()
		return nil
	}
	d.closed = true
	d.life.Unlock()
	close(d.stop)
	d.loop.Wait()
	// With the volume gone, the hints on it have to say what the index does not.
	paused := d.volume.check()
	if err := errors.Join(paused, d.index.close(paused == nil)); err != nil {
		return fmt.Errorf("close volume %s: %w", d.config.Dir, err)
	}
	return nil
}

// Resize changes how many bytes shards may take. What is there stays, if it is more.
func (d *Disk) Resize(capacity int64) { d.space.resize(capacity) }

// Marker returns the marker of the volume.
func (d *Disk) Marker() Marker { return d.marker }

// Check returns store.ErrPaused if the volume is not there any more. Every operation
// asks the same; this is for those who have none to do.
func (d *Disk) Check(ctx context.Context) error {
	leave, err := d.enter(ctx)
	if err != nil {
		return fmt.Errorf("check volume: %w", err)
	}
	leave()
	return nil
}

// Stale reports whether the index may miss shards that are on the volume, or name
// ones that are not: List and Usage are then not to be relied on until Rebuild has
// been run. Open and Stat always tell the truth.
func (d *Disk) Stale() bool { return d.stale.Load() || d.index.broken.Load() }

// Usage implements store.Shelf.
func (d *Disk) Usage(ctx context.Context) (store.Usage, error) {
	leave, err := d.enter(ctx)
	if err != nil {
		return store.Usage{}, fmt.Errorf("usage: %w", err)
	}
	defer leave()
	return d.space.usage(), nil
}

// enter begins an operation on volume and index. It is short: no stream of a caller
// is read or written inside.
func (d *Disk) enter(ctx context.Context) (leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d.life.RLock()
	if d.closed {
		d.life.RUnlock()
		return nil, fs.ErrClosed
	}
	if err := d.volume.check(); err != nil {
		d.life.RUnlock()
		return nil, err
	}
	return d.life.RUnlock, nil
}

func folderSize(path string) (n int64, err error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		if fi, err := e.Info(); err == nil && fi.Mode().IsRegular() {
			n += fi.Size()
		}
	}
	return n, nil
}
