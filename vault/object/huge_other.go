//go:build unix && !linux

package object

// hugePages does nothing here.
func hugePages([]byte) {}
