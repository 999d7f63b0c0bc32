//go:build unix

package object

import "golang.org/x/sys/unix"

// allocBig returns zeroed memory that the collector does not count: a heap that
// holds a few segments for long would be allowed to grow to twice their size. It
// takes no room before it is touched.
func allocBig(size int) []byte {
	p, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return make([]byte, size)
	}
	if size >= hugeFrom {
		hugePages(p)
	}
	return p
}

// hugeFrom is from which size on memory is asked for in huge pages: a fault for each
// page of 4 KiB costs more than what is then done with it.
const hugeFrom = 16 << 20

// freeBig gives memory back at once. Any use of it afterwards is a fault. Memory
// that did not come from the system is left to the collector.
func freeBig(p []byte) { _ = unix.Munmap(p) }
