package node

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"holdfast/store/disk"
)

// What a disk should be able to do.
const (
	fsyncTries = 5
	fsyncSlow  = 100 * time.Millisecond // an ordinary disk takes 5 to 30 ms
	fsyncBad   = 2 * time.Second
	probeSize  = 4 << 10
)

// examineDisks looks at all volumes of a node, of each of which room says how much it
// should still take while it serves. One that its operator has paused is left alone.
func examineDisks(ctx context.Context, dir string, c Config, room func(v VolumeConfig) int64) []Finding {
	var found []Finding
	for _, v := range c.volumes() {
		var more int64
		switch v.State {
		case VolumePaused:
			continue
		case VolumeServing:
			more = room(v)
		}
		if v.Name == MainVolume {
			found = append(found, examineDisk(ctx, filepath.Join(dir, volumeName), more, "holdfast node resume --new-volume")...)
			continue
		}
		for _, f := range examineDisk(ctx, v.Path, more, "holdfast node volume remove "+v.Name+" --lost") {
			f.Text = v.Name + ": " + f.Text
			found = append(found, f)
		}
	}
	return found
}

// leastRoom is what a volume should still take of which it is not known what is on it,
// since the node does not run.
func leastRoom(v VolumeConfig) int64 { return v.Capacity / spaceLow }

// examineDisk looks at the volume in a folder: that it is there, has the room that others
// are told of, and writes what it is told to write in a time that others wait for. What is
// done about a volume that is lost for good differs.
func examineDisk(ctx context.Context, folder string, room int64, ifLost string) []Finding {
	if _, err := disk.ReadMarker(folder); err != nil {
		return []Finding{bad(checkDisk, "mount the disk; if it is lost: "+ifLost, "the volume is not there: %v", err)}
	}
	return []Finding{judgeRoom(freeOnDisk(folder), room), examineFsync(ctx, folder)}
}

func judgeRoom(free, room int64) Finding {
	switch {
	case free == math.MaxInt64:
		return dubious(checkDisk, "", "the volume is there; its file system does not say what is free")
	case free < spared:
		return bad(checkDisk, "make room: the ledger and the book have to grow", "the file system has %d MiB free", free>>20)
	case free < room:
		return dubious(checkDisk, "offer less, or make room", "the file system has %d MiB free, and the volume should take %d MiB more", free>>20, room>>20)
	}
	return good(checkDisk, "the volume is there; its file system has %d MiB free", free>>20)
}

// examineFsync writes small files and waits until they are on the disk. It says nothing
// of a disk that pretends.
func examineFsync(ctx context.Context, folder string) Finding {
	var took []time.Duration
	for range fsyncTries {
		if ctx.Err() != nil {
			return skipped(checkFsync, "%v", ctx.Err())
		}
		d, err := probe(folder)
		if err != nil {
			return bad(checkFsync, "look at the disk and at the folder's owner", "%v", err)
		}
		took = append(took, d)
	}
	slices.Sort(took)
	median := took[len(took)/2]
	switch {
	case median > fsyncBad:
		return bad(checkFsync, "look at the disk: every shard waits for this", "a small file takes %v to be on the disk", median.Round(time.Millisecond))
	case median > fsyncSlow:
		return dubious(checkFsync, "every shard waits for this; is another program busy on the disk?", "a small file takes %v to be on the disk", median.Round(time.Millisecond))
	}
	return good(checkFsync, "a small file is on the disk after %v", median.Round(10*time.Microsecond))
}

// probe writes one small file and removes it.
func probe(folder string) (took time.Duration, err error) {
	f, err := os.CreateTemp(filepath.Join(folder, "tmp"), "doctor-*.tmp")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	if _, err := f.Write(make([]byte, probeSize)); err != nil {
		return 0, err
	}
	start := time.Now()
	err = f.Sync()
	return time.Since(start), err
}
