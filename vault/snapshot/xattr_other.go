//go:build !linux

package snapshot

import "os"

// Extended attributes are kept on Linux alone.
func (f *folder) xattrs(string) ([]Xattr, error) { return nil, nil }

func fileXattrs(*os.File) ([]Xattr, error) { return nil, nil }
