//go:build !unix

package disk

import "io/fs"

// device is not known here; the marker alone tells a volume.
func device(fs.FileInfo) uint64 { return 0 }
