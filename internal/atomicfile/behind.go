package atomicfile

import "os"

// behindEvery is how much is written before the disk is given it, so that Commit of a
// large file finds little left to flush.
const behindEvery = 16 << 20

// behind follows what is appended to a file. What it does is advice: Commit flushes,
// and tells of what could not be written.
type behind struct{ written, begun int64 }

func (b *behind) wrote(f *os.File, n int64) {
	if b.written += n; b.written-b.begun >= behindEvery {
		begin(f, b.begun, b.written-b.begun)
		b.begun = b.written
	}
}
