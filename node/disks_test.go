package node

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"holdfast/internal/ident"
	"holdfast/ledger/ledgertest"
	"holdfast/p2p/shardrpc"
	"holdfast/store"
	"holdfast/store/disk"
	"holdfast/store/storetest"
)

// change does with a volume of the bench's node what its operator wants.
func (b *bench) change(ch VolumeChange) error {
	b.t.Helper()
	build := builder{dir: b.node.dir, keys: b.node.keys, now: b.clock.now, empty: func(v VolumeConfig) (bool, error) {
		return b.node.emptyVolume(b.t.Context(), v)
	}}
	if err := build.change(b.node.volumes, ch); err != nil {
		return err
	}
	return b.volume.watch(b.t.Context())
}

// addDisk gives the bench's node one more disk, and returns where it is.
func (b *bench) addDisk(name string) string {
	b.t.Helper()
	c := goodConfig()
	c.Capacity = benchCapacity
	if _, err := os.Lstat(filepath.Join(b.node.dir, configName)); err != nil {
		must(b.t, writeConfig(b.node.dir, c))
	}
	path := filepath.Join(b.node.dir, name)
	must(b.t, b.change(VolumeChange{Do: VolumeAdd, Name: name, Path: path, Capacity: 2 * benchCapacity}))
	return path
}

// state returns how a volume is.
func (b *bench) state(name string) VolumeStatus {
	b.t.Helper()
	for _, v := range b.node.volumeStatus(b.t.Context()) {
		if v.Name == name {
			return v
		}
	}
	b.t.Fatalf("no volume %s", name)
	return VolumeStatus{}
}

// spread puts shards until both volumes have some, and returns one of each.
func (b *bench) spread(s *session, other string) (onMain, onOther storetest.Segment) {
	b.t.Helper()
	onOther = segment(b.t, 100_000, 1)
	b.mustPut(s, onOther, 0) // more is free there
	must(b.t, b.change(VolumeChange{Do: VolumeDrain, Name: other}))
	onMain = segment(b.t, 100_000, 2)
	b.mustPut(s, onMain, 0)
	must(b.t, b.change(VolumeChange{Do: VolumeResume, Name: other}))
	if b.state(other).Shards != 1 || b.state(MainVolume).Shards != 1 {
		b.t.Fatalf("%+v", b.node.volumeStatus(b.t.Context()))
	}
	return onMain, onOther
}

func (b *bench) wantShard(s *session, g storetest.Segment) {
	b.t.Helper()
	if p, err := readAll(s, g, 0); err != nil || !bytes.Equal(p, g.Rows[0]) {
		b.t.Errorf("read: %d bytes, %v", len(p), err)
	}
}

// Law: while one disk is away the node goes on, of its shards nothing is said, and its
// book forgets none of them.
func TestDiskAway(t *testing.T) {
	b := newBench(t, 4)
	path := b.addDisk("two")
	s := b.session()
	onMain, onTwo := b.spread(s, "two")
	must(t, os.Rename(path, path+".away"))
	must(t, b.volume.watch(t.Context()))
	if v := b.state("two"); v.State != StatePaused || v.Reason == "" {
		t.Errorf("%+v", v)
	}
	if b.volume.paused() != nil {
		t.Error("the node is paused")
	}
	b.wantShard(s, onMain)
	if _, err := readAll(s, onTwo, 0); !errors.Is(err, shardrpc.ErrPaused) {
		t.Error("get of what is away:", err)
	}
	if _, err := s.Has(t.Context(), []shardrpc.Ref{ref(onTwo, 0)}); !errors.Is(err, shardrpc.ErrPaused) {
		t.Error("has of what is away:", err)
	}
	if _, err := receipt(t, b, s, nonce, ref(onTwo, 0)); !errors.Is(err, shardrpc.ErrPaused) {
		t.Error("receipt for what is away:", err)
	}
	must(t, b.parts().reconcile(t.Context()))
	if _, known := b.record(onTwo.Key(b.vault.ID(), 0)); !known {
		t.Error("the book has forgotten a shard whose disk is away")
	}
	b.mustPut(s, segment(t, 100_000, 3), 0) // goes to the main volume
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Error("something was made in the disk's place:", err)
	}
	must(t, os.Rename(path+".away", path))
	must(t, b.volume.watch(t.Context()))
	b.wantShard(s, onTwo)
	if v := b.state("two"); v.State != StateServing || v.Shards != 1 {
		t.Errorf("%+v", v)
	}
}

// A disk that was emptied, or another one in its place, is not taken for the one that was
// there.
func TestDiskEmptied(t *testing.T) {
	b := newBench(t, 4)
	path := b.addDisk("two")
	s := b.session()
	onMain, onTwo := b.spread(s, "two")
	must(t, os.RemoveAll(path))
	must(t, b.volume.watch(t.Context()))
	for _, m := range []disk.Marker{
		{Volume: disk.VolumeID{7}, Node: b.me.Node.Public(), Vote: b.me.Vote.Public(), Created: 1},
		{Volume: disk.VolumeID{8}, Node: ledgertest.Key("another node").Public(), Vote: b.me.Vote.Public(), Created: 1},
	} {
		must(t, os.RemoveAll(path))
		must(t, disk.Create(path, m))
		must(t, b.volume.watch(t.Context()))
		if v := b.state("two"); v.State != StatePaused {
			t.Errorf("%+v", v)
		}
		if _, err := readAll(s, onTwo, 0); !errors.Is(err, shardrpc.ErrPaused) {
			t.Error("get of what was there:", err)
		}
	}
	b.wantShard(s, onMain)
	// Its operator says that it is lost: only now its shards are missing.
	must(t, b.change(VolumeChange{Do: VolumeRemove, Name: "two", Lost: true}))
	if _, err := readAll(s, onTwo, 0); !errors.Is(err, store.ErrNotFound) {
		t.Error("get of what is lost:", err)
	}
	must(t, b.parts().reconcile(t.Context()))
	if _, known := b.record(onTwo.Key(b.vault.ID(), 0)); known {
		t.Error("the book has a shard that is lost")
	}
}

// The vote key of the node is another one after the main volume was lost: the other disks
// go on all the same, for no vote is remembered there.
func TestDiskOutlivesVoteKey(t *testing.T) {
	b := newBench(t, 4)
	b.addDisk("two")
	s := b.session()
	_, onTwo := b.spread(s, "two")
	must(t, b.volume.close())
	renewed := ledgertest.Key("renewed vote")
	must(t, os.RemoveAll(b.dir()))
	must(t, disk.Create(b.dir(), disk.Marker{Volume: disk.VolumeID{9}, Node: b.me.Node.Public(), Vote: renewed.Public(), Created: 2}))
	b.node.keys.vote, b.node.keys.cert.Vote = renewed, renewed.Public()
	v, err := newVolume(t.Context(), b.node.log, b.node.openParts)
	must(t, err)
	defer func() { must(t, v.close()) }()
	must(t, v.use(t.Context(), func(p *parts) error {
		if err := p.reconcile(t.Context()); err != nil {
			return err
		}
		if r, known, err := p.book.get(onTwo.Key(b.vault.ID(), 0)); !known || r.Until != p.book.holdUntil() {
			t.Errorf("the book has %+v, %v, %v", r, known, err)
		}
		_, err := p.shelf.Stat(t.Context(), onTwo.Key(b.vault.ID(), 0))
		return err
	}))
}

// A disk is emptied into the others, and only then removed; so after a restart in
// between.
func TestDrainDisk(t *testing.T) {
	dir := t.TempDir()
	b := newBenchAt(t, dir, 4)
	b.addDisk("two")
	s := b.session()
	onMain, onTwo := b.spread(s, "two")
	if err := b.change(VolumeChange{Do: VolumeRemove, Name: "two"}); !errors.Is(err, ErrVolumeHolds) {
		t.Error("removed with a shard:", err)
	}
	if err := b.change(VolumeChange{Do: VolumeRemove, Name: "two", Lost: true}); !errors.Is(err, ErrVolumeThere) {
		t.Error("lost while it is there:", err)
	}
	must(t, b.change(VolumeChange{Do: VolumeDrain, Name: "two"}))
	if err := b.change(VolumeChange{Do: VolumeDrain, Name: MainVolume}); !errors.Is(err, ErrNowhereToMove) {
		t.Error("both drained:", err)
	}
	if err := b.change(VolumeChange{Do: VolumeRemove, Name: "two"}); !errors.Is(err, ErrVolumeHolds) {
		t.Error("removed before it was empty:", err)
	}
	must(t, b.volume.close())

	config, err := readConfig(dir)
	must(t, err)
	b.node.volumes = newVolumeList(dir, config)
	b.volume, err = newVolume(t.Context(), b.node.log, b.node.openParts)
	must(t, err)
	b.node.volume, b.shelf.volume = b.volume, b.volume
	t.Cleanup(func() { must(t, b.volume.close()) })
	if v := b.state("two"); v.State != StateDraining || v.Shards != 1 {
		t.Errorf("%+v", v)
	}
	must(t, b.node.drainVolumes(t.Context()))
	if v := b.state("two"); v.State != volumeDrained {
		t.Errorf("%+v", v)
	}
	must(t, b.change(VolumeChange{Do: VolumeRemove, Name: "two"}))
	b.wantShard(s, onMain)
	b.wantShard(s, onTwo)
	if all := b.node.volumeStatus(t.Context()); len(all) != 1 || all[0].Shards != 2 {
		t.Errorf("%+v", all)
	}
}

// A disk that its operator pauses is closed, so that it can be taken out; nothing is said
// of what is on it.
func TestPauseDisk(t *testing.T) {
	b := newBench(t, 4)
	path := b.addDisk("two")
	s := b.session()
	_, onTwo := b.spread(s, "two")
	must(t, b.change(VolumeChange{Do: VolumePause, Name: "two"}))
	if _, err := readAll(s, onTwo, 0); !errors.Is(err, shardrpc.ErrPaused) || b.state("two").State != StatePaused {
		t.Error(err, b.state("two"))
	}
	if err := b.change(VolumeChange{Do: VolumeRemove, Name: "two", Lost: true}); !errors.Is(err, ErrVolumeThere) {
		t.Error("lost although it is only paused:", err)
	}
	// Nobody has it open.
	v, err := b.node.volumes.get("two")
	must(t, err)
	id, err := v.id()
	must(t, err)
	d, err := disk.Open(t.Context(), disk.Config{Dir: path, Capacity: 1, Volume: id})
	must(t, err)
	must(t, d.Close())
	must(t, b.change(VolumeChange{Do: VolumeResume, Name: "two"}))
	b.wantShard(s, onTwo)
}

// A release goes on with what is there while a disk is away, and with the rest when it
// is back.
func TestReleaseWhileDiskAway(t *testing.T) {
	b := newBench(t, 4)
	path := b.addDisk("two")
	s := b.session()
	onMain, onTwo := b.spread(s, "two")
	p := b.parts()
	keys := []store.Key{onMain.Key(b.vault.ID(), 0), onTwo.Key(b.vault.ID(), 0)}
	for _, k := range keys {
		must(t, p.book.certified(k.Vault, []ident.CID{k.Segment}))
	}
	segments := []ident.CID{onMain.CID, onTwo.CID}
	slices.SortFunc(segments, ident.CID.Compare)
	release := b.court().release(segments...)
	m := mover{trash: p.shelf, book: p.book, usage: p.shelf.Usage, stamp: b.shelf.stamp, log: b.node.log}
	must(t, os.Rename(path, path+".away"))
	must(t, b.volume.watch(t.Context()))
	must(t, m.discard(t.Context(), release))
	if _, err := p.shelf.Discarded(t.Context(), keys[0]); err != nil {
		t.Error("what is there is not in the trash:", err)
	}
	if left, err := m.any(t.Context(), release); !left || err != nil && !errors.Is(err, store.ErrPaused) {
		t.Errorf("left %v, %v", left, err)
	}
	must(t, os.Rename(path+".away", path))
	must(t, b.volume.watch(t.Context()))
	must(t, m.discard(t.Context(), release))
	if _, err := p.shelf.Discarded(t.Context(), keys[1]); err != nil {
		t.Error("what is back is not in the trash:", err)
	}
	must(t, m.erase(t.Context(), release, 0))
	if u, err := p.shelf.Usage(t.Context()); err != nil || u.Used != 0 {
		t.Errorf("usage %+v, %v", u, err)
	}
}
