//go:build !linux

package disk

func mountsChild() {}
