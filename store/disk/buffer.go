package disk

import (
	"unsafe"

	"holdfast/store"
)

const (
	// bufferSize is how much is collected before it is written with one call, and
	// room for the group that is hashed last.
	bufferSize = 512<<10 + store.GroupSize
	// blockSize is what memory and lengths have to be multiples of where a file is
	// written past the page cache: no disk asks for more.
	blockSize = 4 << 10
)

// newBuffer makes a buffer whose first byte is aligned.
func newBuffer() *[bufferSize]byte {
	p := make([]byte, bufferSize+blockSize)
	at := 0
	for !aligned(p[at:]) {
		at++
	}
	return (*[bufferSize]byte)(p[at:])
}

// aligned reports whether memory may be written past the page cache. The collector
// does not move it.
func aligned(p []byte) bool {
	return uintptr(unsafe.Pointer(unsafe.SliceData(p)))%blockSize == 0
}
