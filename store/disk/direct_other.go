//go:build !linux

package disk

// createShard makes a new file.
func createShard(path string) (file, error) { return createPlain(path) }
